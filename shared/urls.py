"""URLs: the canonical form, the key that makes one page one row, and what belongs to a crawl."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING

from ada_url import join_url

from shared.errors import InvalidUrl

if TYPE_CHECKING:
    from tldextract import TLDExtract

#: characters; what browsers, proxies and sitemaps.org (2,048) all stay under
MAX_URL = 8192

#: already canonical, seen at a glance. A label of digits only or `xn--` needs the full parser.
_SEGMENT = r"(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*+)?+"
PLAIN_TAIL = rf"{_SEGMENT}(?:/{_SEGMENT})*+(?:\?[A-Za-z0-9._~=&/:;,+-]++)?+"
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PLAIN_HOST = rf"(?:(?:(?!xn--)[a-z0-9][a-z0-9-]*\.)+(?!xn--)[a-z]{{2,}}|localhost|(?:{_BYTE}\.){{3}}{_BYTE})"
_PLAIN_PORT = r"(?::(?:[1-9][0-9]{3}|[1-5][0-9]{4}))?"
_PLAIN = re.compile(rf"https?://{_PLAIN_HOST}{_PLAIN_PORT}/{PLAIN_TAIL}").fullmatch

_ESCAPE = re.compile("%([0-9A-Fa-f]{2})?")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://").match
_SCHEME_OF = {"80": "http", "443": "https"}
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_][a-z0-9_-]{0,62}(?:\.[a-z0-9_][a-z0-9_-]{0,62})*").fullmatch
_hash = blake2b(digest_size=8).copy
_number = Struct(">Q").unpack
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+").fullmatch


@dataclass(frozen=True, slots=True)
class Target:
    """What the `domain` field of a new job names."""

    #: `http` or `https`, None where the text leaves it open
    scheme: str | None
    #: host[:port], IDNA, lower case, without the default port
    host: str
    #: path with query, `/` where none was given
    path: str


def canonicalise(url: str, base: str | None = None) -> str:
    """The one spelling of an http(s) URL, joined to `base`; parsed by the WHATWG URL Standard.

    Without user, fragment, default port and empty query; escapes of unreserved characters decoded,
    the others in upper case (RFC 3986, 6.2.2). Raises InvalidUrl with a reason of one line.
    """
    if len(url) > MAX_URL:
        raise InvalidUrl(f"URL is longer than {MAX_URL} characters")
    if _PLAIN(url):
        return url
    return _bounded(_parsed(url, base))


def _parsed(url: str, base: str | None) -> str:
    try:
        href = join_url(base or "about:blank", url)
    except ValueError:
        raise InvalidUrl(f"Not a valid URL: {_shown(url)}") from None
    if not href.startswith(("http://", "https://")):
        raise InvalidUrl(f"Only http and https can be crawled, not {_shown(href.partition(':')[0])}")
    return _tidy(href)


def _tidy(href: str) -> str:
    """`href` is as WHATWG serialises it: the path is never empty, the host lower case."""
    href = href.partition("#")[0]
    if href.endswith("?") and href.count("?") == 1:  # `??` is a query of one question mark
        href = href[:-1]
    if "@" in href:
        scheme, authority, rest = _pieces(href)
        href = f"{scheme}://{authority.rpartition('@')[2]}{rest}"
    return _ESCAPE.sub(_escape, href) if "%" in href else href


def _escape(match: re.Match[str]) -> str:
    digits = match[1]
    if digits is None:  # A stray % would change its meaning when its neighbours are decoded.
        return "%25"
    char = chr(int(digits, 16))
    return char if char in _UNRESERVED else f"%{digits.upper()}"


def _bounded(url: str) -> str:
    if len(url) > MAX_URL:
        raise InvalidUrl(f"URL is longer than {MAX_URL} characters once encoded")
    return url


def _shown(text: str) -> str:
    return ascii(text[:100] + ("…" if len(text) > 100 else ""))


def _pieces(canonical: str) -> tuple[str, str, str]:
    scheme, _, rest = canonical.partition("://")
    slash = rest.index("/")
    return scheme, rest[:slash], rest[slash:]


def split(canonical: str) -> tuple[str, str]:
    """(`scheme://host[:port]`, path with query) of a canonical URL; joined again they are the URL."""
    slash = canonical.index("/", 8)
    return canonical[:slash], canonical[slash:]


def url_key(canonical: str) -> int:
    """62-bit non-negative key of a page: neither the scheme nor a leading `www.` counts."""
    page = canonical.split("://", 1)[1]
    if page[:4] == "www.":
        page = page[4:]
    hashed = _hash()  # a copy of one costs half of a new one
    hashed.update(page.encode())
    number: int = _number(hashed.digest())[0]
    return number >> 2


def parse_domain(text: str) -> Target:
    """Reads host, host:port or URL. Raises InvalidUrl that says what is wrong with it."""
    text = text.strip()
    _check_text(text)
    match = _SCHEME(text)
    typed, authority = match[1].lower() if match else None, _authority(text[match.end() :] if match else text)
    # A port tells the scheme where none is typed; otherwise the caller tries both.
    scheme = typed or _SCHEME_OF.get(authority.rpartition(":")[2] if ":" in authority else "")
    found, host, path = _pieces(canonicalise(text if match else f"{scheme or 'http'}://{text}"))
    name, port = host_port(host)
    if not name.startswith("[") and not _HOST(name.removesuffix(".")):
        raise InvalidUrl(f"Not a valid host name: {_shown(name)}")
    return Target(scheme and found, name.removesuffix(".") + (port and f":{port}"), path)


def _check_text(text: str) -> None:
    if not text:
        raise InvalidUrl("Domain is empty")
    if len(text) > MAX_URL:
        raise InvalidUrl(f"Domain is longer than {MAX_URL} characters")
    if any(c.isspace() or not c.isprintable() for c in text) or "\\" in text:
        raise InvalidUrl(f"Domain contains a space or an illegal character: {_shown(text)}")


def _authority(text: str) -> str:
    authority = re.split(r"[/?#]", text, maxsplit=1)[0]
    if not authority:
        raise InvalidUrl("Domain has no host")
    if "@" in authority:
        raise InvalidUrl("Domain must not contain credentials")
    port = host_port(authority)[1]
    if port and not (port.isascii() and port.isdigit() and 0 < int(port[-6:]) < 65536 and len(port) < 6):
        raise InvalidUrl(f"Not a port from 1 to 65535: {_shown(port)}")
    return authority


def host_port(host: str) -> tuple[str, str]:
    """(host, port) of `host[:port]`, brackets kept; port is empty where none is given."""
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and not port.endswith("]") else (host, "")


def in_scope(host: str, domain: str, cross_subdomain: bool) -> bool:
    """Whether a page on `host` belongs to a crawl of `domain`; both are `host[:port]`.

    With `cross_subdomain`, every host under the same registrable domain (public suffix list,
    private suffixes such as github.io included) on the same port.
    """
    if host == domain or host.removeprefix("www.") == domain.removeprefix("www."):
        return True
    if not cross_subdomain:
        return False
    (name, port), (wanted, wanted_port) = host_port(host), host_port(domain)
    return port == wanted_port and _registrable(name) == _registrable(wanted)


@lru_cache(maxsize=10_000)
def _registrable(name: str) -> str:
    """The name itself where nobody can register it: an address, localhost, a public suffix."""
    if name.startswith("[") or _IPV4(name):
        return name
    return _suffix_list()(name).top_domain_under_public_suffix or name


@cache
def _suffix_list() -> "TLDExtract":
    # Imported here: it takes 0.1 s that a command line without a crawl should not wait for.
    from tldextract import TLDExtract

    return TLDExtract(cache_dir=None, suffix_list_urls=(), include_psl_private_domains=True)
