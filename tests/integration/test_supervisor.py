import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.supervisor import ChildSpec, Supervisor
from tests.waiting import is_alive, until

STUBBORN = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(99)"
GENTLE = "import time\nprint('ready', flush=True)\ntime.sleep(99)"
#: a child with a child of its own, in the same group
PARENT = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {STUBBORN!r}])"
RUNNER = """
import os, sys
from shared.supervisor import ChildSpec, Supervisor
specs = [ChildSpec(f"c{i}", [sys.executable, "-c", code], dict(os.environ)) for i, code in enumerate(sys.argv[2:])]
raise SystemExit(Supervisor(specs, grace=float(sys.argv[1])).run())
"""


def child(code: str, name: str = "child", *, finite: bool = False, log: Path | None = None) -> ChildSpec:
    return ChildSpec(name, [sys.executable, "-c", code], dict(os.environ), finite=finite, log=log)


def descendants(pid: int) -> set[int]:
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found, todo = set[int](), {pid}
    while todo:
        todo = {own for own, parent in pairs if parent in todo} - found
        found |= todo
    return found


@contextmanager
def running(grace: float, *codes: str) -> Iterator["tuple[subprocess.Popen[str], set[int]]"]:
    """A supervisor process whose children are all ready, and the pids of these."""
    argv = [sys.executable, "-c", RUNNER, str(grace), *codes]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for _ in codes:
        assert "ready" in process.stderr.readline()
    pids = descendants(process.pid)
    try:
        yield process, pids
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
        until(lambda: not any(map(is_alive, pids)), what="end of the children")


def test_it_works_until_all_finite_children_are_done(capfd: pytest.CaptureFixture[str]) -> None:
    supervisor = Supervisor([child("print('hello')", "a", finite=True)], grace=1)
    assert supervisor.run() == 0
    assert capfd.readouterr().err == "a         | hello\n"


def test_a_crashed_child_is_started_again_with_growing_pauses() -> None:
    lines: list[str] = []
    supervisor = Supervisor([child("raise SystemExit(3)")], grace=1, report=lines.append)
    supervisor.start()
    until(lambda: len(lines) >= 3)
    assert supervisor.stop() == 0
    assert [line.split(" in ")[1] for line in lines[:3]] == ["0.5 s", "1 s", "2 s"]


def test_a_child_that_refuses_its_settings_ends_everything_with_2() -> None:
    supervisor = Supervisor([child(GENTLE, "good"), child("raise SystemExit(2)", "bad")], 5, report=lambda line: None)
    assert supervisor.run() == 2


def test_sigterm_ends_the_children_in_order() -> None:
    with running(5, GENTLE, GENTLE) as (process, pids):
        process.terminate()
        assert process.wait(5) == 0
        assert not any(map(is_alive, pids))


def test_children_that_ignore_sigterm_are_killed_after_the_grace() -> None:
    with running(0.3, STUBBORN) as (process, pids):
        process.terminate()
        assert process.wait(5) == 1
        assert not any(map(is_alive, pids))


def test_a_second_ctrl_c_kills_at_once() -> None:
    with running(60, STUBBORN) as (process, pids):
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 1
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
        assert not any(map(is_alive, pids))


@pytest.mark.parametrize("code", [GENTLE, STUBBORN])
def test_killing_the_supervisor_leaves_no_child(code: str) -> None:
    with running(60, code, code) as (process, pids):
        process.kill()
        until(lambda: not any(map(is_alive, pids)), what="end of the children")


def test_what_a_child_started_ends_with_it() -> None:
    with running(0.3, PARENT) as (process, pids):
        assert len(pids) == 2
        process.terminate()
        process.wait(5)
        until(lambda: not any(map(is_alive, pids)))


def test_output_goes_to_a_log_when_there_is_one(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "a.log"
    assert Supervisor([child("print('hello')", finite=True, log=log)], grace=1).run() == 0
    assert log.read_text() == "hello\n"


def test_control_characters_of_a_child_do_not_reach_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    Supervisor([child("print('a\\x1b[2Jb')", "a", finite=True)], grace=1).run()
    assert capfd.readouterr().err == "a         | a[2Jb\n"
