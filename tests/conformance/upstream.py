"""Another project's test files as material: run with stand-ins for what they import, every assertion counted.

A test file is compiled with its `assert` statements turned into records, so that one which fails does not hide
the next. What it imports comes from the stand-ins that a suite gives, from the standard library or from pytest;
anything else is absent, and a test that needs it is left out.
"""

import ast
import builtins
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.conformance.cases import Case, LeftOut

#: module name → names in it, or the file that is run in its place
StandIns = Mapping[str, Mapping[str, Any] | Path]
_REAL = {*sys.stdlib_module_names, "pytest", "hypothesis"}


class Recorder:
    """Collects the cases of one test function at a time."""

    def __init__(self) -> None:
        self.cases: list[Case] = []
        self.test = ""

    def check(self, outcome: Callable[[], object], line: int) -> None:
        """One assertion."""
        name = f"{self.test}:{line}"
        try:
            passed, detail = bool(outcome()), ""
        except LeftOut as reason:
            self.cases.append(Case(name, None, str(reason)))
        except Exception as error:  # whatever the code under test raises is the case's failure
            self.cases.append(Case(name, False, f"{type(error).__name__}: {error}"))
        else:
            self.cases.append(Case(name, passed, detail))

    def run(self, name: str, call: Callable[[], object]) -> None:
        """One test function, to its end or its first exception."""
        self.test = name
        try:
            call()
        except LeftOut as reason:
            self.cases.append(Case(name, None, str(reason)))
        except (Exception, _failed()) as error:
            self.cases.append(Case(name, False, f"{type(error).__name__}: {error}"))


def run(file: Path, stand_ins: StandIns) -> list[Case]:
    """The cases of a test file."""
    recorder = Recorder()
    given = {"unittest": {"TestCase": _test_case(recorder), "main": print}, **stand_ins}
    module = _Loader(recorder, given).load(file)
    for name, found in list(vars(module).items()):
        if inspect.isclass(found) and found.__module__ == file.stem and hasattr(found, "__dict__"):
            for method in sorted(set(dir(found)), key=_definition_order(found)):
                if method.startswith("test"):
                    _expanded(recorder, f"{name}.{method}", getattr(found, method), found)
        elif name.startswith("test") and inspect.isfunction(found):
            _expanded(recorder, name, found, None)
    return recorder.cases


def _definition_order(found: type) -> Callable[[str], int]:
    return lambda name: getattr(getattr(getattr(found, name), "__code__", None), "co_firstlineno", 0)


def _expanded(recorder: Recorder, name: str, function: Callable[..., object], owner: type | None) -> None:
    """Runs a test for each of its parameters."""
    for number, values in enumerate(_parameters(function)):
        label = f"{name}[{number}]" if values else name
        recorder.run(label, lambda values=values: _called(function, owner, values))  # type: ignore[misc]


def _called(function: Callable[..., object], owner: type | None, values: dict[str, Any]) -> None:
    needed = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    missing = set(needed) - {"self"} - set(values)
    if missing or hasattr(function, "hypothesis"):
        raise LeftOut(f"needs {', '.join(sorted(missing)) or 'hypothesis'}")
    if owner is None:
        function(**values)
        return
    instance = owner()
    for setup in ("setup_method", "setUp"):
        getattr(instance, setup, lambda: None)()
    function(instance, **values)


def _parameters(function: Callable[..., object]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{}]
    for mark in getattr(function, "pytestmark", ()):
        if mark.name == "parametrize":
            names = [n.strip() for n in mark.args[0].split(",")] if isinstance(mark.args[0], str) else mark.args[0]
            rows = [getattr(row, "values", row) if len(names) > 1 else _single(row) for row in mark.args[1]]
            found = [{**given, **dict(zip(names, row, strict=True))} for given in found for row in rows]
    return found


def _single(row: Any) -> tuple[Any, ...]:
    return row.values if hasattr(row, "marks") else (row,)


class _Loader:
    """Runs files with the stand-ins in place of imports."""

    def __init__(self, recorder: Recorder, stand_ins: StandIns) -> None:
        self._recorder, self._stand_ins = recorder, stand_ins
        self._loaded: dict[str, Any] = {}

    def load(self, file: Path) -> ModuleType:
        tree = _Assertions().visit(ast.parse(file.read_text(encoding="utf-8")))
        module = ModuleType(file.stem)
        names = {**vars(builtins), "__import__": self._import, "__check__": self._recorder.check}
        names.update(self._stand_ins.get("builtins", {}))  # type: ignore[arg-type]
        module.__dict__["__builtins__"] = names
        exec(compile(ast.fix_missing_locations(tree), str(file), "exec"), module.__dict__)
        return module

    def _import(self, name: str, *args: Any) -> Any:
        given = self._stand_ins.get(name)
        if given is None:
            return __import__(name, *args) if name.partition(".")[0] in _REAL else _Absent(name)
        if name not in self._loaded:
            self._loaded[name] = self.load(given) if isinstance(given, Path) else _Module(name, given)
        return self._loaded[name]


class _Module(SimpleNamespace):
    """A stand-in; what it does not give is absent."""

    def __init__(self, name: str, given: Mapping[str, Any]) -> None:
        super().__init__(**given)
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(_Absent(self._name), attribute)


class _Absent:
    """A module that is not there: each name is a class that cannot be made."""

    def __init__(self, name: str) -> None:
        self.__name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        reason = f"needs {self.__name}.{attribute}"

        def refuse(*_: Any, **__: Any) -> None:
            raise LeftOut(reason)

        return type(attribute, (), {"__init__": refuse})


class _Assertions(ast.NodeTransformer):
    """`assert x` becomes a record of x."""

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        call = ast.Call(
            ast.Name("__check__", ast.Load()), [ast.Lambda(nothing, node.test), ast.Constant(node.lineno)], []
        )
        return ast.copy_location(ast.Expr(call), node)


def _test_case(recorder: Recorder) -> type:
    """What stands in for unittest.TestCase."""

    def line() -> int:
        return sys._getframe(2).f_lineno

    class Recording:
        def assertTrue(self, value: object, *_: object) -> None:  # noqa: N802
            recorder.check(lambda: value, line())

        def assertFalse(self, value: object, *_: object) -> None:  # noqa: N802
            recorder.check(lambda: not value, line())

        def assertEqual(self, one: object, other: object, *_: object) -> None:  # noqa: N802
            recorder.check(lambda: one == other, line())

    return Recording


def _failed() -> type[BaseException]:
    import pytest

    failed: type[BaseException] = pytest.fail.Exception
    return failed
