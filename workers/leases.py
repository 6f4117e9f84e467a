"""Whether a task is still its worker's, asked right before each request is sent.

A worker that was frozen, or kept from the store, may wake up with tasks that others have by now. The store fences
their outcomes off; this keeps their requests from sites, which have promised themselves `concurrency` at most.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from shared.clock import SECOND, now_us
from workers.errors import LeaseLost

#: seconds that a lease ends earlier for its holder than for all others
MARGIN = 0.5

_is_held: ContextVar[Callable[[], bool] | None] = ContextVar("is_held", default=None)
_await_start: ContextVar[Callable[[], None] | None] = ContextVar("await_start", default=None)


def clock() -> float:
    """Seconds that pass while a process is stopped, and while its machine sleeps where the system counts that."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def held_until(since: int, lease: int) -> float:
    """The moment of `clock` until which a task that was leased then is surely ours. Microseconds in, seconds out."""
    age = max(0, now_us() - since)
    return clock() + (lease - age) / SECOND - MARGIN


@contextmanager
def guarding(is_held: Callable[[], bool], await_start: Callable[[], None] | None = None) -> Iterator[None]:
    """No request is sent in this block, by this thread, unless `is_held`; no page is read before `await_start`."""
    token, start = _is_held.set(is_held), _await_start.set(await_start)
    try:
        yield
    finally:
        _is_held.reset(token)
        _await_start.reset(start)


def check() -> None:
    """Raises LeaseLost where this thread's task may be another worker's by now."""
    is_held = _is_held.get()
    if is_held is not None and not is_held():
        raise LeaseLost


def await_start() -> None:
    """Waits until the start of this thread's task is on record.

    Asked right before a page is read: one that kills its worker must be the one that is blamed.
    """
    wait = _await_start.get()
    if wait is not None:
        wait()
