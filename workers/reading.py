"""One page of a process is read at a time."""

import threading
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
        self._lock = threading.Lock()
        self._mine = threading.local()

    def __enter__(self) -> None:
        lock = self._lock
        if not lock.acquire(timeout=_LONG):
            self._lock = lock = threading.Lock()
            lock.acquire()
        self._mine.lock = lock

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._mine.lock.release()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For its holder: lets others read while something is waited for."""
        self.__exit__(None, None, None)
        try:
            yield
        finally:
            self.__enter__()
