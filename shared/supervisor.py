"""Runs child processes: restarts what crashes, stops all together, leaves none behind."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

from shared.child import Child, ChildSpec
from shared.relay import say
from shared.signals import on_stop

__all__ = ["ChildSpec", "Supervisor"]

#: exit status of a wrong setting or wrong usage: a restart cannot help
USAGE = 2

#: a child that has ended, or what someone wants
Event = Child | Literal["stop", "kill"]


class Supervisor:
    """Runs `specs` until told to stop. All state belongs to the one thread that runs the loop."""

    def __init__(self, specs: Sequence[ChildSpec], grace: float, report: Callable[[str], None] = say) -> None:
        """`grace`: seconds between SIGTERM and SIGKILL. `report` gets one line per restart or kill."""
        self._children = [Child(spec) for spec in specs]
        self._grace = grace
        self._report = report
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        #: moment of the kill on the monotonic clock; None: nobody has asked for the end
        self._kill_at: float | None = None
        self._status = 0
        self._thread: threading.Thread | None = None

    def run(self) -> int:
        """Runs in the main thread until SIGTERM, SIGINT or SIGHUP, or until all finite children are done.

        A second signal kills at once. Returns 0 after an orderly end, 1 when something had to be
        killed, 2 when a child refused its settings.
        """
        with on_stop(lambda: self._events.put("stop")):
            return self._loop()

    def start(self) -> None:
        """Runs in a thread of its own; `stop` ends it."""
        self._thread = threading.Thread(target=self._loop, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self, *, kill: bool = False) -> int:
        """Stops all children, with `kill` at once, and waits for their end. Status as `run` returns it."""
        self._events.put("kill" if kill else "stop")
        if self._thread is not None:
            self._thread.join()
        return self._status

    def running(self) -> bool:
        """Whether the loop of `start` goes on: False once all children have ended for good."""
        return self._thread is not None and self._thread.is_alive()

    def pids(self) -> dict[str, int]:
        """Process ids of the children that run now, by name."""
        running = [(child.spec.name, child.process) for child in self._children]
        return {name: process.pid for name, process in running if process is not None}

    def _loop(self) -> int:
        try:
            self._start_due()
            while any(c.process is not None or c.due is not None for c in self._children):
                self._step()
        finally:
            # Whatever ended the loop, an error of our own included, takes the children along.
            for child in self._children:
                child.kill()
        return self._status

    def _step(self) -> None:
        try:
            event = self._events.get(timeout=self._patience())
        except queue.Empty:
            self._on_time()
            return
        if isinstance(event, Child):
            self._on_exit(event)
        elif event == "kill" or self._kill_at is not None:
            self._kill()
        else:
            self._terminate()

    def _patience(self) -> float | None:
        """Seconds until something is due; None when only an event can change anything."""
        moments = [c.due for c in self._children if c.due is not None]
        if self._kill_at is not None:
            moments.append(self._kill_at)
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _on_time(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._report(f"not ended within {self._grace:g} s, killing")
            self._kill()
        self._start_due()

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.due is not None and child.due <= now:
                child.start(self._events.put)

    def _on_exit(self, child: Child) -> None:
        code, spec = child.bury(), child.spec
        if self._kill_at is not None or (spec.finite and code == 0):
            return
        if code == USAGE:
            self._status = USAGE
            self._report(f"{spec.name} refused to start, stopping")
            self._terminate()
            return
        pause = child.plan_restart()
        self._report(f"{spec.name} ended with status {code}, starting it again in {pause:g} s")

    def _terminate(self) -> None:
        self._kill_at = time.monotonic() + self._grace
        for child in reversed(self._children):
            child.terminate()

    def _kill(self) -> None:
        self._status = self._status or 1
        # Only ends are waited for now; threading refuses a timeout of infinity.
        self._kill_at = time.monotonic() + threading.TIMEOUT_MAX / 2
        for child in self._children:
            child.kill()
