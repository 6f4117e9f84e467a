"""What the site saw: the truth about who fetched what, when and how many at once."""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.soak.faults import OUTAGES, Event

#: seconds that Crawlyard may take to run a killed worker's tasks again
RECOVERY = 15.0
#: seconds that a task is held without renewal
LEASE = 10.0
#: seconds from a request's sending to the log, on a machine that is busy
_ARRIVAL = 1.0
_KILLS = ("kill worker", "kill group")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request; times as time.time()."""

    path: str
    start: float
    end: float


def read(log: Path) -> list[Visit]:
    """The requests for pages, by start. One without an end lasts for ever."""
    begun: dict[str, tuple[str, float]] = {}
    ended: dict[str, float] = {}
    for line in log.read_text().splitlines():
        what, number, at, path = line.split(" ", 3)
        if what == "S":
            begun[number] = (path, float(at))
        else:
            ended[number] = float(at)
    visits = [Visit(path, start, ended.get(n, float("inf"))) for n, (path, start) in begun.items()]
    return sorted((v for v in visits if v.path == "/" or v.path.startswith("/page/")), key=lambda v: v.start)


def over(visits: Iterable[Visit], limit: int) -> list[tuple[float, list[Visit]]]:
    """The moments at which more than `limit` requests were being answered, and these."""
    running: list[tuple[float, float, Visit]] = []
    moments = []
    for visit in visits:
        while running and running[0][0] <= visit.start:
            heapq.heappop(running)
        heapq.heappush(running, (visit.end, visit.start, visit))
        if len(running) > limit:
            moments.append((visit.start, [v for _, _, v in running]))
    return moments


def is_unavoidable(visit: Visit, moment: float, events: Iterable[Event]) -> bool:
    """Whether its worker may have sent the request while it held the task, and have lost it by that moment.

    A worker that is stopped can have sent it before; one that cannot renew its lease, until the lease is over.
    """
    cut_off = (e.at + (0.0 if e.name == "stop" else LEASE) for e in events if e.name in OUTAGES and e.at <= moment)
    return any(visit.start <= at + _ARRIVAL for at in cut_off)


def in_flight_at(visits: Iterable[Visit], path: str, events: Iterable[Event]) -> int:
    """At how many faults that cost a worker its lease this page was being fetched."""
    mine = [v for v in visits if v.path == path]
    harmful = [e for e in events if e.name in _KILLS or e.name in OUTAGES or e.name == "pg cut"]
    return sum(any(v.start - 0.5 <= e.at + e.seconds and e.at <= v.end + 0.5 for v in mine) for e in harmful)


def recoveries(visits: Iterable[Visit], events: list[Event], flaky: frozenset[str]) -> list[tuple[float, str]]:
    """Per kill with nothing else around it: seconds until the pages it cut off were asked for again."""
    by_path: dict[str, list[Visit]] = defaultdict(list)
    for visit in visits:
        by_path[visit.path].append(visit)
    found = []
    for path, mine in by_path.items():
        if path in flaky:
            continue
        for before, after in itertools.pairwise(mine):
            found += [(after.start - e.at, path) for e in events if _cut_off(e, before, after, events)]
    return sorted(found, reverse=True)


def _cut_off(kill: Event, before: Visit, after: Visit, events: list[Event]) -> bool:
    if kill.name not in _KILLS or not before.start <= kill.at <= min(before.end, after.start):
        return False
    others = (e for e in events if e is not kill)
    return not any(e.at < after.start and e.at + e.seconds > kill.at - 15 for e in others)
