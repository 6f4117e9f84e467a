"""Threads that run jobs. Leaner than ThreadPoolExecutor, whose futures and locks cost more than taking a job does."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """Reserve slots, then submit one item for each, or give the slot back. `run` must not raise."""

    def __init__(self, threads: int, run: Callable[[T], None]) -> None:
        self._most, self._run = threads, run
        self._free = threads
        self._change = threading.Condition()
        self._items: SimpleQueue[T | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def reserve(self, most: int, timeout: float) -> int:
        """Waits for a free slot for up to `timeout` seconds, and takes those that are free; how many."""
        with self._change:
            if not self._free and not self._change.wait_for(lambda: self._free, timeout):
                return 0
            n = min(most, self._free)
            self._free -= n
            return n

    def give_back(self, n: int) -> None:
        """These reserved slots are free again."""
        if n > 0:
            with self._change:
                self._free += n
                self._change.notify()

    def submit(self, item: T) -> None:
        """Runs an item in a thread, in a slot that was reserved."""
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, name=f"job-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._items.put(item)

    def close(self) -> None:
        """Threads end after what they do now."""
        for _ in self._threads:
            self._items.put(None)

    def _work(self) -> None:
        while (item := self._items.get()) is not None:
            try:
                self._run(item)
            finally:
                self.give_back(1)
