"""`crawlyard top` on a pretended terminal."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api import examples
from tests.stub_api import StubApi

ROOT = Path(__file__).parents[2]
ALT_SCREEN, MAIN_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"


def answers(name: str) -> Callable[..., tuple[int, Any]]:
    return lambda *_: (200, examples.answer(name, 200))


@pytest.fixture
def api() -> Iterator[StubApi]:
    job = examples.answer("list_jobs", 200)["jobs"][0] | {"status": "running", "domain": "x\x1b[31m.test"}
    job["progress"] = {"total_tasks": 10, "completed_tasks": 4, "failed_tasks": 1, "skipped_tasks": 0}
    routes: dict[str, Any] = {
        "GET /api/jobs/stats": answers("get_stats"),
        "GET /api/queues": answers("list_queues"),
        "GET /api/workers": answers("list_workers"),
        "GET /v1/jobs": lambda *_: (200, {"jobs": [job], "pagination": {"total": 1}}),
    }
    with StubApi(routes) as stub:
        yield stub


class Terminal:
    """A process on a pseudo-terminal of 100 columns."""

    def __init__(self, process: "subprocess.Popen[bytes]", ours: int, theirs: int) -> None:
        self.process, self._ours, self._theirs = process, ours, theirs
        self.seen = b""

    def until(self, wanted: bytes, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while wanted not in self.seen:
            assert select.select([self._ours], [], [], max(0.0, end - time.monotonic()))[0], self.seen
            self.seen += os.read(self._ours, 65_536)

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def modes(self) -> Any:
        return termios.tcgetattr(self._theirs)[3]


@contextmanager
def top(url: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    env = os.environ | {"CRAWLYARD_API": url, "TERM": "xterm-256color"}
    argv = [sys.executable, "-m", "api.cli", "top", "--interval", "0.2"]
    process = subprocess.Popen(
        argv,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env=env,
        start_new_session=True,
        # a shell starts what runs in its background, these tests perhaps, with Ctrl-C ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield Terminal(process, ours, theirs)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def leave_by(terminal: Terminal, way: str) -> None:
    if way == "q":
        terminal.type(b"q")
    else:
        terminal.process.send_signal(signal.SIGINT if way == "Ctrl-C" else signal.SIGTERM)


@pytest.mark.parametrize(("way", "status"), [("q", 0), ("Ctrl-C", 0), ("SIGTERM", 128 + signal.SIGTERM)])
def test_whatever_ends_it_the_terminal_is_as_it_was(api: StubApi, way: str, status: int) -> None:
    with top(api.url) as terminal:
        before = terminal.modes()
        terminal.until(b"Running crawls (1)")
        assert ALT_SCREEN in terminal.seen
        assert terminal.modes() != before
        leave_by(terminal, way)
        terminal.until(MAIN_SCREEN)
        assert terminal.process.wait(30) == status
        assert terminal.modes() == before
    assert b"Running crawls (1)" in terminal.seen
    assert b"x[31m.test" in terminal.seen


def test_it_waits_for_an_api_that_is_away(api: StubApi) -> None:
    with top(api.url) as terminal:
        terminal.until(b"Running crawls (1)")
        api.routes["GET /api/jobs/stats"] = lambda *_: (503, {"error": "Redis is away"})
        terminal.until(b"Redis is away")
        terminal.type(b"q")
        assert terminal.process.wait(30) == 0


def once(url: str) -> "subprocess.CompletedProcess[str]":
    env = os.environ | {"CRAWLYARD_API": url}
    argv = [sys.executable, "-m", "api.cli", "top"]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)


def test_in_a_pipe_it_prints_once(api: StubApi) -> None:
    done = once(api.url)
    assert (done.returncode, "\x1b" in done.stdout) == (0, False)
    assert done.stdout.startswith("5 waiting, 2 active, 0 delayed, 3 failed  http://")


def test_without_an_admin_key_it_shows_what_it_may(api: StubApi) -> None:
    api.routes["GET /api/queues"] = lambda *_: (403, {"error": "The API key lacks the scope `admin`"})
    done = once(api.url)
    assert (done.returncode, "needs an admin key" in done.stdout) == (0, True)
