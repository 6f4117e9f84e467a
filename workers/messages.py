"""HTTP/1.1 messages (RFC 9112) on guarded sockets: the head of a request, an answer as it comes.

For one exchange http.client and urllib3 take seven times the CPU of its system calls. So answers of the usual form are
read here; one whose head is odd in any way is read by http.client, from its first byte on (docs/decisions.md).
"""

import http.client
import io
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, cast

from shared.urls import split
from workers.errors import BadResponse, ConnectionReset

#: bytes asked for in one look at a socket: more than most pages have
_SIZE = 64 * 1024
#: answers before the one that counts
_INTERIM = 16
#: lines of a head or of a trailer, as http.client has it; bytes of a line that is waited for
_MOST_LINES, _MOST_LINE = 100, 16 * 1024
_HEAD = re.compile(
    rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n\0]*)?\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)*)\r\n"
)
_START, _BLANK_LINE = b"HTTP/1.", re.compile(rb"\n\r?\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")
#: the last line of one name counts; lines of any other name are joined (RFC 9110, 5.3)
_SINGLE = frozenset("age content-type date etag expires last-modified location retry-after server set-cookie".split())


class Message(Protocol):
    """An answer whose head has been read."""

    status: int
    #: names in lower case
    headers: dict[str, str]
    #: bytes of its body; None where only its end tells
    length: int | None

    def chunks(self, most: int) -> Iterator[bytes]:
        """The body as it comes, so many bytes at a time at most. Raises ConnectionReset where it ends early."""

    def is_kept(self) -> bool:
        """Whether it was read to its end, and the connection is good for another request."""


def head(method: str, url: str, headers: Mapping[str, str]) -> bytes:
    """The head of a request for a canonical URL. Raises ValueError where a header cannot be sent."""
    origin, target = split(url)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {origin.partition('://')[2]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    text = "\n".join(lines)
    if text.count("\n") != len(lines) - 1 or "\r" in text or "\0" in text:
        raise ValueError("a header that would be several")
    return text.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n"


def read(sock: socket.socket, method: str) -> Message:
    """The answer that comes on a socket. Raises BadResponse, and what the socket and http.client raise."""
    data = sock.recv(_SIZE)
    for _ in range(_INTERIM):
        data = _up_to_body(sock, data)
        match = _HEAD.match(data)
        if match is None or match[2] == b"101":
            break
        if match[2][:1] != b"1":
            return _Plain(sock, method, match)
        data = data[match.end() :]  # RFC 9110, 15.2: the answer itself is still to come
    return _Odd(sock, method, data)


def _up_to_body(sock: socket.socket, data: bytes) -> bytes:
    """With the whole head, unless it does not begin as one, or never ends."""
    looked = 0
    while data[:7] == _START[: len(data)] and _BLANK_LINE.search(data, looked) is None:
        more = sock.recv(_SIZE)
        if not more:
            break
        looked = max(0, len(data) - 2)
        data += more
    return data


def _joined(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in fields:
        key, text = name.lower(), value.strip(" \t")
        headers[key] = f"{headers[key]}, {text}" if key in headers and key not in _SINGLE else text
    return headers


def _length(headers: Mapping[str, str]) -> int | None:
    """What Content-Length says, several times perhaps. Raises BadResponse where it contradicts itself."""
    said = {part.strip() for part in headers.get("content-length", "").split(",")}
    if len(said) > 1:
        raise BadResponse("Not a valid HTTP response: it has more than one Content-Length")
    number = said.pop()
    return int(number) if number.isascii() and number.isdigit() and len(number) < 30 else None


class _Plain:
    """An answer with a head of the usual form."""

    def __init__(self, sock: socket.socket, method: str, match: re.Match[bytes]) -> None:
        lines = match[3].decode("latin-1").split("\r\n")
        if len(lines) > _MOST_LINES + 1 or max(map(len, lines)) > _SIZE:
            raise BadResponse(f"Not a valid HTTP response: over {_MOST_LINES} headers, or one of over {_SIZE} bytes")
        self.status = int(match[2])
        self.headers = headers = _joined([(n, v) for n, _, v in [line.partition(":") for line in lines[:-1]]])
        coding = headers.get("transfer-encoding", "").lower()
        self._chunked = coding.endswith("chunked")
        self.length = None if self._chunked else _length(headers)
        if method == "HEAD" or self.status in (204, 304):
            self.length, self._chunked = 0, False
        said = headers.get("connection", "").lower()
        # RFC 9112, 6.1: what says its length in two ways is not to be trusted with a second request
        twofold = self._chunked and "content-length" in headers
        self._kept = "close" not in said and (match[1] == b"1" or "keep-alive" in said) and not twofold
        self._sock, self._data, self._at, self._ended = sock, match.string, match.end(), False

    def chunks(self, most: int) -> Iterator[bytes]:
        if self._chunked:
            yield from self._by_chunks(most)
        elif self.length is not None:
            yield from self._sized(self.length, most)
        else:
            self._kept = False
            while self._has_some():
                yield self._taken(most)
        self._ended = True

    def is_kept(self) -> bool:
        # more than was asked for belongs to nothing
        return self._kept and self._ended and self._at == len(self._data)

    def _by_chunks(self, most: int) -> Iterator[bytes]:
        """RFC 9112, 7.1."""
        while size := self._chunk_size():
            yield from self._sized(size, most)
            if self._line() not in (b"\r\n", b"\n"):
                raise BadResponse("Not a valid HTTP response: a chunk is longer than it says")
        for _ in range(_MOST_LINES):
            if self._line() in (b"\r\n", b"\n"):
                return
        raise BadResponse("Not a valid HTTP response: its trailer is too long")

    def _chunk_size(self) -> int:
        match = _CHUNK_SIZE.fullmatch(self._line())
        if match is None:
            raise BadResponse("Not a valid HTTP response: a chunk has no size")
        return int(match[1], 16)

    def _sized(self, left: int, most: int) -> Iterator[bytes]:
        while left:
            if not self._has_some():
                raise _cut_short()
            piece = self._taken(min(left, most))
            left -= len(piece)
            yield piece

    def _line(self) -> bytes:
        while (end := self._data.find(b"\n", self._at)) < 0:
            if len(self._data) - self._at > _MOST_LINE:
                raise BadResponse("Not a valid HTTP response: a line is too long")
            if not self._more():
                raise _cut_short()
        return self._taken(end + 1 - self._at)

    def _has_some(self) -> bool:
        """Whether there are bytes, which may have to be waited for; False at the end of the stream."""
        return self._at < len(self._data) or self._more()

    def _taken(self, most: int) -> bytes:
        began, self._at = self._at, min(self._at + most, len(self._data))
        return self._data[began : self._at]

    def _more(self) -> bool:
        came = self._sock.recv(_SIZE)
        self._data, self._at = self._data[self._at :] + came, 0
        return bool(came)


def _cut_short() -> ConnectionReset:
    return ConnectionReset("The server closed the connection before the response was complete")


class _Odd:
    """Any other answer, or what wants to be one, as http.client reads it."""

    def __init__(self, sock: socket.socket, method: str, begun: bytes) -> None:
        self._response = http.client.HTTPResponse(cast(Any, _Replay(sock, begun)), method=method)
        self._response.begin()
        self.status, self.headers = self._response.status, _joined(self._response.msg.items())
        _length(self.headers)
        self.length = self._response.length

    def chunks(self, most: int) -> Iterator[bytes]:
        response = self._response
        while piece := response.read(most):
            yield piece
        if response.length:
            raise _cut_short()

    def is_kept(self) -> bool:
        return self._response.isclosed() and not self._response.will_close


class _Replay(io.RawIOBase):
    """A socket as http.client reads it, from a beginning that has been read already."""

    def __init__(self, sock: socket.socket, begun: bytes) -> None:
        self._sock, self._begun = sock, begun

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, _SIZE)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._begun:
            return self._sock.recv_into(buffer)
        piece, self._begun = self._begun[: len(buffer)], self._begun[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)
