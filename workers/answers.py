"""One answer as its server sent it: headers and body, read within limits."""

from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

from shared.urls import MAX_URL
from workers.errors import BodyTooLarge
from workers.large import LARGE
from workers.messages import Message

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


def read(message: Message, limit: int, follow: bool, cut: bool, large: Callable[[], None] | None = None) -> Answer:
    """A message with its body, `limit` bytes of it at most: `cut` there, or BodyTooLarge.

    Where redirects are to be followed (`follow`) a long body of one is not read. `large` is told, again and again,
    once a body is that.
    """
    headers = {name: value[:_MAX_VALUE] for name, value in message.headers.items()}
    if (message.length or 0) > limit and not cut:
        raise BodyTooLarge(f"The body is larger than {limit} bytes")
    redirect = follow and message.status in REDIRECTS and "location" in headers
    if redirect and (message.length is None or message.length > _CHUNK):
        return Answer(message.status, headers, b"", 0)  # Not worth reading to save a connection.
    keep = not headers.get("content-type", "").lower().startswith(_UNREAD)
    body, received = _body(message, limit, keep, cut, large)
    return Answer(message.status, headers, body, received)


def _body(message: Message, limit: int, keep: bool, cut: bool, large: Callable[[], None] | None) -> tuple[bytes, int]:
    kept, received = BytesIO(), 0  # a list of chunks would be held twice while it is joined
    # what is to be cut is not waited for
    for chunk in message.chunks(min(_CHUNK, limit) if cut else _CHUNK):
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
