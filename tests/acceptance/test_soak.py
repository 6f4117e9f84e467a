"""The soak, short: one crawl under fire on each database. `make soak MINUTES=10` is the long one."""

import subprocess
import sys
from pathlib import Path

import pytest

#: its moments are measured, or it needs the machine: not beside other tests
pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_crawl_under_fire_loses_nothing_and_counts_nothing_twice(database: str, postgres_server: object) -> None:
    command = [sys.executable, "-m", "tests.soak", "--short", "--fuzz-seconds", "5", "--database", database]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
