"""Which page a line of an analytics report means, and whose views a page shows. Pure."""

from typing import NamedTuple

from shared import urls
from shared.errors import InvalidUrl

#: days of the three columns
RANGES = (7, 28, 180)
#: what the columns of every database hold
_MOST = 2**31 - 1


class Views(NamedTuple):
    """Page views in the last 7, 28 and 180 days."""

    v7: int = 0
    v28: int = 0
    v180: int = 0

    def plus(self, other: "Views") -> "Views":
        """The sum, as far as it can be stored."""
        return Views(*(min(a + b, _MOST) for a, b in zip(self, other, strict=True)))


def key_of(host: str, path: str, domain: str) -> int | None:
    """The URL key of `hostName` and `pagePath` as Google Analytics reports them; None for no page of the domain.

    hostName has no port, so it is the domain's; pagePath is taken without a query, should it have one.
    """
    port = urls.host_port(domain)[1]
    if not path.startswith("/") or not host or any(c in host for c in "/@?#:\\"):
        return None  # "(not set)", "(other)", or an app's screen
    path = path.partition("?")[0].partition("#")[0]
    # neither scheme counts for the key, but a default port would be dropped
    authority = f"{'http' if port == '443' else 'https'}://{host}{port and ':' + port}"
    try:
        canonical = urls.canonicalise(authority + path)
    except InvalidUrl:
        return None
    found = urls.split(canonical)[0].partition("://")[2]
    return urls.url_key(canonical) if urls.in_scope(found, domain, cross_subdomain=True) else None


def twin_key(canonical: str) -> int | None:
    """The key of the same URL with or without its trailing slash; None for a root or a URL with a query."""
    origin, path = urls.split(canonical)
    if "?" in path or path == "/":
        return None
    return urls.url_key(origin + (path[:-1] if path.endswith("/") else path + "/"))


def shown(own: Views | None, twin: Views | None, is_skipped: bool, twin_is_shown: bool) -> Views | None:
    """The views of a page: its own, and its twin's where the crawl shows no twin.

    `is_skipped`: the page is one that redirects, or was not crawled; its views are its twin's, if that is shown.
    """
    if is_skipped:
        return None if twin_is_shown else own
    if twin is None or twin_is_shown:
        return own
    return own.plus(twin) if own else twin
