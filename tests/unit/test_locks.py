"""What is installed is what was locked: every package by its hash, and nothing without one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")


def entries(name: str) -> list[str]:
    """Each requirement with its continuation lines."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(), flags=re.M)
    return [entry for entry in text.replace("\\\n", " ").splitlines() if entry.strip() and not entry.startswith("--")]


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_locked_to_a_version_and_hashes(name: str) -> None:
    found = entries(name)
    assert len(found) > 30
    assert [e for e in found if not re.match(r"[\w.\[\]-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", e)] == []


def test_nothing_is_installed_without_its_hash() -> None:
    installs = [line for line in (ROOT / "Makefile").read_text().splitlines() if "$(PIP)" in line and " -r " in line]
    assert installs
    assert [line for line in installs if "--require-hashes" not in line] == []


def test_what_runs_is_also_what_is_tested() -> None:
    wanted = {entry.split()[0] for entry in entries(LOCKS[0])}
    assert wanted <= {entry.split()[0] for entry in entries(LOCKS[1])}
