"""Threads that run jobs. Leaner than ThreadPoolExecutor, whose futures and locks cost more than taking a job does.

While jobs are short a few threads run them one after the other, since to wake a thread costs more than such a job.
Nothing waits behind a slow one: each look of the worker's loop wakes more threads for what nobody has begun.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

#: jobs of less than so many seconds, on average, are short
_SHORT = 0.001
#: share of the newest job in the average
_NEWEST = 0.1
_NOBODY_WAITS = sys.maxsize


class Pool(Generic[T]):
    """Reserve slots, submit at most as many items, and give the other slots back. `run` must not raise."""

    def __init__(self, threads: int, run: Callable[[T], None]) -> None:
        self._most, self._run = threads, run
        self._free, self._wanted = threads, _NOBODY_WAITS
        self._lock = threading.Lock()
        self._change, self._more = (threading.Condition(self._lock), threading.Condition(self._lock))
        self._items: deque[T] = deque()
        self._threads: list[threading.Thread] = []
        self._idle, self._closed = 0, False
        #: average seconds of a job, and the moment when the newest was begun
        self._average, self._begun = 1.0, 0.0

    def reserve(self, most: int, timeout: float) -> int:
        """Waits for a free slot for up to `timeout` seconds, and takes those that are free; how many."""
        with self._lock:
            if self._average < _SHORT and not self._wait(min(most, self._most // 2), _SHORT):
                self._wake(len(self._items))
            self._wait(1, timeout)
            n = max(0, min(most, self._free))
            self._free -= n
            return n

    def reserve_next(self, n: int) -> int:
        """Takes the slots of `n` items that are about to end, or have; fewer where others have taken them."""
        with self._lock:
            n = 0 if self._closed else max(0, min(n, n + self._free))
            self._free -= n
            return n

    def give_back(self, n: int) -> None:
        """These reserved slots are free again."""
        with self._lock:
            self._free += n
            if self._free >= self._wanted:
                self._change.notify()

    def submit(self, items: Sequence[T]) -> bool:
        """Runs items in threads, in slots that were reserved; False, and none is run, once it is closed."""
        with self._lock:
            if self._closed:
                return False
            self._items.extend(items)
            if self._average >= _SHORT:
                self._wake(len(items))
            elif self._idle == len(self._threads) or time.monotonic() - self._begun > _SHORT:
                self._wake(1)
            return True

    def hurry(self) -> None:
        """Nothing that was submitted waits any longer for short ones to end."""
        with self._lock:
            self._wake(len(self._items))

    def close(self) -> None:
        """Threads end after what was submitted."""
        with self._lock:
            self._closed = True
            self._wake(max(self._idle, len(self._items)))

    def _wait(self, slots: int, timeout: float) -> bool:
        """Waits, in the lock, until so many are free; whether they are."""
        if self._free < slots:
            self._wanted = slots
            self._change.wait(timeout)
            self._wanted = _NOBODY_WAITS
        return self._free >= slots

    def _wake(self, n: int) -> None:
        """In the lock: idle threads, then new ones."""
        woken = min(n, self._idle)
        self._idle -= woken
        self._more.notify(woken)
        for _ in range(min(n - woken, self._most - len(self._threads))):
            thread = threading.Thread(target=self._work, name=f"job-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while self._items or self._is_more():
            try:
                item = self._items.popleft()
            except IndexError:
                continue  # another thread was faster
            self._begun = begun = time.monotonic()
            try:
                self._run(item)
            finally:
                self._average += (time.monotonic() - begun - self._average) * _NEWEST
                self.give_back(1)

    def _is_more(self) -> bool:
        """Waits for items; False when there will be no more."""
        with self._lock:
            if not self._items and not self._closed:
                self._idle += 1
                self._more.wait()
            return bool(self._items) or not self._closed
