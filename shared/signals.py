"""Signals as calls from a thread, prompt even when the main thread waits for a lock."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def on_stop(call: Callable[[], None]) -> Iterator[None]:
    """Inside: every SIGTERM, SIGINT and SIGHUP becomes one `call` from another thread. Main thread only.

    A Python handler would do only while the main thread gets the signal: when two arrive together the
    kernel may give the second to another thread, and a main thread that waits for a lock sleeps on.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threading.Thread(target=_listen, args=(reader, call), name="signals", daemon=True).start()
    descriptor = signal.set_wakeup_fd(writer)
    before = {number: signal.signal(number, lambda number, frame: None) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(descriptor)
        os.close(writer)


def _listen(reader: int, call: Callable[[], None]) -> None:
    while numbers := os.read(reader, 64):
        for _ in filter(STOPS.__contains__, numbers):
            call()
    os.close(reader)
