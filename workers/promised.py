"""Tasks promised to this worker: it begins one as soon as a page of the same job is read, before anything is committed.

What a thread begins so has taken the place of the page that it ended, and is started by the commit that records that
page. Until then nothing is said of it, neither to the store nor to Redis: where the commit does not start it, because
its job was paused meanwhile or the page was somebody else's, it is dropped. docs/decisions.md, "Promises".
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from shared import ids
from shared.stages import Finish, Hands, Outcome, Work
from shared.states import TaskKind
from shared.store.step import StepResult
from workers import leases
from workers.executions import Executions, Halt, Running

#: seconds that a page takes at least where it pays not to wait for commits
_SLOW = 0.02
#: longest time that a page which was answered waits for its start to be on record, in seconds
_PATIENCE = 1.0
#: where there are other workers, so many pages of which one gives its slot to the queue
_SHARED = 8

#: an outcome, and the task that was begun in its place
Ended = tuple[Outcome, Work | None]


@dataclass(slots=True)
class _Job:
    #: what may be begun, first come first
    works: deque[Work] = field(default_factory=deque)
    #: moment of `leases.clock` until which that is surely ours
    until: float = 0.0
    #: whether the last page took its time
    is_slow: bool = False


@dataclass(slots=True)
class _Begun:
    running: Running
    #: what became of it, where it ended first
    then: Callable[[], None] | None = None


class Promised:
    """What is promised to one worker. Its threads begin it, the committing thread says how that went."""

    def __init__(self, executions: Executions, run: Callable[[Work], Running]) -> None:
        """`run` makes an execution."""
        self._executions, self._run = executions, run
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)
        self._jobs: dict[int, _Job] = {}
        self._begun: dict[int, _Begun] = {}
        self._turns = 0
        #: whether anything may be begun, and whether there are other workers
        self.is_open, self.shares = False, True

    def follow(self, running: Running, outcome: Outcome) -> Running | None:
        """Begins a task in the place of one that has ended, before that is on record; the calling thread runs it."""
        work = running.work
        if work is None or work.kind is not TaskKind.CRAWL_PAGE or not isinstance(outcome, Finish):
            return None
        is_slow = time.monotonic() - running.started - running.waited > _SLOW
        with self._lock:
            job = self._jobs.get(work.job.id)
            if job is None:
                if is_slow:
                    self._jobs[work.job.id] = _Job(is_slow=True)
                return None
            job.is_slow = is_slow
            if not (is_slow and job.works and self._is_ready(running, job)):
                return None
            following = self._run(job.works.popleft())
            following.is_promised, following.held_until = True, min(job.until, running.held_until)
            self._begun[_id(following)] = _Begun(following)
            self._executions.add([following])
            return following

    def _is_ready(self, running: Running, job: _Job) -> bool:
        """Whether the place of this one is ours to give, and not the queue's turn."""
        if not self.is_open or running.halt is not None or not running.is_held() or leases.clock() >= job.until:
            return False
        self._turns += 1
        return not self.shares or self._turns % _SHARED != 0

    def await_start(self, running: Running) -> None:
        """Waits until it is started on record, or will not be; for a second at most, since the database may be away."""
        if running.is_promised:
            began = time.monotonic()
            with self._lock:  # not the condition: an interrupt on its way into that would leave the lock held
                self._settled.wait_for(lambda: self._entry(running) is None, _PATIENCE)
            running.waited = time.monotonic() - began

    def when_started(self, running: Running, then: Callable[[], None]) -> None:
        """Calls `then`, which says what became of it, once it is started on record; never where it is not."""
        with self._lock:
            begun = self._entry(running)
            if begun is not None:
                begun.then = then
                return
        if running.is_promised:
            self._executions.leave(running)
        else:
            then()

    def _entry(self, running: Running) -> _Begun | None:
        """What is begun and not started yet; its task may have been refused, promised and begun again since."""
        begun = self._begun.get(_id(running)) if running.is_promised else None
        return begun if begun is not None and begun.running is running else None

    def hands(self, free: int, ended: Sequence[Ended]) -> Hands:
        """What is taken on beside the commit of these."""
        followed = {o.work.id: after for o, after in ended if after is not None}
        gone = Counter(o.work.job.id for o, _ in ended if o.work.kind is TaskKind.CRAWL_PAGE)
        unfollowed = Counter(o.work.job.id for o, after in ended if isinstance(o, Finish) and after is None)
        with self._lock:
            wanted = dict[int, int]()
            pages = (w.job.id for w in self._executions.works() if w.kind is TaskKind.CRAWL_PAGE)
            left = Counter(pages) - gone if self._jobs else gone
            for number in list(self._jobs):
                self._give_back(number, left[number], unfollowed[number])
                if number in self._jobs and number in gone and self._jobs[number].is_slow:
                    wanted[number] = left[number]
            return Hands(free, self.shares, self._kept(), wanted, followed)

    def _give_back(self, number: int, left: int, unfollowed: int) -> None:
        """What is not kept may be claimed by the commit: as much as slots come free by it, and what more pages of the
        job would have to be left here to begin."""
        job = self._jobs[number]
        for _ in range(min(unfollowed, len(job.works))):
            job.works.popleft()
        while len(job.works) > left:
            job.works.pop()
        if left <= 0 or not self.is_open or not (job.is_slow or job.works):
            del self._jobs[number]

    def _kept(self) -> dict[int, list[int]]:
        """By job: what is there, and what was begun and is not on record."""
        kept = {number: [work.id for work in job.works] for number, job in self._jobs.items()}
        for task in self._begun:
            kept.setdefault(ids.job_of(task), []).append(task)
        return kept

    def settle(
        self, hands: Hands, result: StepResult, until: float, tell: Callable[[list[Running]], None]
    ) -> list[Callable[[], None]]:
        """After that commit, which holds all until that moment of `leases.clock`: what is to be said by now.

        `tell` hears of what was started, before anything can be said of it.
        """
        with self._lock:
            for number, kept in result.kept.items():
                if number in self._jobs:
                    job = self._jobs[number]
                    job.until, job.works = until, deque(w for w in job.works if w.id in kept)
            for work in result.promised:
                # where a promise has lapsed, its task may be begun: the commit that says what becomes of it is to come
                if work.job.id in self._jobs and work.id not in self._begun:
                    self._jobs[work.job.id].works.append(work)
            begun = [self._begun.pop(task) for task in result.followed if task in self._begun]
            if begun:
                tell([one.running for one in begun])
            for one in begun:
                one.running.is_promised, one.running.held_until = False, until
            self._settled.notify_all()
        self.refuse(work for work in hands.followed.values() if work.id not in result.followed)
        return [one.then for one in begun if one.then is not None]

    def refuse(self, works: Iterable[Work]) -> None:
        """These are not started: what was begun stops at its next step, and nothing is said of it."""
        with self._lock:
            for work in works:
                begun = self._begun.pop(work.id, None)
                if begun is not None:
                    begun.running.halt = begun.running.halt or Halt.CANCELLED
                    if begun.then is not None:
                        self._executions.leave(begun.running)
            self._settled.notify_all()


def _id(running: Running) -> int:
    assert running.work is not None
    return running.work.id
