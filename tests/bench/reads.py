"""How long each read of a large ended job takes, in the store and through the HTTP API."""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from shared.models import Job
from shared.states import V1_STATUS, CacheStatus
from shared.store import Store, jobs, open_store, order_builds, order_search, orders, progress, task_lists
from shared.store.task_lists import TaskFilter, Window
from tests.bench.dataset import Dataset
from tests.bench.queries import FIRST_SEARCH, NEXT_SEARCH, Query, queries

LIMITS_MS = {FIRST_SEARCH: 300.0, NEXT_SEARCH: 300.0}
LIMIT_MS = 50.0
PAGE = 50
#: a query is repeated until it has taken so long, or so often: all sorts take six minutes a door
_SECONDS = 0.4
_MOST, _FEW = 10, 5
_CACHES = {"hit": (CacheStatus.HIT, CacheStatus.DYNAMIC), "miss": (CacheStatus.MISS, CacheStatus.EXPIRED)}

#: a page from an offset; how many tasks the whole list has
Read = Callable[[dict[str, Any], int], int]


@dataclass(slots=True)
class Group:
    """The times of queries of one kind, in ms, and what they took of the CPU in this process."""

    name: str
    times: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    n: int = 0

    def add(self, query: str, times: list[float], cpu: list[float]) -> None:
        """Notes one query's times."""
        self.n += 1
        self.times += times
        self.cpu += cpu
        self.slowest = max(self.slowest, (share(times, 0.95), query))

    @property
    def is_within(self) -> bool:
        """Whether the group keeps its limit."""
        return share(self.times, 0.95) <= LIMITS_MS.get(self.name, LIMIT_MS)


def share(times: Collection[float], part: float) -> float:
    """The time that this part (0-1) of the times stays within."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def measure(
    dataset: Dataset, door: str, scan: bool = False, few: bool = False, every: bool = False, only: str = ""
) -> list[Group]:
    """Measures the reads of a dataset and prints them.

    door: store or http. scan: as while a job still runs, without its order. every: prints each query, too.
    only: the groups whose names have this in them.
    """
    store = open_store(dataset.url)
    job = jobs.get(store, dataset.job_no)
    groups: dict[str, Group] = {}
    with mock.patch.object(orders, "ready", (lambda *_: None) if scan else orders.ready):
        if not scan:
            _build(store)
        for name, query, call in _calls(store, job, _DOORS[door](dataset, store, job), few, only):
            times, cpu = _times(_first(call) if name == FIRST_SEARCH else call, _FEW if few else _MOST)
            groups.setdefault(name, Group(name)).add(query, times, cpu)
            if every:
                print(f"  {query:75}{share(times, 0.5):9.1f}{share(times, 0.95):9.1f}", flush=True)
    store.close()
    _show(f"{dataset.name}, {door}{', no order' if scan else ''}", groups.values())
    return list(groups.values())


def _build(store: Store) -> None:
    """What the scheduler does once jobs have ended."""
    began = time.perf_counter()
    if built := order_builds.tend(store):
        print(f"{built} orders built in {time.perf_counter() - began:.1f} s", flush=True)


def _first(search: Callable[[], object]) -> Callable[[], object]:
    """The search as one that nobody has asked for yet: its answer is not kept."""

    def call() -> object:
        order_search._answers.clear()
        return search()

    return call


def _calls(store: Store, job: Job, read: Read, few: bool, only: str) -> Iterator[tuple[str, str, Callable[[], object]]]:
    if only in "summary":
        yield "summary", "summary", lambda: progress.read(store, [job.id])
    totals: dict[str, int] = {}
    for query in (query for query in queries(few) if only in query.group):
        unsorted = str(Query("", {**query.params, "sort": ""}))
        if unsorted not in totals:
            totals[unsorted] = read(query.params, 0)
        last = max(0, totals[unsorted] - PAGE)
        if query.depth == 0 or last > 0:
            yield query.group, str(query), lambda q=query, at=int(query.depth * last): read(q.params, at)  # type: ignore[misc]


def _through_the_store(_dataset: Dataset, store: Store, job: Job) -> Read:
    def read(params: dict[str, Any], offset: int) -> int:
        status, cache = params.get("status"), params.get("cache")
        which = TaskFilter(
            states=tuple(s for s, word in V1_STATUS.items() if word == status) if status else None,
            cache=_CACHES[cache] if cache else None,
            path=params.get("path"),
            status_code=params.get("status_code"),
        )
        sort: str = params["sort"]
        return task_lists.page(store, job, which, Window(PAGE, offset, sort.removeprefix("-"), sort[0] == "-"))[1]

    return read


def _through_http(dataset: Dataset, _store: Store, job: Job) -> Read:
    from tests.api_kit import Api

    api = Api(dataset.url, CRAWLYARD_RATE_LIMIT="0")
    headers = {"Authorization": f"Bearer {api.key('bench')}"}

    def read(params: dict[str, Any], offset: int) -> int:
        query = {**params, "limit": PAGE, "offset": offset}
        answer = api.client.get(f"/v1/jobs/{job.uid}/tasks", query_string=query, headers=headers)
        assert answer.status_code == 200, answer.text
        total: int = answer.json["pagination"]["total"]
        return total

    return read


_DOORS: dict[str, Callable[[Dataset, Store, Job], Read]] = {"store": _through_the_store, "http": _through_http}


def _times(call: Callable[[], object], most: int) -> tuple[list[float], list[float]]:
    """Times of one call, and of the CPU, in ms; the first one is left out: it compiles the statement."""
    call()
    times: list[float] = []
    cpu: list[float] = []
    began = time.perf_counter()
    while not times or (len(times) < most and time.perf_counter() - began < _SECONDS):
        start, used = time.perf_counter(), time.thread_time()
        call()
        times.append((time.perf_counter() - start) * 1000)
        cpu.append((time.thread_time() - used) * 1000)
    return times, cpu


def _show(title: str, groups: Collection[Group]) -> None:
    print(f"\n{title:24}{'queries':>8}{'p50 ms':>9}{'p95 ms':>9}{'cpu p95':>9}  slowest query's p95")
    for group in groups:
        shown = (share(group.times, 0.5), share(group.times, 0.95), share(group.cpu, 0.95))
        figures = "".join(f"{ms:9.1f}" for ms in shown)
        print(f"{group.name:24}{group.n:8}{figures}  {group.slowest[0]:.1f}  {group.slowest[1]}")
    print(flush=True)
