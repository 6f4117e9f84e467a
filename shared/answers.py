"""What a server's answer said besides its body, packed for the record: its headers and how long each phase took."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import orjson

#: of one answer
MAX_HEADERS = 50
#: characters of one header's value, and of all names and values together
MAX_VALUE, MAX_ALL = 400, 4_000
#: stands for a value that is nobody's business
HIDDEN = "(not kept)"
#: a header whose name has one of these in it may carry a secret
_SECRETS = "cookie auth token secret session csrf xsrf api-key apikey password signature".split()
#: what most answers have in common: with it they take half the space. Never changed: what is stored needs it
_COMMON = b"".join(
    b'["%s","%s"],' % pair
    for pair in (
        (b"x-powered-by", b"PHP"),
        (b"via", b"1.1 varnish"),
        (b"referrer-policy", b"strict-origin-when-cross-origin"),
        (b"permissions-policy", b"interest-cohort=()"),
        (b"access-control-allow-origin", b"*"),
        (b"alt-svc", b'h3=":443"; ma=86400'),
        (b"content-security-policy", b"default-src 'self'"),
        (b"strict-transport-security", b"max-age=31536000; includeSubDomains; preload"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"SAMEORIGIN"),
        (b"x-xss-protection", b"1; mode=block"),
        (b"expires", b"Thu, 01 Jan 1970 00:00:00 GMT"),
        (b"pragma", b"no-cache"),
        (b"age", b"0"),
        (b"x-cache", b"HIT"),
        (b"cf-cache-status", b"DYNAMIC"),
        (b"cf-ray", b""),
        (b"content-encoding", b"gzip"),
        (b"transfer-encoding", b"chunked"),
        (b"connection", b"keep-alive"),
        (b"accept-ranges", b"bytes"),
        (b"vary", b"Accept-Encoding"),
        (b"cache-control", b"public, max-age=3600, no-cache, no-store, must-revalidate, private"),
        (b"last-modified", b"Mon, 01 Sep 2025 10:00:00 GMT"),
        (b"location", b"https://www."),
        (b"etag", b'W/"'),
        (b"set-cookie", b"(not kept)"),
        (b"server", b"nginx"),
        (b"date", b"Sun, 22 Nov 2026 12:00:00 GMT"),
        (b"content-length", b"10000"),
        (b"content-type", b"text/html; charset=utf-8"),
    )
)


class Phases(NamedTuple):
    """Milliseconds of a page's last request. DNS, connect and TLS are None where a kept connection was used."""

    dns: float | None
    connect: float | None
    #: None without TLS, too
    tls: float | None
    #: from the request sent to the first byte of the answer
    first_byte: float
    #: from there to the last byte
    download: float


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What `packed` kept."""

    phases: Phases | None
    headers: tuple[tuple[str, str], ...]


def packed(headers: Mapping[str, str], phases: Phases | None) -> bytes:
    """The answer in some 200 bytes, bounded whatever a server sends; values that may be secrets are left out."""
    kept, left, times = [], MAX_ALL, phases and tuple(phases)
    for name, value in list(headers.items())[:MAX_HEADERS]:
        shown = HIDDEN if _may_be_secret(name) else value[:MAX_VALUE]
        left -= len(name) + len(shown)
        if left < 0:
            break
        kept.append((name, shown))
    try:
        text = orjson.dumps((times, kept))
    except orjson.JSONEncodeError:  # half a surrogate pair is no text
        text = orjson.dumps((times, ()))
    # a small window: 7 µs instead of 57
    deflate = zlib.compressobj(1, zlib.DEFLATED, 12, 5, zdict=_COMMON)
    return deflate.compress(text) + deflate.flush()


def joined(answers: Sequence[bytes]) -> bytes:
    """Several packed answers as one: each behind its length."""
    return b"".join(len(answer).to_bytes(4, "little") + answer for answer in answers)


def split(data: bytes) -> list[bytes]:
    """What `joined` was given."""
    found, at = list[bytes](), 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        found.append(data[at + 4 : end])
        at = end
    return found


@lru_cache(4096)
def _may_be_secret(name: str) -> bool:
    folded = name.lower()
    return any(secret in folded for secret in _SECRETS)


def unpacked(data: bytes) -> AnswerFacts:
    """What `packed` made of an answer."""
    inflate = zlib.decompressobj(zdict=_COMMON)
    phases, headers = orjson.loads(inflate.decompress(data) + inflate.flush())
    return AnswerFacts(Phases(*phases) if phases else None, tuple((name, value) for name, value in headers))
