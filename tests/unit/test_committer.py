"""Group commit, on a store that is a function."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from shared.errors import StoreUnavailable
from shared.stages import Admission, Dispatch, Verdict
from shared.states import TaskKind
from shared.store import step
from shared.store.step import StepResult
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

    def __init__(self, listens: bool) -> None:
        self.words: list[Any] = []
        self._listens = listens

    def reserve(self, _n: int) -> int:
        return 0

    def give_back(self, n: int) -> None:
        assert n == 0

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
