"""What a robots.txt says, by RFC 9309: what may be fetched, how fast, and where the sitemaps are."""

import math
import re
from functools import lru_cache

from protego import Protego

from workers.errors import RobotsUnavailable

#: bytes that are parsed (RFC 9309, 2.5)
MAX_ROBOTS = 500 * 1024
#: asterisks; what follows the rule with the last one is not read. Of 4,230 real files the largest has 2,246
MAX_WILDCARDS = 4_000
MAX_SITEMAPS = 1_000
#: seconds; a longer Crawl-delay counts as this
MAX_DELAY = 3_600.0

#: what Protego reads, misspellings included. Any other line would end a group there (RFC 9309, 2.1: it must not)
_FIELDS = (
    r"user-agent|useragent|user agent|allow|disallow|dissallow|dissalow|disalow|diasllow|disallaw"
    r"|sitemap|sitemaps|site-map|crawl-delay|crawl delay|request-rate|request rate|visit-time|visit time|host"
)
_UNKNOWN = re.compile(rf"^[ \t]*+(?!(?:{_FIELDS})[ \t]*+:)[a-z][a-z-]*+[ \t]*+:[^\r\n]*+", re.I | re.M)
#: the token ends at the first space or slash, as Google reads it
_AGENT = re.compile(r"^[ \t]*+user[ -]?agent[ \t]*+:[ \t]*+([^\s/#]++)[^\r\n]*+", re.I | re.M)


class RobotsRules:
    """What one robots.txt says to us."""

    def __init__(self, text: str, user_agent: str) -> None:
        """`user_agent` is the header we send; its product token selects the group (RFC 9309, 2.2.1)."""
        token = user_agent.partition("/")[0].strip() or user_agent
        parsed = Protego.parse(_affordable(_AGENT.sub(r"User-agent: \1", _UNKNOWN.sub("", text))))
        self.sitemaps: tuple[str, ...] = tuple(parsed.sitemaps)[:MAX_SITEMAPS]
        #: seconds between two requests, None where nothing is said
        self.crawl_delay: float | None = _bounded(parsed.crawl_delay(token))
        # A page is asked for when found, when claimed and when redirected to.
        self._allows = lru_cache(maxsize=512)(lambda url: parsed.can_fetch(url, token))

    def allows(self, url: str) -> bool:
        """Whether the canonical `url` may be fetched."""
        return bool(self._allows(url))

    @classmethod
    def from_response(cls, status_code: int, body: bytes, user_agent: str) -> "RobotsRules":
        """The rules in an answer. Raises RobotsUnavailable as `text_of` does."""
        return cls(text_of(status_code, body), user_agent)


def text_of(status_code: int, body: bytes, retry_after: str | None = None) -> str:
    """RFC 9309, 2.3.1: the text of a 2xx, none for all else: everything is allowed.

    Raises RobotsUnavailable for 429 and 5xx.
    """
    if status_code == 429 or status_code >= 500:
        raise RobotsUnavailable(f"robots.txt answered HTTP {status_code}", retry_after)
    return _whole_lines(body).decode("utf-8-sig", "replace") if 200 <= status_code < 300 else ""


def _whole_lines(body: bytes) -> bytes:
    """As much as is parsed; half a `Disallow: /x` would forbid too much."""
    if len(body) <= MAX_ROBOTS:
        return body
    cut = body[:MAX_ROBOTS]
    return cut[: max(cut.rfind(b"\n"), cut.rfind(b"\r"), 0)]


def _affordable(text: str) -> str:
    """Each wildcard costs a search in each URL asked about: the lines before there are too many."""
    if text.count("*") <= MAX_WILDCARDS:
        return text
    cut = "*".join(text.split("*", MAX_WILDCARDS)[:MAX_WILDCARDS])
    return "".join(cut.splitlines(keepends=True)[:-1])


def _bounded(delay: float | None) -> float | None:
    if delay is None or not math.isfinite(delay) or delay < 0:
        return None
    return min(float(delay), MAX_DELAY)
