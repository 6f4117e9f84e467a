"""Calendars that go on for ever: pages of months that link to the next month, with or without anything in it.

Only where a kind of URL has shown itself to be a calendar: many months around today, and no URL of the kind that is
no date. Then months far ahead that pages of the kind itself link to are left out. The past is left alone: archives
are real (and a chain without end stops by its depth, workers/traps.py).
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

#: months ahead of today that are crawled in any case
AHEAD = 36
#: distinct months around today after which a kind of URL is taken for a calendar
_EVIDENCE = 24
_MOST_KINDS = 2_000

_PATH = re.compile(r"(?<!\d)([12]\d{3})[-/_.](\d{1,2})(?:[-/_.](\d{1,2}))?(?!\d)")
_DATE = re.compile(r"([12]\d{3})(?:[-/_.]?)(\d{1,2})(?:(?:[-/_.]?)(\d{2}))?(?:T.*)?", re.I)
_YEARS = frozenset({"year", "yr", "y", "jahr", "annee", "ano", "anno", "cal_y", "cal_year"})
_MONTHS = frozenset({"month", "mon", "mo", "m", "monat", "mois", "mes", "cal_m", "cal_month"})
_DATES = re.compile(r"date|datum|day|month|week|calendar|^(?:ym|ymd|from|start)$|\bcal\b", re.I)
#: most paths hold nothing like a year
_LIKELY = re.compile(r"(?<!\d)[12]\d{3}").search


def month_of(path: str) -> int | None:
    """The month that a canonical path with query names, counted from the year 0; None where it names none."""
    if not _LIKELY(path):
        return None
    plain, _, query = path.partition("?")
    found = _of_query(query) if query else None
    if found is None and (match := _PATH.search(plain)):
        found = _month(match[1], match[2], match[3])
    return found


def _of_query(query: str) -> int | None:
    pairs = [pair.partition("=") for pair in query.split("&")[:60]]
    named = {name.lower(): value for name, _, value in pairs}
    year = next((v for n, v in named.items() if n in _YEARS and len(v) == 4 and v.isascii() and v.isdigit()), None)
    month = next((v for n, v in named.items() if n in _MONTHS and len(v) < 3 and v.isascii() and v.isdigit()), None)
    if year and month:
        return _month(year, month)
    for name, value in named.items():
        if _DATES.search(name) and (match := _DATE.fullmatch(value)):
            return _month(match[1], match[2], match[3])
    return None


def _month(year: str, month: str, day: str | None = None) -> int | None:
    is_date = 1 <= int(month) <= 12 and 1 <= int(day or 1) <= 31
    return int(year) * 12 + int(month) - 1 if is_date else None


class _Kind:
    __slots__ = ("is_other", "near")

    def __init__(self) -> None:
        #: the months around today that were met
        self.near: set[int] = set()
        #: a URL of the kind is no date
        self.is_other = False


class Calendars:
    """The kinds of URLs that may be calendars, by job. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` in seconds since the epoch."""
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: OrderedDict[tuple[int, str], _Kind] = OrderedDict()

    def is_beyond(self, job: int, kind: str, path: str, from_same_kind: bool) -> bool:
        """Whether a path of a kind (`traps.shape`) is a calendar's page too far ahead. Learns from it otherwise."""
        month = month_of(path)
        with self._lock:
            seen = self._kinds.get((job, kind))
            if seen is None:
                seen = self._new(job, kind)
            if month is None:
                seen.is_other = True
                return False
            today = self._today()
            if abs(month - today) <= AHEAD:
                seen.near.add(month)
            elif month > today and from_same_kind:
                return not seen.is_other and len(seen.near) >= _EVIDENCE
            return False

    def _new(self, job: int, kind: str) -> _Kind:
        made = self._kinds[(job, kind)] = _Kind()
        if len(self._kinds) > _MOST_KINDS:
            self._kinds.popitem(last=False)
        return made

    def _today(self) -> int:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return now.year * 12 + now.month - 1
