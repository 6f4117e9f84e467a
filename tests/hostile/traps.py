"""The table: what a hostile server answers, and what has to become of the task that asked."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import brotli
import zstandard

from tests import site as sites
from tests.site import Misbehaviour, Page, raw, redirect

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
_HTML = {"Content-Type": "text/html"}
#: bytes that a bomb unpacks to
BOMB = 60_000_000
#: a link that is followed where the page can be read at all
LINK = b'<a href="/good/from-trap">on</a>'


@dataclass(frozen=True, slots=True)
class Trap:
    """One hostile page."""

    name: str
    page: Page | Misbehaviour
    #: pattern of the task's error; None: the page is completed
    error: str | None = None

    @property
    def path(self) -> str:
        """Where the site serves it."""
        return "/trap/" + self.name.replace(" ", "-").replace(",", "")

    @property
    def ends(self) -> str:
        """The state of its task in the end."""
        return "failed" if self.error else "completed"


_PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "deflate": lambda data: zlib.compress(data, 1),
    "br": lambda data: brotli.compress(data, quality=2),
    "zstd": zstandard.compress,
}


def bomb(coding: str, size: int = BOMB) -> Page:
    """`size` zero bytes in a thousandth of the room; `coding` may name several, applied in that order."""
    body = bytes(size)
    for name in coding.split(", "):
        body = _PACK[name](body)
    return 200, {**_HTML, "Content-Encoding": coding}, body


def page(body: bytes, content_type: str = "text/html") -> Page:
    """A page of these bytes."""
    return 200, {"Content-Type": content_type}, body


def _headers(lines: bytes) -> Misbehaviour:
    return raw(_OK + lines + b"Content-Length: 2\r\n\r\nok")


def _slow() -> Iterator[Trap]:
    chunked = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
    late = r"took longer than|stalled|No answer within"
    yield Trap("header drip", sites.header_drip(), late)
    yield Trap("body drip", sites.body_drip(), late)
    yield Trap("chunk drip", sites.drip(chunked, b"1\r\nx\r\n"), late)
    yield Trap("chunk extension drip", sites.drip(chunked + b"5;", b"x"), late)
    yield Trap("trailer drip", sites.drip(chunked + b"0\r\n", b"X: y\r\n"), late + "|headers")
    yield Trap("endless 100 Continue", sites.drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001), late + "|headers")
    yield Trap("silence", sites.silence(), late)


def _large() -> Iterator[Trap]:
    too_large = "larger than"
    yield Trap("endless body", sites.endless_body(), too_large)
    yield Trap("endless body without length", sites.drip(_OK + b"\r\n", b"x" * 65_536, 0), too_large)
    yield Trap("endless header lines", sites.drip(_OK, b"X-A: b\r\n" * 500, 0), "headers")
    yield Trap("endless header line", sites.drip(_OK + b"X: ", b"y" * 65_536, 0), "header line|headers are larger")
    yield Trap("cookies without end", _headers(b"Set-Cookie: a=b\r\n" * 5_000), "headers")
    yield Trap("a large cookie", _headers(b"Set-Cookie: a=" + b"b" * 60_000 + b"\r\n"))
    for coding in (*_PACK, "gzip, gzip"):
        yield Trap(f"{coding} bomb", bomb(coding), "decoded body is larger")
    yield Trap("codings without end", (200, {"Content-Encoding": ", ".join(["gzip"] * 30)}, b"x"), "Too many content")
    yield Trap("zstd of 2 GB window", (200, {**_HTML, "Content-Encoding": "zstd"}, _zstd_window()), "not valid zstd")
    yield Trap("broken gzip", (200, {**_HTML, "Content-Encoding": "gzip"}, gzip.compress(LINK)[:9] + b"?" * 99), "gzip")


def _zstd_window() -> bytes:
    """A frame whose header asks for a window of 2 GB."""
    return b"\x28\xb5\x2f\xfd" + bytes([0x00, (31 - 10) << 3]) + b"\x01\x00\x00"


def _lies() -> Iterator[Trap]:
    cut = "closed the connection|Not a valid HTTP"
    yield Trap("length too large", raw(_OK + b"Content-Length: 1000\r\n\r\n" + LINK), cut)
    yield Trap("length of an exabyte", raw(_OK + b"Content-Length: 1000000000000000000\r\n\r\n" + LINK), "larger than")
    yield Trap("length negative", raw(_OK + b"Content-Length: -1\r\n\r\n" + LINK))
    yield Trap("length too small", raw(_OK + b"Content-Length: %d\r\n\r\n" % len(LINK) + LINK + b"x" * 9_999))
    yield Trap("two lengths", raw(_OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "HTTP")
    yield Trap("chunk of an exabyte", raw(_OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n" + LINK), cut)
    yield Trap("not HTTP", raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "Not a valid HTTP")
    yield Trap("bytes for headers", raw(b"\x00\xff\xfe\r\n\r\n"), "Not a valid HTTP")
    yield Trap("a reset", sites.reset(), "closed the connection|broken")
    yield Trap("an image called HTML", page(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400))
    yield Trap("HTML called an image", page(LINK * 9, "image/png"))
    yield Trap("gzip called HTML", page(gzip.compress(LINK * 999)))
    yield Trap("a type of control bytes", raw(b"HTTP/1.1 200 OK\r\nContent-Type: te\x01xt\x7f/\xffhtml\r\n\r\nx"))


def _bytes() -> Iterator[Trap]:
    yield Trap("UTF-16 that is none", page(LINK * 9, "text/html; charset=utf-16"))
    yield Trap("a charset that does harm", page(LINK + b"\\x41\xff", "text/html; charset=unicode_escape"))
    yield Trap(
        "a charset of 100 kB",
        raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=" + b"x" * 50_000 + b"\r\n\r\n" + LINK),
    )
    yield Trap("invalid UTF-8", page(LINK + b"<title>\xc3\x28\xf8\x88\xed\xa0\x80</title>" + b"\xff" * 99_999))
    yield Trap("NUL bytes", page(b"<ti\0tle>\0</title>" + LINK + b'<a href="/good/\0">x</a>' + b"\0" * 999_999))


def _markup() -> Iterator[Trap]:
    yield Trap("200k nested tags", page(LINK + b"<div>" * 200_000))
    yield Trap("30k attributes", page(LINK + b"<a " + b" ".join(b"z%x=1" % i for i in range(30_000)) + b">"))
    yield Trap("megabyte URL", page(LINK + b'<a href="/' + b"u" * 1_000_000 + b'">x</a>'))
    yield Trap("five megabytes of steps up", page(LINK + b'<a href="' + b"../" * 1_600_000 + b'">x</a>'))
    yield Trap("megabyte title", page(b"<title>" + b"t" * 1_000_000 + b"</title>" + LINK))
    yield Trap("megabyte base", page(b'<base href="/' + b"b" * 1_000_000 + b'">' + LINK))
    yield Trap("megabyte canonical", page(b'<link rel=canonical href="/' + b"b" * 1_000_000 + b'">' + LINK))
    yield Trap("a million brackets", page(LINK + b"<" * 1_000_000))
    yield Trap("an open comment", page(LINK + b"<!--" * 250_000))
    yield Trap("unclosed formatting", page(LINK + b"".join(b"<b id=%d>" % i for i in range(20_000)) + b"<p>" * 20_000))
    yield Trap("5 MB of entities", page(LINK + b"&amp;" * 1_000_000))
    yield Trap("200k links to itself", page(LINK + b"<a href='?#x'>" * 200_000))


def _redirects() -> Iterator[Trap]:
    private = "private or reserved"
    yield Trap("redirect loop", redirect("?"), "loop")
    yield Trap("redirect chain", redirect("/chain/0"), "More than 10 redirects")
    yield Trap(
        "redirect of a megabyte", raw(b"HTTP/1.1 302 Found\r\nLocation: /" + b"x" * 60_000 + b"\r\n\r\n"), "longer"
    )
    yield Trap("redirect to a file", redirect("file:///etc/passwd"), "Only http and https")
    yield Trap("redirect to gopher", redirect("gopher://127.0.0.1:6379/_FLUSHALL"), "Only http and https")
    yield Trap("redirect to cloud metadata", redirect("http://169.254.169.254/latest/meta-data/"), private)
    yield Trap("redirect to loopback", redirect("http://127.0.0.1:6379/"), private)
    yield Trap("redirect to a decimal address", redirect("http://2130706433:6379/"), private)
    yield Trap("redirect to an octal address", redirect("http://0177.0.0.1:6379/"), private)
    yield Trap("redirect to a hex address", redirect("http://0x7f000001:6379/"), private)
    yield Trap("redirect to a short address", redirect("http://127.1:6379/"), private)
    yield Trap("redirect to zero", redirect("http://0:6379/"), private)
    yield Trap("redirect to mapped IPv6", redirect("http://[::ffff:127.0.0.1]:6379/"), private)
    yield Trap("redirect to mapped hex IPv6", redirect("http://[::ffff:7f00:1]:6379/"), private)
    yield Trap("redirect to IPv6 loopback", redirect("http://[::1]:6379/"), private)
    yield Trap("redirect to fullwidth digits", redirect("http://%EF%BC%91%EF%BC%92%EF%BC%97.1:6379/"), private)


#: every hostile page, by name
TRAPS = (*_slow(), *_large(), *_lies(), *_bytes(), *_markup(), *_redirects())


def chain(path: str) -> Page | None:
    """`/chain/<n>` redirects to the next one, without end."""
    name, _, number = path.rpartition("/")
    return redirect(f"/chain/{int(number) + 1}") if name == "/chain" and number.isdigit() else None
