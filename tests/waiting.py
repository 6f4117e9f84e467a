"""Waiting for something to become true, with a deadline instead of a fixed sleep."""

import threading
import time
from collections.abc import Callable
from typing import Self, TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], seconds: float = 10.0, what: str = "") -> T:
    """The first truthy answer of `look`. Raises AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what or look}")
        time.sleep(0.01)


class Stalls:
    """How long this machine lets a thread that wants to run wait: what a measured moment can be off by."""

    def __init__(self) -> None:
        #: seconds
        self.worst = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        before = time.monotonic()
        while not self._ended.wait(0.005):
            now = time.monotonic()
            self.worst = max(self.worst, now - before - 0.005)
            before = now


def is_alive(pid: int) -> bool:
    """Whether a process runs: a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
