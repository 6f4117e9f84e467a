"""URLs without end: paths that repeat themselves, session ids, calendars and parameters that never run out.

Thresholds are high: a real page that is left out is worse than some pages of a trap.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TypeVar

from shared import urls
from shared.stages import JobWarning, NewLink, Work
from shared.states import WarningKind
from workers.calendars import Calendars

_MAX_SEGMENTS = 60
#: times that one to three segments follow themselves, or the same parameter with the same value stands in a query
_REPEATS = 5
_MAX_PARAMETERS = 60
#: sessions of one page
_SESSIONS = 20
#: links from the start: where only chains lead, a calendar's next month or a list's next page
DEEP = 200
#: URLs of one kind first met that deep
DEEP_URLS = 1_000
_MOST = 20_000

_SESSION = re.compile(
    r";jsessionid=[^/?;]*|(?<=[?&])(?:phpsessid|jsessionid|sessionid|session_id|oscsid|zenid|sid)=[^&]*", re.I
)
_DIGITS = re.compile(r"\d+")

K = TypeVar("K")
V = TypeVar("V")


def endless(path: str) -> str | None:
    """What makes a canonical path with query one of endlessly many, None for nearly all."""
    plain, _, query = path.partition("?")
    if plain.count("/") > _REPEATS - 1 and _repeats(plain.split("/")[1:]):
        return "Repeating path segments"
    if query.count("&") >= _REPEATS - 1:
        pairs = query.split("&")
        if len(pairs) > _MAX_PARAMETERS or max(map(pairs.count, set(pairs))) >= _REPEATS:
            return "Endless parameters"
    return None


def _repeats(segments: list[str]) -> bool:
    if len(segments) > _MAX_SEGMENTS:
        return True
    for size in (1, 2, 3):
        run = 0
        for i in range(size, len(segments)):
            run = run + 1 if segments[i] and segments[i] == segments[i - size] else 0
            if run >= size * (_REPEATS - 1):
                return True
    return False


def without_session(path: str) -> str | None:
    """The path without its session id, None where it has none."""
    bare, n = _SESSION.subn("", path)
    return bare.rstrip("?&") if n else None


def shape(path: str) -> str:
    """What a path has in common with others of its kind: numbers and the values of parameters are left out."""
    plain, _, query = path.partition("?")
    names = "&".join(sorted({pair.partition("=")[0] for pair in query.split("&")})) if query else ""
    return (_DIGITS.sub("0", plain) + ("?" + names if names else ""))[:200]


class Traps:
    """The traps that a process has found in its jobs. Thread-safe; what it forgets is found again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: OrderedDict[tuple[int, str], set[str]] = OrderedDict()
        self._deep: OrderedDict[tuple[int, str], set[str]] = OrderedDict()
        self._calendars = Calendars()

    def sift(self, work: Work, links: Iterable[NewLink]) -> tuple[tuple[NewLink, ...], tuple[JobWarning, ...]]:
        """The new links of a page that are no trap, and a warning for each kind of those that are."""
        kept: list[NewLink] = []
        met: dict[str, int] = {}
        source = shape(urls.split(work.url)[1])
        for link in links:
            why = self._why(work, link.path, source)
            if why is None:
                kept.append(link)
            else:
                met[why] = met.get(why, 0) + 1
        return tuple(kept), tuple(_warning(why, n) for why, n in met.items())

    def _why(self, work: Work, path: str, source: str) -> str | None:
        found = endless(path)
        if found is not None:
            return f"{found}: {shape(path)}"
        if ("sid" in path or "sess" in path.lower()) and (bare := without_session(path)) is not None:
            return f"Session ids: {bare[:200]}" if self._is_over(self._sessions, work, bare, path, _SESSIONS) else None
        kind = shape(path)
        if _DIGITS.search(path) and self._calendars.is_beyond(work.job.id, kind, path, kind == source):
            return f"Calendar without end: {kind}"
        if work.depth < DEEP:
            return None
        return f"URLs without end: {kind}" if self._is_over(self._deep, work, kind, path, DEEP_URLS) else None

    def _is_over(
        self, kept: OrderedDict[tuple[int, str], set[str]], work: Work, kind: str, path: str, most: int
    ) -> bool:
        with self._lock:
            seen = _recent(kept, (work.job.id, kind), set)
            if path not in seen and len(seen) >= most:
                return True
            seen.add(path)
            return False


def _warning(why: str, n: int) -> JobWarning:
    return JobWarning(WarningKind.TRAP, why[:300], f"{why}: left out", n)


def _recent(kept: OrderedDict[K, V], key: K, make: Callable[[], V]) -> V:
    found = kept.get(key)
    if found is None:
        found = kept[key] = make()
        if len(kept) > _MOST:
            kept.popitem(last=False)
    return found
