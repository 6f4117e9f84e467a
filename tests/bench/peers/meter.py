"""Counts jobs inside a worker process: from the first to the last, wall clock and CPU. Standard library only."""

import itertools
import json
import os
import resource
import threading
import time
from pathlib import Path
from typing import Any

WANTED = int(os.environ.get("BENCH_JOBS", "0"))
REPORT = os.environ.get("BENCH_REPORT", "")

_numbers = itertools.count(1)
_begun: list[float] = []


def cpu_seconds() -> float:
    """CPU time of this process and its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def noop(*_: Any) -> int:
    """The job."""
    number = next(_numbers)
    if number == 1:
        begin()
    if number == WANTED:
        end()
    return number


async def noop_async(*_: Any) -> int:
    """The job, for the asynchronous ones."""
    return noop()


def begin() -> None:
    """The first job runs."""
    _begun[:] = [time.perf_counter(), cpu_seconds()]


def end() -> None:
    """The last job ran: writes the report and ends the process."""
    told = {
        "jobs": WANTED - 1,
        "seconds": time.perf_counter() - _begun[0],
        "cpu": cpu_seconds() - _begun[1],
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    # not at once: what the worker says to Redis of the last jobs belongs to the run of the reader
    threading.Timer(0.5, _leave, (told,)).start()


def _leave(told: dict[str, float]) -> None:
    Path(REPORT).write_text(json.dumps(told))
    os._exit(0)
