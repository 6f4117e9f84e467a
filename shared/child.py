"""One supervised process: what it is, its start, its end."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shared.relay import relay
from shared.spawn import spawn

#: seconds before a crashed child is started again: the first time, and at most
FIRST_BACKOFF = 0.5
LAST_BACKOFF = 30.0
#: seconds of life after which a crash counts as a first one again
HEALTHY = 10.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run."""

    name: str
    argv: Sequence[str]
    #: the whole environment of the child
    env: Mapping[str, str]
    #: exit status 0 means done instead of crashed
    finite: bool = False
    #: file that takes the output; None: passed through, each line prefixed with the name
    log: Path | None = None


class Child:
    """A ChildSpec and the process that runs it now, if any."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        #: moment of the next start on the monotonic clock; None: none planned
        self.due: float | None = 0.0
        self._started = 0.0
        self._backoff = FIRST_BACKOFF
        self._reader: threading.Thread | None = None

    def start(self, on_exit: "Callable[[Child], None]") -> None:
        """Starts the process; `on_exit` is called from another thread when it has ended."""
        self.due = None
        self._started = time.monotonic()
        self.process = self._spawn()
        threading.Thread(target=self._await, args=(self.process, on_exit), daemon=True).start()

    def terminate(self) -> None:
        """Asks the process itself to end; it asks its own children."""
        self.due = None
        if self.process is not None:
            self.process.terminate()

    def kill(self) -> None:
        """Kills the whole process group, which may be gone."""
        self.due = None
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def bury(self) -> int:
        """After the end of the process: clears up behind it and returns its exit status."""
        code = self.process.returncode if self.process is not None else 0
        self.kill()  # what is left of its group would hold ports and locks
        if self._reader is not None:
            self._reader.join(1.0)
        self.process = None
        return code

    def plan_restart(self) -> float:
        """Sets the moment of the next start; returns the seconds until then, which double with every crash."""
        now = time.monotonic()
        pause = FIRST_BACKOFF if now - self._started >= HEALTHY else self._backoff
        self.due = now + pause
        self._backoff = min(pause * 2, LAST_BACKOFF)
        return pause

    def _spawn(self) -> "subprocess.Popen[bytes]":
        spec = self.spec
        if spec.log is None:
            process = spawn(spec.argv, spec.env, subprocess.PIPE)
            self._reader = relay(spec.name, process)
            return process
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        with spec.log.open("ab") as output:
            return spawn(spec.argv, spec.env, output)

    def _await(self, process: "subprocess.Popen[bytes]", on_exit: "Callable[[Child], None]") -> None:
        process.wait()
        on_exit(self)
