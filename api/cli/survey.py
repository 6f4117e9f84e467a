"""What stands out among the pages of a crawl, from one pass over all of them. Pure, and bounded in memory."""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: of each list
MOST = 100
#: milliseconds over which a page is slow
SLOW_MS = 3000
#: the share of pages beyond the named content types and caches
OTHER = "other"
_NAMES = 8

Task = Mapping[str, Any]


@dataclass(slots=True)
class Survey:
    """Totals, and the first or worst of each list."""

    #: response time in ms -> pages
    times: Counter[int] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    caches: Counter[str] = field(default_factory=Counter)
    broken: list[Task] = field(default_factory=list)
    broken_total: int = 0
    #: slowest first
    slow: list[Task] = field(default_factory=list)
    slow_total: int = 0


def shown_time(task: Task) -> int:
    """What counts: the time of the second request, of the first where there was none; ms, 0 where never fetched."""
    second = task.get("second_response_time")
    return int((task.get("response_time") if second is None else second) or 0)


def survey(tasks: Iterable[Task]) -> Survey:
    """Reads all tasks of a crawl, as its export gives them."""
    found = Survey()
    heap: list[tuple[int, int, Task]] = []
    for n, task in enumerate(tasks):
        _count(found, task)
        if shown_time(task) > SLOW_MS:
            found.slow_total += 1
            _keep(heap, (shown_time(task), -n, task))
    found.slow = [task for _, _, task in sorted(heap, key=lambda entry: entry[:2], reverse=True)]
    return found


def leading(counts: Counter[str]) -> dict[str, int]:
    """The most frequent names, then all others in one."""
    named = Counter({name: n for name, n in counts.items() if name != OTHER})
    first = dict(named.most_common(_NAMES))
    rest = counts.total() - sum(first.values())
    return first | ({OTHER: rest} if rest else {})


def _count(found: Survey, task: Task) -> None:
    if task.get("response_time") is not None:
        found.times[int(task["response_time"])] += 1
    if task.get("content_type"):
        _name(found.types, str(task["content_type"]).partition(";")[0].strip().lower())
    if task.get("cache_status"):
        _name(found.caches, str(task["cache_status"]))
    if task.get("status") == "failed":
        found.broken_total += 1
        if len(found.broken) < MOST:
            found.broken.append(task)


def _name(counts: Counter[str], name: str) -> None:
    """Counts a name that the site chose: it may choose as many as it likes."""
    counts[name if name in counts or len(counts) < 1000 else OTHER] += 1


def _keep(heap: list[tuple[int, int, Task]], entry: tuple[int, int, Task]) -> None:
    if len(heap) < MOST:
        heapq.heappush(heap, entry)
    else:
        heapq.heappushpop(heap, entry)
