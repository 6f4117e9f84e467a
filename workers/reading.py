"""One page of a process is read at a time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

#: seconds after which a page that is read has had its time: others are read beside it
_LONG = 0.25


class Reading:
    """Held while a page is read, which is work for the processor alone.

    Pages that are read at once are all finished late, their outcomes go into one commit, and their successors come
    back at once again; and a thread that has had its answer notices late, so that the server seems to be slow. One
    after the other they stay apart. A thread may be interrupted at any instant: what it leaves held is given up.
    """

    def __init__(self) -> None:
        self._lock, self._since = threading.Lock(), 0.0
        self._mine = threading.local()

    def __enter__(self) -> None:
        while not (lock := self._lock).acquire(timeout=_LONG):
            # by its holder, not by the length of the queue
            if lock is self._lock and time.monotonic() - self._since > _LONG:
                self._lock = threading.Lock()
        self._since = time.monotonic()
        self._mine.lock = lock

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        lock, self._mine.lock = self._mine.lock, None
        if lock is not None:  # it is where its holder was interrupted as it came back from `aside`
            lock.release()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For its holder: lets others read while something is waited for."""
        self.__exit__(None, None, None)
        try:
            yield
        finally:
            self.__enter__()
