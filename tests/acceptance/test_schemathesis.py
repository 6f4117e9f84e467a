"""The API does what its OpenAPI document says, whatever it is sent: all checks and phases that schemathesis has."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.system import KEY, System

CONFIG = Path(__file__).with_name("schemathesis.toml")
#: one worker: with two, CPython 3.11's parser fails inside hypothesis now and then
OPTIONS = "--workers 1 --max-examples 10 --seed 3 --continue-on-failure --generation-database none --no-color".split()


@pytest.fixture
def api(tmp_path: Path, sqlite_url: str) -> Iterator[System]:
    """The API without workers: nothing is crawled. Every address is allowed: a schema cannot say which are not."""
    with System(tmp_path, sqlite_url, CRAWLYARD_ALLOW_PRIVATE="0.0.0.0/0,::/0") as made:
        made.start(workers=0)
        yield made


def test_schemathesis_finds_nothing(api: System) -> None:
    where = ["--config-file", str(CONFIG), "run", api.url("/openapi.json"), "--header", f"X-API-Key: {KEY}"]
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", *where, *OPTIONS],
        cwd=api.home,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert " failed" not in done.stdout.splitlines()[-1]
