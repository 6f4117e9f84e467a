"""The documents' own examples with plain curl against `make up`."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.ports import free_port
from tests.site import Site, html
from tests.waiting import until

ROOT = Path(__file__).parents[2]
TRANSCRIPT = Path(__file__).with_name("transcript.txt")


@pytest.fixture
def site() -> Iterator[Site]:
    links = "".join(f'<a href="{path}">x</a>' for path in ("/hit", "/missed", "/missing"))
    pages = {
        "/": html(links),
        "/hit": html("hit", headers={"X-Cache": "HIT"}),
        "/missed": html("missed", headers={"X-Cache": "MISS"}),
    }
    with Site(pages) as made:
        yield made


@pytest.fixture
def slow() -> Iterator[Site]:
    """A site that is still being crawled when the next command comes."""
    with Site({"/": html("slow")}, delay=10) as made:
        yield made


@pytest.fixture
def values(tmp_path: Path, site: Site, slow: Site) -> Iterator[dict[str, str]]:
    """What the transcript's placeholders stand for; `make up` runs meanwhile."""
    if shutil.which("curl") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("curl is not installed")
    port = str(free_port())
    home = tmp_path / "home"
    env = os.environ | {
        "CRAWLYARD_HOME": str(home),
        "PORT": port,
        "CRAWLYARD_ALLOW_PRIVATE": f"{site.host},{slow.host}",
    }
    with (tmp_path / "up.log").open("wb") as log:
        up = subprocess.Popen(["make", "up"], cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)
    base = f"http://127.0.0.1:{port}"
    until(lambda: call(f"curl {base}/readyz")[0] == 200, 90, (tmp_path / "up.log").read_text())
    yield {"base": base, "site": site.host, "slow": slow.host, "key": (home / "api-key").read_text().strip()}
    os.killpg(up.pid, signal.SIGTERM)
    up.wait(60)


def call(command: str) -> tuple[int, Any]:
    """Runs a curl command: status and JSON."""
    done = subprocess.run(
        command + " --silent --max-time 15 --write-out '\\n%{http_code}'", shell=True, capture_output=True, text=True
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status or 0), json.loads(body) if body else None


def assert_within(expected: Any, found: Any, where: str) -> None:
    """That all of `expected` is in `found`."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert key in found, f"{where}.{key} is missing"
            assert_within(value, found[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) >= len(expected), where
        for n, value in enumerate(expected):
            assert_within(value, found[n], f"{where}.{n}")
    else:
        assert found == expected, where


def filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], m[0]), text)


def keep(line: str, answer: Any, values: dict[str, str]) -> None:
    """`@name path`: keeps a value of the answer; `@ended id`: waits for the end of a job."""
    name, path = filled(line[1:], values).split()
    if name == "ended":
        get = f"curl {values['base']}/v1/jobs/{path} -H 'Authorization: Bearer {values['key']}'"
        until(lambda: call(get)[1]["status"] == "completed", 60)
        return
    for step in path.split("."):
        answer = answer[int(step)] if step.isdigit() else answer[step]
    values[name] = answer


def test_each_documented_example_answers_as_written(values: dict[str, str]) -> None:
    status, answer, command = 0, None, ""
    for line in TRANSCRIPT.read_text().splitlines():
        if line.startswith("$ "):
            command = filled(line[2:], values)
            status, answer = call(command)
        elif line.startswith("> "):
            code, _, part = line[2:].partition(" ")
            assert status == int(code), f"{command}\n{answer}"
            assert_within(json.loads(filled(part, values)), answer, command)
        elif line.startswith("@"):
            keep(line, answer, values)


def test_every_document_is_in_the_transcript() -> None:
    text = TRANSCRIPT.read_text()
    for name in ("api-jobs", "v1-jobs", "v1-tasks", "v1-task-get", "v1-runtasks"):
        assert f"## {name}.txt" in text
