"""The processes under test: groups of workers and schedulers, started again when we end them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.spawn import spawn
from tests.soak.services import is_running, send

#: seconds that running tasks have after SIGTERM; and after which an orderly end is overdue
GRACE = 8.0
PATIENCE = 2 * GRACE + 12.0


@dataclass(frozen=True, slots=True)
class Role:
    """A process to keep running."""

    name: str
    args: tuple[str, ...]


def group(n: int, threads: int, processes: int = 2) -> Role:
    """A supervisor of worker processes."""
    return Role(f"group{n}", ("workers", "--processes", str(processes), "--threads", str(threads)))


class Member:
    """One role's process. Whoever ends it says so first: any other end is a violation."""

    def __init__(self, role: Role, env: Mapping[str, str], log: Path, problems: list[str]) -> None:
        self.role, self._env, self._log, self._problems = role, env, log, problems
        self.expected = False
        self.process = self._spawn()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        self.expected = False
        with self._log.open("ab") as output:
            return spawn([sys.executable, "-P", "-m", *self.role.args], self._env, output)

    def children(self) -> list[int]:
        """Its worker processes that run at the moment."""
        found: list[int] = []
        for task in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            try:
                found += [int(pid) for pid in task.read_text().split()]
            except OSError:
                continue
        return [pid for pid in found if is_running(pid)]

    def kill(self) -> None:
        """kill -9; a group's children go with it."""
        self.expected = True
        send(self.process.pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """kill -9 of the process and all its children at once."""
        self.expected = True
        os.killpg(self.process.pid, signal.SIGKILL)

    def deploy(self) -> None:
        """SIGTERM, as a deploy sends it, and a new process when the old one has ended in time."""
        self.expected = True
        process = self.process
        send(process.pid, signal.SIGTERM)
        try:
            code = process.wait(PATIENCE)
            if code not in (0, -signal.SIGTERM, -signal.SIGKILL):  # hit before it listened, or by another fault
                self._problems.append(f"{self.role.name} ended a deploy with status {code}")
        except subprocess.TimeoutExpired:
            self._problems.append(f"{self.role.name} was not through with SIGTERM after {PATIENCE:g} s")
            self.kill()

    def look(self) -> None:
        """Starts it again if it has ended."""
        code = self.process.poll()
        if code is None:
            return
        if not self.expected:
            self._problems.append(f"{self.role.name} ended by itself with status {code}")
        self.process = self._spawn()


class Fleet:
    """All members. One thread starts and watches them, since a child ends with the thread that started it."""

    def __init__(self, roles: list[Role], env: Mapping[str, str], folder: Path) -> None:
        self.problems: list[str] = []
        self.logs = {role.name: folder / f"{role.name}.log" for role in roles}
        self.members: dict[str, Member] = {}
        self._roles, self._env = roles, env
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="fleet")
        self._thread.start()

    def _watch(self) -> None:
        for role in self._roles:
            self.members[role.name] = Member(role, self._env, self.logs[role.name], self.problems)
        while not self._ended.wait(0.3):
            for member in self.members.values():
                member.look()

    def named(self, prefix: str) -> list[Member]:
        """The members whose names start so."""
        return [m for name, m in self.members.items() if name.startswith(prefix)]

    def stop(self) -> None:
        """Ends everything, in order first and by force then."""
        self._ended.set()
        for member in self.members.values():
            member.expected = True
            for pid in (*member.children(), member.process.pid):
                send(pid, signal.SIGCONT)
            send(member.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and any(m.process.poll() is None for m in self.members.values()):
            time.sleep(0.1)
        for member in self.members.values():
            if member.process.poll() is None:
                self.problems.append(f"{member.role.name} did not end")
                os.killpg(member.process.pid, signal.SIGKILL)
                member.process.wait()
        self._thread.join()
