"""Tells Redis what became of tasks, many words in one round trip and in their order, so that nothing waits for it."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from shared.errors import QueueFault, QueueUnavailable
from shared.queue import Call, TaskQueue, script
from workers.executions import Running
from workers.heartbeat import LEASE_SECONDS
from workers.words import Ending, Queued, Started, Word, ending_args

log = logging.getLogger(__name__)

_MOST = 100
#: seconds that words wait for company, unless somebody waits for them
_LINGER = 0.02
#: words kept for a Redis that is away; the sweep makes good what falls out
_KEPT = 10_000
#: ends of tasks after which nothing is to happen to them
_OVER = frozenset({"ok", "fail", "drop"})
#: start.lua's answer for a task of a queue that is paused, or where RQ is suspended
_HELD = 2
#: finish.lua's answer for a job on which others depend
_HAS_DEPENDENTS = 2


def _kind(word: Word) -> tuple[str, bool]:
    """Neighbours of one kind are told by one call."""
    return type(word).__name__, isinstance(word, Queued) and word.taken_back


def _is_patient(word: Word) -> bool:
    """Whether nobody waits for it: a task that goes on by itself, or that is on record."""
    return isinstance(word, Started) or (
        isinstance(word, Ending) and word.running.work is not None and word.verb in _OVER
    )


class Teller(threading.Thread):
    """The thread that talks. What comes while it does is told together."""

    def __init__(self, queue: TaskQueue, worker: str, on_dependents: Callable[[str, str], None]) -> None:
        super().__init__(name="teller", daemon=True)
        self._queue, self._worker, self._on_dependents = queue, worker, on_dependents
        self._finish = script(queue.redis, "finish")
        #: called when Redis does not hear, or wants no more to be started
        self.on_doubt: Callable[[], None] = lambda: None
        self._words: deque[Word] = deque(maxlen=_KEPT)
        self._wake = threading.Condition()
        self._is_urgent, self._stopping, self._has_ended = False, False, False

    def put(self, words: Sequence[Word]) -> bool:
        """Tells these soon, after all that was put before; False when nothing is told any more."""
        is_urgent = not all(map(_is_patient, words))
        with self._wake:
            is_first = not self._words
            self._words.extend(words)
            if is_urgent or len(self._words) >= _MOST:
                self._is_urgent = True
            if is_first or self._is_urgent:
                self._wake.notify()
            return not self._has_ended

    def stop(self, seconds: float | None = None) -> None:
        """Tells what is there, then ends the thread; waits no longer than that for a Redis that hangs."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self.join(seconds)

    def run(self) -> None:
        """The thread's loop."""
        wait = 0.0
        while batch := self._next(wait):
            wait = self._tell_or_keep(batch, wait)
            if wait and self._stopping:
                break
        self._has_ended = True

    def _next(self, wait: float) -> list[Word]:
        """The next words to tell, after so many seconds at most; none when it is to end."""
        with self._wake:
            self._wake.wait_for(lambda: self._words or self._stopping)
            self._wake.wait_for(lambda: self._stopping or (self._is_urgent and not wait), wait or _LINGER)
            # known in the lock: what is put from here on is refused
            self._has_ended = not self._words
            batch = [self._words.popleft() for _ in range(min(len(self._words), _MOST))]
            self._is_urgent = len(self._words) >= _MOST
            return batch

    def _tell_or_keep(self, batch: list[Word], wait: float) -> float:
        """Seconds to wait before the next try: none when it worked."""
        try:
            self.tell(batch)
        except QueueUnavailable as error:
            log.warning("%s: %d words about tasks wait", error.message, len(batch))
            self.on_doubt()
            with self._wake:
                self._words.extendleft(reversed(batch))
            return min(max(wait * 2, 0.1), 2.0)
        except Exception:  # boundary: the thread must outlive any job; the leases of these run out
            log.exception("%d words about tasks cannot be told to Redis", len(batch))
        return 0.0

    def tell(self, words: Sequence[Word]) -> None:
        """Tells now, in this order. Raises QueueUnavailable; then all can be told again."""
        parts = [list(part) for _, part in groupby(words, key=_kind)]
        answers = self._queue.together([self._call(part) for part in parts])
        for part, answer in zip(parts, answers, strict=True):
            if isinstance(answer, QueueFault):
                self._tell_alone(part, answer)
            else:
                self._heard(part, answer)

    def _call(self, part: Sequence[Word]) -> Call:
        """The call for words of one kind."""
        started = [(w.dispatch, w.execution_id) for w in part if isinstance(w, Started)]
        if started:
            return self._queue.starting(started, self._worker, LEASE_SECONDS)
        queued = [w for w in part if isinstance(w, Queued)]
        if queued:
            return self._queue.enqueuing([w.dispatch for w in queued], queued[0].taken_back)
        return self._finish, ending_args([w for w in part if isinstance(w, Ending)], self._worker)

    def _tell_alone(self, part: Sequence[Word], fault: QueueFault) -> None:
        """One word that Redis refuses must not hold up the others."""
        if len(part) > 1:
            for word in part:
                self.tell([word])
        else:
            log.error("Redis cannot be told: %s: %s", part[0], fault.message)

    def _heard(self, part: Sequence[Word], answer: Any) -> None:
        if isinstance(part[0], Started) and _HELD in answer:
            self.on_doubt()
        elif isinstance(part[0], Ending):
            for word, code in zip(part, answer, strict=True):
                if code == _HAS_DEPENDENTS and isinstance(word, Ending):
                    self._enqueue_dependents(word.running)

    def _enqueue_dependents(self, running: Running) -> None:
        try:
            self._on_dependents(running.job_id, running.queue)
        except QueueUnavailable:
            raise
        except Exception:  # boundary: RQ's methods on data that others wrote; the thread must outlive it
            log.exception("what depends on job %s was not enqueued", running.job_id)
