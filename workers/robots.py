"""robots.txt by RFC 9309: what may be fetched, how fast, and where the sitemaps are."""

import math
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from protego import Protego

from workers.errors import BadUrl, Cancelled, FetchError, RobotsUnavailable, TooManyRedirects
from workers.fetch import Fetcher

#: bytes that are parsed (RFC 9309, 2.5)
MAX_ROBOTS = 500 * 1024
#: asterisks; what follows the rule with the last one is not read. Of 4,230 real files the largest has 2,246
MAX_WILDCARDS = 4_000
MAX_ORIGINS = 1_000
MAX_SITEMAPS = 1_000
#: seconds; a longer Crawl-delay counts as this
MAX_DELAY = 3_600.0
#: seconds that a failure is remembered, so that a crawl's tasks do not each wait for it
FAILURE_TTL = 10.0

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
        """RFC 9309, 2.3.1: 2xx is parsed, 429 and 5xx raise RobotsUnavailable, all else allows everything."""
        if status_code == 429 or status_code >= 500:
            raise RobotsUnavailable(f"robots.txt answered HTTP {status_code}")
        if not 200 <= status_code < 300:
            return cls("", user_agent)
        return cls(_whole_lines(body).decode("utf-8-sig", "replace"), user_agent)


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


class _Entry:
    """The rules of one origin, or the failure to get them. The lock makes the fetch single."""

    __slots__ = ("expires", "failure", "lock", "rules")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.expires = -math.inf
        self.rules: RobotsRules | None = None
        self.failure: FetchError | None = None


class RobotsCache:
    """The robots.txt of the origins crawled lately, each fetched once for all threads."""

    def __init__(
        self, fetcher: Fetcher, user_agent: str, ttl: float = 3600.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`ttl` and `clock` in seconds."""
        self._fetcher = fetcher
        self._user_agent = user_agent
        self._ttl = ttl
        self._clock = clock
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def rules(
        self, origin: str, cancelled: Callable[[], bool] | None = None, user_agent: str | None = None
    ) -> RobotsRules:
        """The rules of `origin` (`scheme://host[:port]`) for our `user_agent`, or a job's own.

        Raises RobotsUnavailable for 429 and 5xx, the FetchError where the host cannot be reached, Cancelled.
        """
        agent = user_agent or self._user_agent
        entry = self._entry((origin, agent))
        with entry.lock:
            if self._clock() >= entry.expires:
                self._refresh(entry, origin, agent, cancelled)
            if entry.failure is not None:
                raise type(entry.failure)(entry.failure.message)
            assert entry.rules is not None
            return entry.rules

    def _entry(self, key: tuple[str, str]) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            if len(self._entries) > MAX_ORIGINS:
                self._entries.popitem(last=False)
            return entry

    def _refresh(self, entry: _Entry, origin: str, agent: str, cancelled: Callable[[], bool] | None) -> None:
        entry.rules, entry.failure, entry.expires = None, None, -math.inf
        try:
            entry.rules = self._fetch(origin, agent, cancelled)
            entry.expires = self._clock() + self._ttl
        except Cancelled:
            raise  # says nothing about the host
        except FetchError as error:
            entry.failure = error
            entry.expires = self._clock() + FAILURE_TTL

    def _fetch(self, origin: str, agent: str, cancelled: Callable[[], bool] | None) -> RobotsRules:
        try:
            response = self._fetcher.get(
                f"{origin}/robots.txt",
                headers={"user-agent": agent},
                cancelled=cancelled,
                max_body=MAX_ROBOTS,
                cut=True,
            )
        except (TooManyRedirects, BadUrl):  # RFC 9309, 2.3.1.2: as if there were none
            return RobotsRules("", agent)
        return RobotsRules.from_response(response.status_code, response.body, agent)
