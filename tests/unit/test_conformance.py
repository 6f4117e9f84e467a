"""docs/conformance.md names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "conformance.md").read_text()
NAMED = sorted(set(re.findall(r"`(test_\w+)`", TEXT)))
EXISTING = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
}


@pytest.mark.parametrize("name", NAMED)
def test_each_test_it_names_exists(name: str) -> None:
    assert name in EXISTING


def test_every_document_has_its_chapter() -> None:
    for name in ("api-jobs", "v1-jobs", "v1-tasks", "v1-task-get", "v1-runtasks"):
        assert f"## {name}.txt" in TEXT
