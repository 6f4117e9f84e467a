"""Keeps the threads of a process on one CPU at a time, and on one that others leave to it.

One thread of a process runs Python code at a moment (the GIL). Where they are spread over CPUs each system call of one
lets another begin elsewhere, and both wait: on one CPU they change places seven times less, and a page costs a third
less (docs/decisions.md, "Switches of threads"). The kernel cannot know that, and what has chosen a CPU it does not
move: so we look whether another one has become better. Linux only; elsewhere nothing happens.
"""

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

#: seconds between two looks
_EVERY = 1.0
#: share of a CPU that a move has to gain
_GAIN = 0.2
#: share of the looks at which we move when we should: two that share a CPU must not move together for ever
_ODDS = 0.5
_PROC = Path("/proc")


def better(cpu: int, used: float, busy: Mapping[int, float]) -> int | None:
    """The CPU that others leave to us more than they leave us `cpu`; None: stay.

    `used`: what we used of `cpu`; `busy`: what all used of each. All as shares of the time, from 0 to 1.
    """
    taken = {**busy, cpu: busy[cpu] - used}
    best = min(taken, key=lambda other: taken[other])
    return best if taken[cpu] - taken[best] >= _GAIN else None


class Affinity:
    """Of the process that makes it, from `start` to `stop`."""

    def __init__(self, proc: Path = _PROC, is_unlucky: Callable[[], bool] = lambda: random.random() > _ODDS) -> None:
        self._proc, self._is_unlucky = proc, is_unlucky
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="affinity", daemon=True)
        self._allowed: set[int] = set()
        self._cpu = -1
        self._at, self._spent = 0.0, 0.0
        self._ticks: dict[int, tuple[int, int]] = {}

    def start(self) -> None:
        """Stays where the kernel has put us, then looks every second. Threads made later stay there too."""
        try:
            self._allowed = os.sched_getaffinity(0)
            if len(self._allowed) < 2:
                return
            self._look()
            self._move(self._here())
        except (AttributeError, OSError, ValueError, IndexError) as error:
            log.info("no CPU of its own: %s", error)
            return
        self._thread.start()

    def stop(self) -> None:
        """Leaves the choice to the kernel again."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_EVERY)
            with suppress(OSError):
                self._set(self._allowed)

    def _run(self) -> None:
        while not self._ended.wait(_EVERY):
            try:
                used, busy = self._look()
                to = better(self._cpu, used, busy)
                if to is not None and not self._is_unlucky():
                    self._move(to)
            except (OSError, ValueError) as error:
                log.warning("no CPU of its own any more: %s", error)
                with suppress(OSError):
                    self._set(self._allowed)
                return

    def _look(self) -> tuple[float, dict[int, float]]:
        """Our share of our CPU since the last look, and everyone's of each that we may use."""
        now, spent, ticks = time.monotonic(), time.process_time(), self._read()
        used = (spent - self._spent) / max(now - self._at, 1e-3)
        busy = {cpu: _share(self._ticks.get(cpu, (0, 0)), ticks[cpu]) for cpu in ticks}
        self._at, self._spent, self._ticks = now, spent, ticks
        return min(used, 1.0), busy

    def _read(self) -> dict[int, tuple[int, int]]:
        """Idle and all ticks of each CPU that we may use (proc(5), /proc/stat)."""
        found = {}
        for line in (self._proc / "stat").read_text().splitlines():
            name, *values = line.split()
            if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in self._allowed:
                numbers = [int(value) for value in values[:8]]
                found[int(name[3:])] = (numbers[3] + numbers[4], sum(numbers))
        if found.keys() != self._allowed:
            raise ValueError("/proc/stat names other CPUs than we may use")
        return found

    def _here(self) -> int:
        """The CPU that this thread was on last (proc(5), /proc/pid/stat, field 39)."""
        return int((self._proc / "thread-self" / "stat").read_text().rpartition(")")[2].split()[36])

    def _move(self, cpu: int) -> None:
        self._set({cpu})
        self._cpu = cpu

    def _set(self, cpus: set[int]) -> None:
        for thread in os.listdir(self._proc / "self" / "task"):
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread), cpus)


def _share(before: tuple[int, int], after: tuple[int, int]) -> float:
    """What was not idle."""
    total = after[1] - before[1]
    return 1 - (after[0] - before[0]) / total if total > 0 else 0.0
