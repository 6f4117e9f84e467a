"""What each host can bear, as this process sees it: how many requests at once, and how far apart.

A host begins with half of the threads and gains one with each answer, so that one that never answers
cannot hold them all; each failure halves what it may hold. A host whose latency rises well over its usual one
is overloaded, by us or by others: requests are spread until it has recovered.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MAX_HOSTS = 1_000
#: seconds; below this no rise of the latency matters
_SLOW = 1.0
#: a latency this many times the usual one is trouble
_RISE = 3.0
#: how much of the excess is put between two requests
_SHARE = 0.25
#: how fast the present latency follows its samples; the usual one falls fast and rises slowly
_NOW, _DOWN, _UP = 0.2, 0.3, 0.002
_LEAST = 4
_STEP = 0.1


def wanted_interval(usual: float, latency: float) -> float:
    """Seconds between two requests that a host whose latency (seconds) rose over its usual one is given."""
    excess = latency - max(_SLOW, _RISE * usual)
    return excess * _SHARE if excess > 0 else 0.0


class _Load:
    __slots__ = ("cap", "free", "latency", "running", "usual", "waiting")

    def __init__(self, cap: int, lock: threading.Lock) -> None:
        self.cap, self.running, self.waiting = cap, 0, 0
        self.usual = self.latency = 0.0
        self.free = threading.Condition(lock)

    def is_idle(self) -> bool:
        return not self.running and not self.waiting

    def measure(self, seconds: float) -> None:
        if not self.usual:
            self.usual = self.latency = seconds
            return
        self.usual += (_DOWN if seconds < self.usual else _UP) * (seconds - self.usual)
        self.latency += _NOW * (seconds - self.latency)


class HostLoads:
    """The loads of the hosts asked lately. Thread-safe."""

    def __init__(self, threads: int) -> None:
        self._most, self._first = threads, max(_LEAST, threads // 2)
        self._lock = threading.Lock()
        self._loads: OrderedDict[str, _Load] = OrderedDict()

    def enter(self, host: str, patience: float, halted: Callable[[], bool]) -> bool:
        """Takes a place at a host; False where none came free in `patience` seconds, or too many wait already."""
        with self._lock:
            load = self._load(host)
            if load.running >= load.cap and not self._waited(load, patience, halted):
                return False
            load.running += 1
            return True

    def _waited(self, load: _Load, patience: float, halted: Callable[[], bool]) -> bool:
        if load.waiting >= max(2 * load.cap, 2 * _LEAST):
            return False
        load.waiting += 1
        end = time.monotonic() + patience
        try:
            while load.running >= load.cap:
                left = end - time.monotonic()
                if left <= 0 or halted():
                    return False
                load.free.wait(min(left, _STEP))
            return True
        finally:
            load.waiting -= 1

    def leave(self, host: str) -> None:
        """Gives the place back."""
        with self._lock:
            load = self._load(host)
            load.running = max(0, load.running - 1)
            if load.waiting:
                load.free.notify()

    def answered(self, host: str, seconds: float) -> float:
        """Notes an answer and how long it took; the interval (seconds) that the host needs now."""
        with self._lock:
            load = self._load(host)
            if load.cap < self._most:
                load.cap += 1
                # beside the one that the place of this answer goes to
                load.free.notify()
            load.measure(seconds)
            return wanted_interval(load.usual, load.latency)

    def failed(self, host: str, seconds: float) -> float:
        """Notes that no answer came for so long; the interval (seconds) that the host needs now."""
        with self._lock:
            load = self._load(host)
            load.cap = max(1, load.cap // 2)
            load.latency += _NOW * (seconds - load.latency)
            return wanted_interval(load.usual, load.latency)

    def _load(self, host: str) -> _Load:
        load = self._loads.get(host)
        if load is None:
            load = self._loads[host] = _Load(self._first, self._lock)
            if len(self._loads) > MAX_HOSTS:
                self._forget()
        return load

    def _forget(self) -> None:
        """Drops the oldest ones that nobody is at."""
        idle = [host for host, load in self._loads.items() if load.is_idle()]
        for host in idle[: MAX_HOSTS // 10]:
            if len(self._loads) > 1:
                del self._loads[host]
