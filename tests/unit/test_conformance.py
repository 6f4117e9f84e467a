"""The documents that name tests name ones that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "conformance.md").read_text()
DOCUMENTS = ("conformance", "reliability", "security")
NAMED = [
    (document, name)
    for document in DOCUMENTS
    for name in sorted(set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / f"{document}.md").read_text())))
]
EXISTING = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
}


@pytest.mark.parametrize(("document", "name"), NAMED)
def test_each_test_it_names_exists(document: str, name: str) -> None:
    assert name in EXISTING


def test_every_document_has_its_chapter() -> None:
    for name in ("api-jobs", "v1-jobs", "v1-tasks", "v1-task-get", "v1-runtasks"):
        assert f"## {name}.txt" in TEXT
