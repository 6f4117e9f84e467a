"""The house rules that a machine can check."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "workers", "scheduler", "shared")
MODULES = [p for top in PACKAGES for p in sorted((ROOT / top).rglob("*.py")) if "migrations" not in p.parts]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_side_imports_shared_and_no_other_side(path: Path) -> None:
    side = path.relative_to(ROOT).parts[0]
    others = set(PACKAGES) - {side, "shared"}
    assert not [name for name in imports(path) if name.split(".")[0] in others]


@pytest.mark.parametrize("path", [p for p in MODULES if "store" not in p.parts], ids=named)
def test_sqlalchemy_stays_in_the_store(path: Path) -> None:
    assert not [name for name in imports(path) if name.split(".")[0] in ("sqlalchemy", "psycopg", "sqlite3")]


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_nothing_is_pickled(path: Path) -> None:
    assert not [name for name in imports(path) if name.split(".")[0] in ("pickle", "shelve", "marshal", "dill")]


@pytest.mark.parametrize("path", [p for p in MODULES if p.parts[-2:] != ("shared", "settings.py")], ids=named)
def test_only_settings_read_the_environment(path: Path) -> None:
    reads = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]
    assert not reads


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["api", "api.wsgi", "api.cli"])
def test_the_api_never_loads_the_workers(module: str) -> None:
    assert not [name for name in loaded_by(module) if name.split(".")[0] in ("workers", "scheduler")]


@pytest.mark.parametrize("module", ["workers.__main__", "scheduler.__main__"])
def test_a_worker_does_not_load_alembic_or_flask(module: str) -> None:
    assert not loaded_by(module) & {"alembic", "flask"}
