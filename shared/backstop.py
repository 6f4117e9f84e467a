"""The end of a process that was told to end, whatever its threads wait for."""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Backstop:
    """A thread that does what must be done by certain moments after the process was told to end."""

    def __init__(self, *moments: tuple[float, Callable[[], object]]) -> None:
        """Calls, and when each is due: seconds after `tell`, in rising order."""
        self._moments = moments
        #: of all queues the one that a signal's handler may use while anyone else does
        self._told: queue.SimpleQueue[float] = queue.SimpleQueue()
        self._at: float | None = None

    def start(self) -> None:
        """Begins the thread."""
        threading.Thread(target=self._run, name="backstop", daemon=True).start()

    def tell(self) -> None:
        """The process is to end. A signal's handler may call it, and more than once."""
        if self._at is None:
            self._at = time.monotonic()
            self._told.put(self._at)

    def left(self, seconds: float) -> float:
        """Of so many seconds from `tell` on; all of them before it, never less than none."""
        return max(0.0, seconds - (time.monotonic() - self._at if self._at is not None else 0.0))

    def _run(self) -> None:
        self._told.get()
        for due, call in self._moments:
            time.sleep(self.left(due))
            call()


def leave() -> None:
    """Ends the process at once, with status 0: it was told to."""
    log.warning("a service hangs, so this process ends without its answer; what it held is taken back by its lease")
    os._exit(0)


def within(seconds: float, call: Callable[[], object]) -> None:
    """Calls, and waits so long at most for the end of it."""
    thread = threading.Thread(target=call, name="goodbye", daemon=True)
    thread.start()
    thread.join(seconds)
