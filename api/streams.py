"""Event streams (server-sent events): how many a process holds open, and for how long.

Each holds one of gunicorn's threads, so their number is bounded well under those (api/gunicorn_conf.py).
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator

import orjson

from shared.errors import Unavailable

CONTENT_TYPE = "text/event-stream; charset=utf-8"
#: seconds that a stream lives; the client's EventSource then connects again
LIFE = 300.0
#: seconds between two looks, and between two signs of life where nothing happens
_EVERY, _SILENCE = 1.0, 10.0
#: milliseconds after which a client connects again
_RETRY = 2000


class TooManyStreams(Unavailable):
    """Too many event streams are open: ask again later, or poll `GET /v1/jobs/{id}` with If-None-Match."""


class Streams:
    """The open streams of a process. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most) if most else None
        #: whether the process is about to end; set by gunicorn's worker
        self.is_stopping: Callable[[], bool] = lambda: False

    def open(self, look: Callable[[], tuple[list[bytes], bool]]) -> "EventStream":
        """A stream of what `look` finds: events, and whether they are the last. Raises TooManyStreams."""
        if self._free is None or not self._free.acquire(blocking=False):
            raise TooManyStreams
        return EventStream(look, lambda: self.is_stopping(), self._free.release)


class EventStream:
    """The body of an answer. The server closes it when it has ended or its client is gone."""

    def __init__(
        self,
        look: Callable[[], tuple[list[bytes], bool]],
        is_stopping: Callable[[], bool],
        release: Callable[[], None],
    ) -> None:
        self._parts = _parts(look, is_stopping)
        self._release: Callable[[], None] | None = release

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._parts)

    def close(self) -> None:
        """Gives the place free, also where nothing was ever read."""
        self._parts.close()
        release, self._release = self._release, None
        if release is not None:
            release()


def _parts(
    look: Callable[[], tuple[list[bytes], bool]], is_stopping: Callable[[], bool]
) -> Generator[bytes, None, None]:
    end = time.monotonic() + LIFE
    yield f"retry: {_RETRY}\n\n".encode()
    said = time.monotonic()
    while time.monotonic() < end and not is_stopping():
        events, is_last = _looked(look)
        if events:
            yield b"".join(events)
            said = time.monotonic()
        if is_last:
            return
        if time.monotonic() - said >= _SILENCE:
            yield b": still here\n\n"  # and where nobody is, this is how we learn it
            said = time.monotonic()
        time.sleep(_EVERY)


def _looked(look: Callable[[], tuple[list[bytes], bool]]) -> tuple[list[bytes], bool]:
    try:
        return look()
    except Unavailable:  # an outage is waited out, as everywhere
        return [b": the database is away\n\n"], False


def event(name: str, data: object, id: str) -> bytes:
    """One event (HTML, "Server-sent events"); JSON has no line breaks, so one `data` line holds it."""
    return b"event: %s\nid: %s\ndata: %s\n\n" % (name.encode(), id.encode(), orjson.dumps(data))
