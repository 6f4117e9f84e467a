"""Task rows as a crawl leaves them, made from a seed: most pages fine, times skewed, views rare, paths long."""

import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from shared import ids
from shared.states import CacheStatus, SourceType, TaskKind, TaskState
from shared.store.counters import Tally
from shared.store.tables import tasks

COLUMNS = [column.name for column in tasks.c]
START = 1_790_000_000_000_000
Row = tuple[Any, ...]

_STATES = ((TaskState.COMPLETED, 93), (TaskState.FAILED, 4), (TaskState.SKIPPED, 3))
_CODES = {
    TaskState.COMPLETED: ((200, 92), (301, 3), (302, 2), (304, 2), (206, 1)),
    TaskState.FAILED: ((404, 60), (410, 10), (500, 8), (403, 7), (503, 5), (None, 10)),
    TaskState.SKIPPED: ((None, 1),),
}
_CACHES = (
    (CacheStatus.HIT, 45),
    (CacheStatus.MISS, 25),
    (CacheStatus.DYNAMIC, 10),
    (CacheStatus.EXPIRED, 5),
    (CacheStatus.BYPASS, 3),
    (None, 12),
)
_TYPES = (("text/html; charset=utf-8", 90), ("application/pdf", 6), ("image/jpeg", 4))
_WORDS = "shop blog news product article category summer winter guide review shoes garden kitchen camera".split()
_BATCH = 1000
#: rows are varied from so many made ones
_POOL = 20_000


class Maker:
    """Makes the page tasks of one job in the order of their ids, and counts them as the store does.

    of: the job whose pages it crawls, but for one of fifty; its own: 0.
    """

    def __init__(self, job_no: int, of: int = 0) -> None:
        self.job_no, self._of = job_no, of or job_no
        self.tally = Tally()
        self._random = random.Random(job_no)
        self._seq = 1

    def batches(self, n: int) -> Iterator[list[Row]]:
        """n tasks in batches."""
        while n > 0:
            yield [self._row() for _ in range(min(n, _BATCH))]
            n -= _BATCH

    def _row(self) -> Row:
        self._seq += 1
        task_id = ids.pack(self.job_no, self._seq)
        base = _pool()[int(_POOL * self._random.random())]
        self.tally.add(*(base[name] for name in ("state", "status_code", "cache_status", "response_time", "bytes")))
        page = ids.pack(self.job_no if self._seq % 50 == 0 else self._of, self._seq)
        source = ids.pack(self.job_no, 2 + int(self._seq * self._random.random())) if self._seq > 50 else None
        own = {
            "id": task_id,
            "job_id": self.job_no,
            "url_hash": page * 0x9E3779B97F4A7C15 & (1 << 62) - 1,
            "path": f"{base['path']}-{self._seq:07d}.html",
            "source_id": source,
            "source_type": (SourceType.SITEMAP if source is None else SourceType.LINK_CRAWL).value,
            "created_at": START + self._seq * 700,
            "completed_at": START + self._seq * 700 + 900_000,
        }
        return tuple((base | own).values())


@cache
def _pool() -> list[dict[str, Any]]:
    pick = random.Random(0)
    return [dict.fromkeys(COLUMNS) | _values(pick) for _ in range(_POOL)]


def _values(pick: random.Random) -> dict[str, Any]:
    state = _one(pick, _STATES)
    words = pick.choices(_WORDS, k=10)
    return {
        "kind": TaskKind.CRAWL_PAGE.value,
        "state": state.value,
        "priority": 0,
        "path": f"/{words[0]}/{words[1]}/{'-'.join(words[2:])}"[:80],
        "attempts": 0 if state is TaskState.SKIPPED else 1,
        "max_attempts": 3,
        "run": 1,
        "crashes": 0,
        "error": "It could not be fetched" if state is TaskState.FAILED else None,
    } | _measured(pick, state)


def _measured(pick: random.Random, state: TaskState) -> dict[str, Any]:
    views = int(pick.paretovariate(0.8)) - 1 if pick.random() < 0.6 else None
    known = {"pv7": views, "pv28": views and views * 4 + 1, "pv180": views and views * 25 + 3}
    code, cache_status = _one(pick, _CODES[state]), _one(pick, _CACHES)
    if code is None:
        return known
    again = cache_status in (CacheStatus.MISS, CacheStatus.EXPIRED)
    return {
        **known,
        "status_code": code,
        "cache_status": cache_status and cache_status.value,
        "response_time": int(pick.lognormvariate(5.2, 0.9)),
        "second_cache_status": CacheStatus.HIT.value if again else None,
        "second_response_time": int(pick.lognormvariate(4.5, 0.7)) if again else None,
        "bytes": int(pick.lognormvariate(10, 1)),
        "content_type": _one(pick, _TYPES),
        "links_found": 50,
        "links_added": 1,
        "documents": 1,
        "started_at": START,
    }


def _one(pick: random.Random, weighted: Sequence[tuple[Any, int]]) -> Any:
    """One of (value, weight) pairs."""
    values, weights = zip(*weighted, strict=True)
    return pick.choices(values, weights)[0]
