"""The table of hostile robots.txt files and sitemaps, each with the host's pages."""

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests import site as sites
from tests.hostile.traps import bomb
from tests.site import Misbehaviour, Page, raw, redirect

Pages = Mapping[str, Page | Misbehaviour]
_NS = b'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
_LOC = b"<url><loc>{origin}/good/0</loc></url>"
_TEXT = {"Content-Type": "text/plain"}


@dataclass(frozen=True, slots=True)
class File:
    """One hostile file, served as /robots.txt or /sitemap.xml of a host of its own."""

    name: str
    page: Page | Misbehaviour
    #: pattern of what is said about it; None: nothing
    error: str | None = None
    #: further pages of the host
    others: tuple[tuple[str, Page | Misbehaviour], ...] = ()


def _text(body: bytes) -> Page:
    return 200, _TEXT, body


def _xml(body: bytes) -> Page:
    return 200, {"Content-Type": "application/xml"}, body


def _urlset(inner: bytes, doctype: bytes = b"") -> Page:
    return _xml(b'<?xml version="1.0"?>' + doctype + b"<urlset " + _NS + b">" + inner + b"</urlset>")


def _index(*paths: bytes) -> Page:
    entries = b"".join(b"<sitemap><loc>{origin}%s</loc></sitemap>" % path for path in paths)
    return _xml(b"<sitemapindex " + _NS + b">" + entries + b"</sitemapindex>")


def _robots() -> Iterator[File]:
    agent = b"User-agent: *\n"
    yield File("catastrophic pattern", _text(agent + b"Disallow: /" + b"*a" * 50 + b"b\n"))
    yield File("9k catastrophic patterns", _text(agent + (b"Disallow: /" + b"*a" * 20 + b"b\n") * 9_000))
    yield File("22k wildcard rules", _text(agent + b"".join(b"Disallow: /*%d*x$\n" % i for i in range(22_000))))
    yield File("27k plain rules", _text(agent + b"".join(b"Disallow: /%d\n" % i for i in range(27_000))))
    yield File("a million rules", _text(agent + b"".join(b"Disallow: /%d\n" % i for i in range(1_000_000))))
    yield File("a line of 5 MB", _text(agent + b"Disallow: /" + b"a" * 5_000_000 + b"\n"))
    yield File("30k user agents", _text(b"".join(b"User-agent: %d\n" % i for i in range(30_000)) + b"Disallow: /\n"))
    yield File("a line of 500 kB", _text(agent + b"Disallow: /" + b"%41" * 160_000 + b"\n"))
    yield File("NUL bytes", _text(agent + b"\0" * 400_000 + b"\nDisallow: /\0\n"))
    yield File("20 MB", _text(agent + b"# long\n" * 3_000_000))
    yield File("no end, fast", sites.endless_body())
    yield File("a drip", sites.body_drip(), "took longer than|stalled")
    yield File("a bomb", bomb("gzip"), "decoded body is larger")
    yield File("a redirect loop", redirect("/robots.txt"))
    yield File("a redirect to loopback", redirect("http://127.0.0.1:6379/robots.txt"), "private or reserved")
    yield File("headers without end", sites.drip(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 500, 0), "headers")


def _sitemaps() -> Iterator[File]:
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 12))
    doctype = b'<!DOCTYPE u [<!ENTITY l0 "ha">' + laughs + b"]>"
    yield File(
        "billion laughs", _urlset(_LOC + b"<url><loc>{origin}/&l11;</loc></url>", doctype), "amplification|Not well"
    )
    blowup = b'<!DOCTYPE u [<!ENTITY a "' + b"a" * 100_000 + b'">]>'
    yield File(
        "quadratic blowup",
        _urlset(_LOC + b"<url><loc>" + b"&a;" * 50_000 + b"</loc></url>", blowup),
        "amplification|Not well",
    )
    outside = b'<!DOCTYPE u [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    yield File("external entity", _urlset(_LOC + b"<url><loc>{origin}/&f;</loc></url>", outside))
    yield File("an index of itself", _index(b"/sitemap.xml", b"/good.xml"), others=(("/good.xml", _urlset(_LOC)),))
    yield File(
        "two indexes of each other",
        _index(b"/2.xml"),
        others=(("/2.xml", _index(b"/sitemap.xml", b"/good.xml")), ("/good.xml", _urlset(_LOC))),
    )
    yield File(
        "an index of 3,000 files",
        _index(b"/good.xml", *(b"/%d.xml" % i for i in range(3_000))),
        "404|More than",
        (("/good.xml", _urlset(_LOC)),),
    )
    yield File("a drip", sites.body_drip(), "took longer than|stalled")
    yield File("a drip of headers", sites.header_drip(), "took longer than|stalled|No answer")
    drips = tuple((f"/{i}.xml", sites.body_drip()) for i in range(40))
    yield File(
        "an index of 40 drips",
        _index(b"/good.xml", *(p.encode() for p, _ in drips)),
        "Gave up after 5",
        (("/good.xml", _urlset(_LOC)), *drips),
    )
    yield File(
        "a gzip bomb", (200, {}, gzip.compress(_urlset(_LOC)[2] + bytes(100_000_000), 1)), "unpacks to more|Not well"
    )
    yield File("an encoded bomb", bomb("gzip"), "decoded body is larger")
    # on a busy machine the time is over before the bytes are
    yield File("no end, fast", sites.endless_body(), "larger than|took longer than")
    yield File("a megabyte loc", _urlset(_LOC + b"<url><loc>{origin}/" + b"x" * 1_000_000 + b"</loc></url>"))
    yield File("200k nested tags", _urlset(_LOC + b"<url>" * 200_000), "Not well-formed")
    yield File("30k attributes", _urlset(_LOC + b"<url " + b" ".join(b"a%d='1'" % i for i in range(30_000)) + b"/>"))
    yield File("a megabyte line", _text(b"{origin}/good/0\n{origin}/" + b"x" * 1_000_000))
    yield File("NUL bytes", _urlset(_LOC + b"\0" * 100_000), "Not well-formed")
    yield File("not XML", raw(b"HTTP/1.1 200 OK\r\n\r\n<<<<<" + b"\xff\xfe" * 50_000), "Not well-formed|no URL")


ROBOTS = tuple(_robots())
SITEMAPS = tuple(_sitemaps())
