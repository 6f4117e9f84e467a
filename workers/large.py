"""Places for large bodies in a process's memory: a page or a sitemap may have 50 MB, and every thread may read one."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from workers.errors import Cancelled, HostBusy

#: bytes, decoded, from which on a body takes a place
LARGE = 1_000_000
#: reading them is work for the processor: more at once would only keep the heartbeat waiting
_PLACES = 3
#: seconds; a file is read for half a minute at most, so several have had their turn by then
_PATIENCE = 300.0
_STEP = 0.2


class Places:
    """What the threads of a process share."""

    def __init__(self, most: int = _PLACES) -> None:
        self._free = threading.BoundedSemaphore(most)

    def take(self, cancelled: Callable[[], bool] | None) -> None:
        """Waits for a place. Raises HostBusy where none comes free, Cancelled."""
        end = time.monotonic() + _PATIENCE
        while not self._free.acquire(timeout=_STEP):
            if cancelled is not None and cancelled():
                raise Cancelled
            if time.monotonic() > end:
                raise HostBusy("Too many large bodies are being read")

    def leave(self) -> None:
        """Gives a place back."""
        self._free.release()


class Place:
    """One reader's place: none until what it reads turns out to be large."""

    def __init__(self, places: Places, cancelled: Callable[[], bool] | None) -> None:
        self._places, self._cancelled, self._is_taken = places, cancelled, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.leave()

    def leave(self) -> None:
        """Gives the place back, if it was taken."""
        if self._is_taken:
            self._is_taken = False
            self._places.leave()

    def take(self) -> None:
        """The body is large. Raises HostBusy, Cancelled."""
        if not self._is_taken:
            self._places.take(self._cancelled)
            self._is_taken = True
