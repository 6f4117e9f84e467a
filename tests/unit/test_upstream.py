"""How other projects' test files are run: every assertion counts once, and what is absent is left out."""

from pathlib import Path

from tests.conformance import upstream
from tests.conformance.cases import Case, Result, Suite

FILE = """
import unittest
import pytest
from thing import add, subtract
from tests.helpers import something

@pytest.mark.parametrize(("a", "b"), [(1, 1), pytest.param(2, 3, id="x")])
def test_add(a, b):
    assert add(a, b) == 2
    assert add(a, b) > 0

def test_absent():
    assert something(1)

def test_fixture(tmp_path):
    assert tmp_path

class TestThing:
    def setup_method(self):
        self.one = 1

    def test_broken(self):
        assert add(self.one, 1) == 2
        assert subtract(1, 1)
        assert add(None, 1)
        raise ValueError("end")

class TestOld(unittest.TestCase):
    def test_old(self):
        self.assertFalse(add(1, 1) == 3)
        self.assertEqual(add(1, 1), 3)
"""


def cases(tmp_path: Path) -> list[Case]:
    file = tmp_path / "test_thing.py"
    file.write_text(FILE)
    return upstream.run(file, {"thing": {"add": lambda a, b: a + b}})


def test_every_assertion_is_a_case(tmp_path: Path) -> None:
    assert [(case.name, case.passed) for case in cases(tmp_path)] == [
        ("test_add[0]:9", True),
        ("test_add[0]:10", True),
        ("test_add[1]:9", False),
        ("test_add[1]:10", True),
        ("test_absent:13", None),
        ("test_fixture", None),
        ("TestThing.test_broken:23", True),
        ("TestThing.test_broken:24", None),
        ("TestThing.test_broken:25", False),
        ("TestThing.test_broken", False),
        ("TestOld.test_old:30", True),
        ("TestOld.test_old:31", False),
    ]


def test_failures_are_named_or_not_and_names_go_stale(tmp_path: Path) -> None:
    known = {"TestThing.test_broken": "why", "test_add[0]": "not any more"}
    result = Result(Suite("s", "here", list, known), tuple(cases(tmp_path)))
    assert (result.count(True), result.count(False), result.count(None)) == (5, 4, 3)
    assert result.named == {"why": 2}
    assert [case.name for case in result.unnamed] == ["test_add[1]:9", "TestOld.test_old:31"]
    assert result.stale == ["test_add[0]"]
    assert result.left_out == {
        "needs tests.helpers.something": 1,
        "needs tmp_path": 1,
        "needs thing.subtract": 1,
    }
