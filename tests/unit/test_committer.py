"""Group commit, on a store that is a function."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from shared.errors import StoreUnavailable
from shared.stages import Admission, Dispatch, Hands, Verdict
from shared.states import TaskKind
from shared.store import step
from shared.store.step import StepResult
from workers import committer as committer_module
from workers.committer import Committer, Stopped
from workers.words import Queued

PAGE = Dispatch(1, TaskKind.CRAWL_PAGE, 0)


class FakeQueue:
    def __init__(self) -> None:
        self.enqueued: list[Any] = []

    def enqueue(self, dispatches: Any) -> int:
        self.enqueued += dispatches
        return len(dispatches)


class FakeStep:
    """Answers each admission with its task id; can be told to fail."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.failures: list[Exception] = []
        self.poison: set[int] = set()
        self.dispatches: list[Dispatch] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, _store: Any, admissions: Any, outcomes: Any, *_: Any) -> StepResult:
        self.gate.wait(10)
        if self.failures:
            raise self.failures.pop(0)
        if any(a.task_id in self.poison for a in admissions):
            raise ValueError("poison")
        self.batches.append(len(admissions) + len(outcomes))
        return StepResult([a.task_id for a in admissions], [Verdict(True) for _ in outcomes], self.dispatches)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeStep:
    made = FakeStep()
    monkeypatch.setattr(step, "run", made)
    return made


@pytest.fixture
def committer(fake: FakeStep) -> Iterator[Committer]:
    made = Committer(None, FakeQueue())  # type: ignore[arg-type]
    made.start()
    yield made
    fake.gate.set()
    made.stop()


def test_it_works(committer: Committer) -> None:
    assert committer.admit([Admission(1), Admission(2)]) == [1, 2]


def test_what_comes_during_a_commit_is_committed_together(committer: Committer, fake: FakeStep) -> None:
    fake.gate.clear()
    threads = [threading.Thread(target=committer.admit, args=([Admission(n)],)) for n in range(20)]
    for thread in threads:
        thread.start()
    fake.gate.set()
    for thread in threads:
        thread.join(10)
    assert sum(fake.batches) == 20
    assert len(fake.batches) < 10


def test_an_outage_of_the_store_is_waited_out(committer: Committer, fake: FakeStep) -> None:
    fake.failures = [StoreUnavailable("away"), StoreUnavailable("away")]
    assert committer.admit([Admission(7)]) == [7]


def test_one_item_that_cannot_be_committed_fails_no_neighbour(committer: Committer, fake: FakeStep) -> None:
    fake.poison = {13}
    assert committer.admit([Admission(1)]) == [1]
    with pytest.raises(ValueError, match="poison"):
        committer.admit([Admission(12), Admission(13)])
    assert committer.admit([Admission(14)]) == [14]


def test_a_stopped_committer_takes_nothing_more(fake: FakeStep) -> None:
    made = Committer(None, FakeQueue())  # type: ignore[arg-type]
    made.start()
    made.stop()
    with pytest.raises(Stopped):
        made.admit([Admission(1)])


def test_what_was_handed_over_before_the_stop_is_committed(fake: FakeStep) -> None:
    made = Committer(None, FakeQueue())  # type: ignore[arg-type]
    done: list[Any] = []
    fake.gate.clear()
    made.start()
    made.record_then(object(), done.append)  # type: ignore[arg-type]
    fake.gate.set()
    made.stop()
    assert done == [Verdict(True)]


class FakeTaker:
    """Takes no task, and tells Redis while it is listened to."""

    def __init__(self, listens: bool = True) -> None:
        self.words: list[Any] = []
        self.refused: list[Any] = []
        self._listens = listens

    def offer(self, _ended: Any) -> Hands:
        return Hands()

    def take(self, hands: Hands, result: StepResult, now: int) -> None:
        assert hands.free == 0
        assert now > 0

    def give_up(self, hands: Hands) -> None:
        assert hands.free == 0

    def refuse(self, works: Any) -> None:
        self.refused += works

    def tell(self, words: Any) -> bool:
        self.words += words
        return self._listens


@pytest.mark.parametrize(("listens", "enqueued"), [(True, []), (False, [PAGE])])
def test_tasks_are_queued_by_the_one_who_tells_while_there_is_one(
    fake: FakeStep, committer: Committer, listens: bool, enqueued: list[Any]
) -> None:
    taker = FakeTaker(listens)
    committer.hand_to(taker)  # type: ignore[arg-type]
    fake.dispatches = [PAGE]
    assert committer.admit([Admission(1)]) == [1]
    assert (taker.words, committer._queue.enqueued) == ([Queued(PAGE)], enqueued)  # type: ignore[attr-defined]


@pytest.fixture
def patient(committer: Committer, monkeypatch: pytest.MonkeyPatch) -> Committer:
    """One that waits for ever where nobody waits for it."""
    monkeypatch.setattr(committer_module, "_PATIENCE", 600.0)
    committer.hand_to(FakeTaker())  # type: ignore[arg-type]
    return committer


FOLLOWING: Any = "the task that has begun"


def test_outcomes_whose_places_are_taken_wait_for_somebody_who_waits(patient: Committer, fake: FakeStep) -> None:
    done: list[Any] = []
    for _ in range(3):
        patient.record_then(object(), done.append, FOLLOWING)  # type: ignore[arg-type]
    assert patient.record(object()) == Verdict(True)  # type: ignore[arg-type]
    assert (fake.batches, len(done)) == ([4], 3)


def test_but_not_beyond_a_full_commit(patient: Committer, fake: FakeStep) -> None:
    last = threading.Event()
    for n in range(64):
        patient.record_then(object(), lambda _, n=n: last.set() if n == 63 else None, FOLLOWING)  # type: ignore
    assert last.wait(10)
    assert fake.batches == [64]


def test_nor_beyond_its_end(patient: Committer, fake: FakeStep) -> None:
    done: list[Any] = []
    patient.record_then(object(), done.append, FOLLOWING)  # type: ignore[arg-type]
    patient.stop()
    assert done == [Verdict(True)]


def test_nor_for_ever(committer: Committer, fake: FakeStep) -> None:
    committer.hand_to(FakeTaker())  # type: ignore[arg-type]
    done = threading.Event()
    committer.record_then(object(), lambda _: done.set(), FOLLOWING)  # type: ignore[arg-type]
    assert done.wait(10)


def test_what_follows_an_item_that_cannot_be_committed_is_refused(
    committer: Committer, fake: FakeStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    taker, failed = FakeTaker(), threading.Event()
    committer.hand_to(taker)  # type: ignore[arg-type]
    fake.failures = [ValueError("no such row")]
    committer.record_then(object(), lambda _: failed.set(), FOLLOWING)  # type: ignore[arg-type]
    assert failed.wait(10)
    assert taker.refused == [FOLLOWING]
