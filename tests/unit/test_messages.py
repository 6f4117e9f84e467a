"""HTTP/1.1 messages: written in one piece, read however they come, and as http.client reads them."""

import http.client
import io
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import messages
from workers.errors import BadResponse, ConnectionReset, FetchError

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Wire:
    """A socket from which these pieces come, and then its end."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def recv(self, size: int) -> bytes:
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if len(piece) > size:
            self._pieces.insert(0, piece[size:])
        return piece[:size]

    def recv_into(self, buffer: Any) -> int:
        piece = self.recv(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def message(*pieces: bytes, method: str = "GET") -> messages.Message:
    return messages.read(cast(Any, Wire(pieces)), method)


def body(found: messages.Message) -> bytes:
    return b"".join(found.chunks(65_536))


def test_a_head_is_written() -> None:
    head = messages.head("GET", "https://e.org:8443/a?b=c", {"user-agent": "t", "x": "é"})
    assert head == b"GET /a?b=c HTTP/1.1\r\nHost: e.org:8443\r\nuser-agent: t\r\nx: \xe9\r\n\r\n"


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb: c", "a\rb", "a\0b", "\u20ac"])
def test_no_header_can_smuggle_another(value: str) -> None:
    with pytest.raises(ValueError, match=r"several|latin-1"):
        messages.head("GET", "http://e.org/", {"if-none-match": value})


@pytest.mark.parametrize(
    ("raw", "content", "is_kept"),
    [
        (OK + b"Content-Length: 3\r\n\r\nabc", b"abc", True),
        (OK + b"Content-Length:3 \r\nConnection: Close\r\n\r\nabc", b"abc", False),
        (OK + b"content-length: 3, 3\r\n\r\nabc", b"abc", True),
        (OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
        (OK + b"Content-Length: x\r\n\r\nabc", b"abc", False),
        (OK + b"\r\nabc", b"abc", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
        (b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", b"a", True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", b"a", True),
        (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", b"abc", True),
        (CHUNKED + b"3;x=y\r\nabc\r\n 0A \r\n0123456789\r\n000\r\nX-Trailer: 1\r\n\r\n", b"abc0123456789", True),
        (CHUNKED + b"1\na\n0\n\n", b"a", True),
        (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n1\r\na\r\n0\r\n\r\n", b"a", False),
        # odd heads, as http.client reads them
        (b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", b"abc", True),
        (OK + b"X: a\r\n b\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
        (b"HTTP/1.9 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
        (b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\r\nabc\r\n0\r\n\r\n", b"abc", True),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_an_answer_is_read(raw: bytes, content: bytes, is_kept: bool, step: int) -> None:
    found = message(*(raw[i : i + step] for i in range(0, len(raw), step)))
    assert (body(found), found.is_kept()) == (content, is_kept)


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (OK + b"Content-Length: 3\r\n\r\nabcd", b"abc"),
        (CHUNKED + b"0\r\n\r\nHTTP/1.1 200 Smuggled\r\n\r\n", b""),
    ],
)
def test_a_connection_with_more_than_the_answer_is_not_used_again(raw: bytes, content: bytes) -> None:
    found = message(raw)
    assert (body(found), found.is_kept()) == (content, False)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (OK + b"Content-Length: 4\r\n\r\nabc", ConnectionReset),
        (b"HTTP/1.1 200 OK\nContent-Length: 4\n\nabc", ConnectionReset),
        (CHUNKED + b"3\r\nab", ConnectionReset),
        (CHUNKED + b"3\r\nabc\r\n", ConnectionReset),
        (CHUNKED + b"0\r\n", ConnectionReset),
        (CHUNKED + b"2\r\nabc\r\n0\r\n\r\n", BadResponse),
        (CHUNKED + b"x\r\n", BadResponse),
        (CHUNKED + b"-1\r\n", BadResponse),
        (CHUNKED + b"1" * 40_000, BadResponse),
        (CHUNKED + b"0\r\n" + b"X: y\r\n" * 200, BadResponse),
        (OK + b"Content-Length: 1, 2\r\n\r\nab", BadResponse),
        (OK + b"Content-Length: 1000000000000000000\r\n\r\nab", ConnectionReset),
        (OK + b"X: y\r\n" * 101 + b"\r\n", BadResponse),
        (OK + b"X: " + b"y" * 70_000 + b"\r\n\r\n", BadResponse),
    ],
)
def test_what_is_no_answer_is_an_error(raw: bytes, error: type[FetchError]) -> None:
    with pytest.raises(error):
        body(message(raw))


def test_a_body_of_many_tiny_chunks_is_read() -> None:
    found = message(CHUNKED, b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n")
    assert body(found) == b"a" * 100_000


def test_lines_of_one_name_are_joined_unless_it_has_one_value() -> None:
    fields = b"Vary: a\r\nVary:  b \r\nLocation: /a\r\nLocation: /b\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
    for end in (b"\r\n", b"\n"):
        found = message((OK + fields + b"Content-Length: 0\r\n\r\n").replace(b"\r\n", end))
        assert found.headers["vary"] == "a, b"
        assert (found.headers["location"], found.headers["set-cookie"]) == ("/b", "b=2")


def test_what_does_not_begin_as_an_answer_is_not_waited_for() -> None:
    class Silent(Wire):
        def recv(self, size: int) -> bytes:
            assert self._pieces, "waits for ever"
            return super().recv(size)

    with pytest.raises(http.client.BadStatusLine):
        messages.read(cast(Any, Silent([b"SSH-2.0-OpenSSH_9.2\r\n"])), "GET")


def test_the_answer_to_head_has_no_body() -> None:
    found = message(OK + b"Content-Length: 100\r\n\r\n", method="HEAD")
    assert (body(found), found.is_kept()) == (b"", True)


def _by_http_client(raw: bytes) -> tuple[int, dict[str, str], bytes]:
    class Socket:
        def makefile(self, _mode: str) -> io.BytesIO:
            return io.BytesIO(raw)

    response = http.client.HTTPResponse(cast(Any, Socket()))
    response.begin()
    headers = {name.lower(): value.strip(" \t") for name, value in response.headers.items()}
    return response.status, headers, response.read()


_NAMES = st.from_regex(r"[xX]-[A-Za-z0-9_]{1,8}", fullmatch=True)
_VALUES = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=20)


@given(
    status=st.sampled_from([200, 404, 503]),
    fields=st.dictionaries(_NAMES, _VALUES, max_size=6),
    chunks=st.lists(st.binary(min_size=1, max_size=50), max_size=5),
    framing=st.sampled_from(["length", "chunked", "close"]),
    cuts=st.lists(st.integers(0, 600), max_size=6),
)
def test_it_is_what_http_client_reads(
    status: int, fields: dict[str, str], chunks: list[bytes], framing: str, cuts: list[int]
) -> None:
    fields = {name.lower(): value for name, value in fields.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("latin-1")
    content = b"".join(chunks)
    if framing == "length":
        lines += b"Content-Length: %d\r\n" % len(content)
    elif framing == "chunked":
        lines += b"Transfer-Encoding: chunked\r\n"
        content = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
    raw = b"HTTP/1.1 %d Word\r\n%s\r\n%s" % (status, lines, content)
    ends = sorted({0, *cuts, len(raw)})
    found = message(*(raw[a:b] for a, b in pairwise(ends)))
    assert isinstance(found, messages._Plain)
    assert (found.status, found.headers, body(found)) == _by_http_client(raw)
