"""Input that nobody would think of, for all code that reads what a stranger sent.

Pieces of each format are strung together and repeated up to thousands of times. Nothing but the named errors may be
raised, and no input of at most 300 kB may cost more than it should for its length.
"""

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from lxml import etree

from shared.errors import InvalidUrl
from shared.urls import canonicalise, parse_domain
from workers.cache import cache_status
from workers.charset import to_utf8
from workers.decode import decode
from workers.errors import BadResponse, BodyTooLarge
from workers.parse import is_html, parse_html
from workers.references import Resolver
from workers.retry import retry_after_seconds
from workers.robots import RobotsRules
from workers.sitemap import entries

_SIZE = 300_000
#: CPU seconds that any input may cost
_LIMIT = 2.0
#: CPU seconds from which a quarter of the input is tried too, and how many times that it may cost
_SLOW, _GROWTH = 0.2, 10.0
_URL = "http://e.com/a/b?c"
_CACHE_HEADERS = ("cf-cache-status", "x-cache", "x-cache-remote", "x-vercel-cache", "cache-status", "x-varnish")

Bytes = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Target:
    """Code that reads, the pieces it is given, and the errors it may raise."""

    name: str
    read: Bytes
    pieces: tuple[bytes, ...]
    errors: tuple[type[Exception], ...] = ()


def _parse(body: bytes) -> None:
    parse_html(body, _URL, "text/html")
    is_html(None, body)


def _robots(body: bytes) -> None:
    rules = RobotsRules.from_response(200, body, "Crawlyard/1")
    for path in ("/", "/a" * 500, "/%61?x=*$"):
        rules.allows("http://e.com" + path)


def _charset(body: bytes) -> None:
    to_utf8(body, None).decode()
    to_utf8(b"x", body.decode("latin-1")).decode()


def _sitemap(body: bytes) -> None:
    for _ in entries(body):
        pass


def _url(body: bytes) -> None:
    text = body.decode("utf-8", "surrogateescape")
    for read in (canonicalise, Resolver(_URL).resolve, parse_domain):
        with suppress(InvalidUrl):
            found = read(text)
            assert not isinstance(found, str) or canonicalise(found) == found, f"{found!a} is not canonical"


def _headers(body: bytes) -> None:
    text = body.decode("latin-1")
    for name in _CACHE_HEADERS:
        cache_status({name: text})
    assert 0 <= retry_after_seconds(text, 0) <= 3600


def _decode(body: bytes) -> None:
    for coding in ("gzip", "deflate", "br", "zstd"):
        with suppress(BadResponse, BodyTooLarge):
            assert len(decode(body, coding, 1_000_000)) <= 1_000_000


def _words(text: str, *others: bytes) -> tuple[bytes, ...]:
    return (*(word.encode() for word in text.split()), *others)


_TAGS = "< > / = ' \" & ; # <a href= <a> </a> <b> </b> <p> <div> </div> <ul> <li> <table> <td> <tr> </table> <select>"
_MORE = "<option> <svg> <math> <template> <!-- --> <![CDATA[ <script> </script> <title> </title> <base href=x> <form>"
_LINKS = (
    "<link rel=canonical href=/y> <meta charset=x> <meta name=robots> &amp; &#x10ffff; <button> <nobr> ../ <a href='"
)
_LINES = "* $ / : # % %41 User-agent Disallow: Allow: Sitemap: Crawl-delay: user-agent:crawlyard Host a - ?"
_XML = "< > </ <url> </url> <loc> </loc> <sitemap> <urlset> <item> <link/> <guid> <entry> http://e.com/a &a; &lt;"
_META = "<meta charset= http-equiv=content-type content= ' \" > <!-- --> ; , utf-8 utf-16 koi8-r gbk / <a <?xml = \\"
_URLS = "http:// https: // / ? # @ : [ ] . .. ../ %41 %2f %zz % xn-- a Z 1 0x7f 127.1 ü \\ ;"
_VALUES = 'HIT MISS hit; fwd= ; , = " \\ from cloudfront TCP_ 12 -1 1e9 Sun, 06 Nov 1994 08:49:37 GMT +9999'
_GZIP, _ZSTD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"\x28\xb5\x2f\xfd"
_DOCTYPE = b"<!DOCTYPE u [<!ENTITY a 'b&a;'>]>"
_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")
_SITEMAP_ERRORS = (etree.LxmlError, zlib.error, BadResponse, BodyTooLarge)

TARGETS = (
    Target("pages", _parse, _words(f"{_TAGS} {_MORE} {_LINKS}", b" ", b"\n", b"\0")),
    Target("robots.txt", _robots, _words(_LINES, b" ", b"\n", b"\r", b"\0", b"\xff", b"User-agent: *\n", *_BOMS)),
    Target(
        "sitemaps", _sitemap, _words(_XML, b"<?xml version='1.0'?>", _DOCTYPE, _GZIP, b"\n", b"\0"), _SITEMAP_ERRORS
    ),
    Target("encodings", _charset, _words(_META, b"encoding='x'", b" ", b"\x1b$B", b"\x80", b"\0", *_BOMS)),
    Target("URLs", _url, _words(_URLS, b" ", b"\t", b"\xed")),
    Target("headers", _headers, _words(_VALUES, b" ")),
    Target("bodies", _decode, (_GZIP, _ZSTD, b"\x78\x9c", b"\x1b\xff\xff", b"\0", b"\xff", b"\x03\0", b"K\x04\0")),
)


def run(seconds: float, first: int = 0) -> Iterator[str]:
    """Tries all targets for so long, each with its share; what was found, one line each. `first` seeds the input."""
    for target in TARGETS:
        end = time.monotonic() + seconds / len(TARGETS)
        number, tried, found = first, [0], ""
        while not found and (number == first or time.monotonic() < end):
            found = _round(target, number, end, tried)
            number += 1
        print(f"fuzz {target.name}: {tried[0]:,} inputs, {found or 'nothing found'}", flush=True)
        if found:
            yield f"{target.name} (seed {number - 1}): {found}"


def _round(target: Target, number: int, end: float, tried: list[int]) -> str:
    """Some hundreds of inputs; the first one that breaks it."""
    piece = st.sampled_from(target.pieces) | st.binary(max_size=6)
    times = st.sampled_from((1, 1, 1, 3, 50, 2_000, 100_000))
    broken = False

    @seed(number)
    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(st.tuples(st.lists(piece, min_size=1, max_size=4).map(b"".join), times), max_size=6))
    def attempt(parts: list[tuple[bytes, int]]) -> None:
        nonlocal broken
        # What broke is tried again, however late it is.
        if tried[0] and not broken and time.monotonic() > end:
            return
        tried[0] += 1
        try:
            _check(target, b"".join((word * count)[:_SIZE] for word, count in parts)[:_SIZE])
        except Exception:
            broken = True
            raise

    try:
        attempt()
    except Exception as error:  # whatever it is, it was not to be raised
        return f"{type(error).__name__}: {error}"[:500]
    return ""


def _check(target: Target, body: bytes) -> None:
    if _cost(target, body) > _SLOW:
        spent = _cost(target, body)  # again: the machine may have been busy
        quarter = _cost(target, body[: len(body) // 4])
        assert spent < _LIMIT, f"{spent:.1f} s for {len(body)} bytes of {body[:60]!r}"
        assert spent < _GROWTH * max(quarter, _SLOW / 10), f"{spent:.1f} s against {quarter:.2f} s: {body[:60]!r}"


def _cost(target: Target, body: bytes) -> float:
    started = time.thread_time()
    with suppress(*target.errors):
        target.read(body)
    return time.thread_time() - started
