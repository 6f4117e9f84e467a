"""A crawl's record without HTTP: the store's step by itself, for as many pages as wanted."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from shared import ids
from shared.answers import packed as packed_answer
from shared.changes import Facts, Sighting, pack
from shared.clock import now_us
from shared.models import JobOptions
from shared.packing import packed
from shared.stages import Admission, Fetched, Finish, Hands, NewLink, PageFacts, Work
from shared.states import CacheStatus, TaskState
from shared.store import Store, step
from shared.store.step import StepResult
from shared.urls import url_key
from tests.crawls import LEASE, ORIGIN, Crawl

#: pages known but not yet crawled, until all are: so each page finds a new one, in a small job as in a large one
_AHEAD = 200
_ANSWER = packed_answer({"server": "nginx", "date": "Sun, 22 Nov 2026 17:00:00 GMT", "etag": '"683eae07-473a"'}, None)
_TARGETS = packed("q", range(2**60, 2**60 + 55))
_TEXT = b"What the page says, line by line.\n" * 8


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some pages in a row."""

    pages: int
    #: seconds, CPU of this thread and wall clock
    cpu: float
    wall: float

    @property
    def cpu_us(self) -> float:
        """Microseconds a page."""
        return self.cpu / self.pages * 1e6


class Frontier:
    """A job of `pages` pages, worked off in groups as a busy worker does."""

    def __init__(self, store: Store, pages: int, group: int = 10, ahead: int = 0) -> None:
        """`ahead`: tasks that are promised, and begun before they are started."""
        self._crawl = Crawl(store, JobOptions(max_pages=pages, concurrency=min(4 * group, 100)), ORIGIN)
        self._store, self._pages, self._group, self._ahead = store, pages, group, ahead
        self._promised: list[Work] = []
        self._queue = deque(d.task_id for d in self._crawl.discover("/p1"))
        self._found, self._ended = 1, 0

    def stretch(self, pages: int) -> Stretch:
        """Works so many pages off, or what is left."""
        cpu, wall, done = time.thread_time(), time.perf_counter(), 0
        works: list[Work] = []
        while done < pages and (works or self._queue):
            taken = min(self._group - len(works), len(self._queue))
            admissions = [Admission(self._queue.popleft()) for _ in range(taken)]
            result, following = self._commit(admissions, works)
            done += len(works)
            works = following + result.started + [w for w in result.works if w is not None]
            self._queue.extend(d.task_id for d in result.dispatches)
        result = step.run(self._store, [], [self._finish(w) for w in works], now_us(), LEASE)
        self._queue.extend(d.task_id for d in result.dispatches)
        return Stretch(done + len(works), time.thread_time() - cpu, time.perf_counter() - wall)

    def _commit(self, admissions: list[Admission], works: list[Work]) -> tuple[StepResult, list[Work]]:
        """Ends pages, and begins those that were promised in their places."""
        followed = dict(zip((w.id for w in works), self._promised, strict=False))
        job = self._crawl.job.id
        kept = {job: [w.id for w in self._promised]}
        hands = Hands(len(works) - len(followed), True, kept, {job: self._ahead}, followed)
        ended = [self._finish(w) for w in works]
        result = step.run(self._store, admissions, ended, now_us(), LEASE, hands=hands, worker="w1")
        self._promised = self._promised[len(followed) :] + result.promised
        return result, list(followed.values())

    def _finish(self, work: Work) -> Finish:
        number = ids.seq_of(work.id)
        text = b"%d\n" % number + _TEXT
        sighting = Sighting(
            None,
            f"v.200.{number:016x}.{number:016x}",
            Facts(200, None, f"Page {number}"),
            b"%16d" % number,
            pack(text),
            len(text),
        )
        return Finish(
            work,
            TaskState.COMPLETED,
            Fetched(200, number % 400, 10_000 + number % 9_000, "text/html", CacheStatus.HIT, _ANSWER),
            links=tuple(self._links()),
            found=55,
            facts=PageFacts(f"Page {number}", f"{number:032x}"),
            sighting=sighting,
            documents=1,
            targets=_TARGETS,
        )

    def _links(self) -> Iterator[NewLink]:
        self._ended += 1
        while self._found < min(self._pages, self._ended + _AHEAD):
            self._found += 1
            path = f"/p{self._found}"
            yield NewLink(url_key(ORIGIN + path), ORIGIN, path)
