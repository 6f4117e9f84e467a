"""One answer as its server sent it: headers and body, read within limits."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

from shared.urls import MAX_URL
from workers.errors import BodyTooLarge
from workers.large import LARGE

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK = 65_536
#: of one header's value, as kept; over MAX_URL, so that a cut Location is never followed
_MAX_VALUE = MAX_URL + 8
#: read and counted, but not kept
_UNREAD = ("image/", "video/", "audio/", "font/", "application/pdf", "application/zip", "application/java-archive")


class Answer(NamedTuple):
    """The answer to one request, before any redirect is followed."""

    status: int
    #: names in lower case
    headers: dict[str, str]
    #: as sent
    body: bytes
    received: int


def read(raw: Any, limit: int, follow: bool, cut: bool, large: Callable[[], None] | None = None) -> Answer:
    """What urllib3's `raw` answer holds, `limit` bytes of body at most: `cut` there, or BodyTooLarge.

    Where redirects are to be followed (`follow`) a long body of one is not read. `large` is told, again and again,
    once a body is that.
    """
    headers = {k.lower(): v[:_MAX_VALUE] for k, v in raw.headers.items()}
    if (raw.length_remaining or 0) > limit and not cut:
        raise BodyTooLarge(f"The body is larger than {limit} bytes")
    redirect = follow and raw.status in REDIRECTS and "location" in headers
    if redirect and (raw.length_remaining is None or raw.length_remaining > _CHUNK):
        return Answer(raw.status, headers, b"", 0)  # Not worth reading to save a connection.
    keep = not headers.get("content-type", "").lower().startswith(_UNREAD)
    body, received = _body(raw, limit, keep, cut, large)
    return Answer(raw.status, headers, body, received)


def _body(raw: Any, limit: int, keep: bool, cut: bool, large: Callable[[], None] | None) -> tuple[bytes, int]:
    kept, received = BytesIO(), 0  # a list of chunks would be held twice while it is joined
    # what is to be cut is not waited for
    size = min(_CHUNK, limit) if cut else _CHUNK
    for chunk in raw.stream(size, decode_content=False):
        received += len(chunk)
        if received > limit and not cut:
            raise BodyTooLarge(f"The body is larger than {limit} bytes")
        if keep:
            kept.write(chunk)
        if received >= limit and cut:
            break
        if large is not None and keep and received > LARGE:
            large()
    return kept.getvalue(), received


def release(raw: Any) -> None:
    """Back into the pool if the body was read to its end, closed otherwise."""
    if not getattr(raw._fp, "isclosed", lambda: True)():
        raw.close()
    raw.release_conn()
