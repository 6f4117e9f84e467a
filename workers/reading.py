"""One page of a process is read at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType


class Reading:
    """Held while a page is read, which is work for the processor alone.

    Hashing and packing let go of the interpreter for microseconds. Did other threads wait for it then, each time would
    cost two switches of threads: with many of them a third of all CPU time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lock.release()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For its holder: lets others read while something is waited for."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()
