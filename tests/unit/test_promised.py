"""Tasks that a worker begins before they are started on record."""

import threading

import pytest

from shared import ids
from shared.models import Domain, Job, JobOptions
from shared.stages import Delay, Finish, Found, Hands, Outcome, Work
from shared.states import JobState, SourceType, TaskKind, TaskState
from shared.store.step import StepResult
from workers import leases
from workers.executions import Executions, Halt, Running
from workers.promised import Promised

JOB = 7


def work(seq: int, job_no: int = JOB, kind: TaskKind = TaskKind.CRAWL_PAGE) -> Work:
    domain = Domain(1, "d", 1, 1, "site.test", 1)
    job = Job(job_no, 1, "o", domain, "http://site.test", JobOptions(), JobState.RUNNING, None, 0, 0, None, None)
    return Work(ids.pack(job_no, seq), kind, f"http://site.test/{seq}", 1, 3, 1, job)


def finished(w: Work) -> Finish:
    return Finish(w, TaskState.COMPLETED)


def run(w: Work) -> Running:
    return Running(str(w.id), "crawl", f"e{w.id}", work=w)


class Rig:
    """A worker that runs pages 1 to 8 of a slow site, and has been promised 9 and 10."""

    def __init__(self) -> None:
        self.executions, self.told = Executions(), list[Running]()
        #: promises that the store knows nothing of any more
        self.lost: set[int] = set()
        self.promised = Promised(self.executions, run)
        self.promised.is_open, self.promised.shares = True, False
        self.running = [run(work(seq)) for seq in range(1, 9)]
        self.executions.add(self.running)
        for one in self.running:
            one.started -= 1.0

    def follow(self, n: int) -> Running | None:
        return self.promised.follow(self.running[n], finished(self.work(n)))

    def work(self, n: int) -> Work:
        found = self.running[n].work
        assert found is not None
        return found

    def commit(
        self,
        n: int | None = None,
        after: Running | None = None,
        followed: bool = False,
        promised: tuple[int, ...] = (),
        outcome: Outcome | None = None,
    ) -> Hands:
        """Records that a page ended, and gives more promises."""
        ended: list[tuple[Outcome, Work | None]] = []
        if outcome is not None or n is not None:
            said = outcome or finished(self.work(n or 0))
            ended = [(said, after.work if after is not None else None)]
        hands = self.promised.hands(0, ended)
        result = StepResult(
            promised=[work(seq) for seq in promised],
            followed={after.work.id} if followed and after is not None and after.work is not None else set(),
            kept={JOB: frozenset(hands.kept.get(JOB, ())) - self.lost},
        )
        for say in self.promised.settle(hands, result, leases.clock() + 9, self.told.extend):
            say()
        if n is not None:
            self.executions.leave(self.running[n])
        return hands


@pytest.fixture
def rig() -> Rig:
    made = Rig()
    assert made.follow(0) is None
    made.commit(0, promised=(9, 10))
    return made


def seq_of(running: Running | None) -> int | None:
    return ids.seq_of(running.work.id) if running is not None and running.work is not None else None


def test_it_works(rig: Rig) -> None:
    first, second = rig.follow(1), rig.follow(2)
    assert (seq_of(first), seq_of(second), rig.follow(3)) == (9, 10, None)
    assert first is not None
    assert (first.is_promised, first.is_held(), first in rig.executions.all()) == (True, True, True)
    said: list[str] = []
    rig.promised.when_started(first, lambda: said.append("ended"))
    assert (said, rig.told) == ([], [])
    rig.commit(1, after=first, followed=True)
    assert (said, rig.told, first.is_promised) == (["ended"], [first], False)


def test_what_ends_after_it_was_started_is_said_at_once(rig: Rig) -> None:
    first = rig.follow(1)
    assert first is not None
    rig.commit(1, after=first, followed=True)
    said: list[str] = []
    rig.promised.when_started(first, lambda: said.append("ended"))
    assert said == ["ended"]


def test_redis_hears_of_the_start_before_anything_is_said(rig: Rig) -> None:
    first = rig.follow(1)
    assert first is not None
    rig.promised.when_started(first, lambda: rig.told.append(rig.running[0]))
    rig.commit(1, after=first, followed=True)
    assert rig.told == [first, rig.running[0]]


@pytest.mark.parametrize("when", ["while it runs", "after it has ended"])
def test_of_what_is_not_started_nothing_is_said(rig: Rig, when: str) -> None:
    first = rig.follow(1)
    assert first is not None
    said: list[str] = []
    if when == "after it has ended":
        rig.promised.when_started(first, lambda: said.append("ended"))
    rig.commit(1, after=first, followed=False)
    assert first.halt is Halt.CANCELLED
    if when == "while it runs":
        rig.promised.when_started(first, lambda: said.append("ended"))
    assert (said, rig.told, first in rig.executions.all()) == ([], [], False)


def test_the_place_of_a_page_that_goes_on_later_is_not_given_away(rig: Rig) -> None:
    assert rig.promised.follow(rig.running[1], Delay(rig.work(1), 0, "HTTP 503", True)) is None


def test_nor_that_of_one_that_was_halted_or_whose_lease_is_over(rig: Rig) -> None:
    rig.running[1].halt, rig.running[2].held_until = Halt.PAUSED, 0.0
    assert (rig.follow(1), rig.follow(2)) == (None, None)


def test_where_others_wait_nothing_is_begun_and_all_is_given_back(rig: Rig) -> None:
    rig.promised.is_open = False
    assert rig.follow(1) is None
    hands = rig.commit(1)
    assert (hands.kept, hands.wanted) == ({}, {})


def test_a_promise_that_may_have_lapsed_is_not_begun(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    later = leases.clock() + 10
    monkeypatch.setattr(leases, "clock", lambda: later)
    for one in rig.running:
        one.held_until = later + 10
    assert rig.follow(1) is None


def test_what_was_begun_is_kept_until_it_is_on_record(rig: Rig) -> None:
    rig.follow(1)
    assert [ids.seq_of(i) for i in rig.commit(2).kept[JOB]] == [9]
    # page 3 freed its slot, and with it 10 was given up


def test_as_many_as_slots_come_free_may_be_claimed_by_others(rig: Rig) -> None:
    assert [ids.seq_of(i) for i in rig.commit(1).kept[JOB]] == [10]


def test_who_runs_nothing_of_a_job_any_more_keeps_nothing_of_it(rig: Rig) -> None:
    for one in rig.running[2:]:
        rig.executions.leave(one)
    hands = rig.commit(1)
    assert (hands.kept, hands.wanted) == ({}, {})


def test_a_discovery_begins_no_pages(rig: Rig) -> None:
    for one in rig.running[1:]:
        rig.executions.leave(one)
    discovery = work(1, kind=TaskKind.DISCOVER_PAGES)
    rig.executions.add([run(discovery)])
    assert rig.commit(outcome=Found(discovery, (), SourceType.SITEMAP)).kept == {}


def test_no_more_is_kept_than_pages_are_left_to_be_followed(rig: Rig) -> None:
    for one in rig.running[3:]:
        rig.executions.leave(one)
    rig.commit(outcome=Delay(rig.work(1), 0, "", True), promised=(11, 12, 13))
    hands = rig.commit(outcome=Delay(rig.work(2), 0, "", True))
    assert [ids.seq_of(i) for i in hands.kept[JOB]] == [9]


def test_what_the_store_has_given_to_others_is_not_begun(rig: Rig) -> None:
    rig.lost = {ids.pack(JOB, 9)}
    rig.commit(outcome=Delay(rig.work(1), 0, "", True))
    assert [seq_of(rig.follow(n)) for n in (1, 2)] == [10, None]


def test_what_follows_is_held_no_longer_than_the_page_before_it(rig: Rig) -> None:
    rig.running[1].held_until = soon = leases.clock() + 1
    following = rig.follow(1)
    assert following is not None
    assert following.held_until == soon


def test_as_many_are_wanted_as_run(rig: Rig) -> None:
    assert rig.commit(1).wanted == {JOB: 6}


def test_pages_that_come_at_once_are_not_followed(rig: Rig) -> None:
    rig.running[1].started += 1.0
    assert rig.follow(1) is None
    assert rig.commit(1).wanted == {}


def test_where_there_are_other_workers_every_eighth_place_goes_to_the_queue(rig: Rig) -> None:
    rig.promised.shares = True
    for _ in range(2):
        rig.commit(outcome=Delay(rig.work(1), 0, "", True), promised=tuple(range(11, 31)))
    begun = [rig.follow(1) is not None for _ in range(16)]
    assert [n for n, has_begun in enumerate(begun, 1) if not has_begun] == [8, 16]


@pytest.mark.parametrize("followed", [True, False])
def test_no_page_is_read_before_its_start_is_on_record(rig: Rig, followed: bool) -> None:
    """One that kills its worker is blamed itself, not the page before it."""
    first = rig.follow(1)
    assert first is not None
    read = threading.Event()

    def page() -> None:
        with leases.guarding(first.is_held, lambda: rig.promised.await_start(first)):
            leases.await_start()
        read.set()

    reader = threading.Thread(target=page)
    reader.start()
    assert not read.wait(0.1)
    rig.commit(1, after=first, followed=followed)
    assert read.wait(10)
    reader.join()
    assert first.halt is (None if followed else Halt.CANCELLED)


def test_a_page_is_read_though_the_database_is_away(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.promised._PATIENCE", 0.01)
    first = rig.follow(1)
    assert first is not None
    rig.promised.await_start(first)
    assert first.is_promised


def test_a_refused_start_has_nothing_to_do_with_the_next_one_of_its_task(rig: Rig) -> None:
    refused = rig.follow(1)
    assert refused is not None
    rig.commit(1, after=refused)
    for _ in range(2):  # it is still pending: the second of these promises is for what the first has made room for
        rig.commit(outcome=Delay(rig.work(2), 0, "", True), promised=(9,))
    begun = next(one for n in (2, 3) if (one := rig.follow(n)) is not None and seq_of(one) == 9)
    said: list[str] = []
    rig.promised.when_started(begun, lambda: said.append("begun"))
    rig.promised.when_started(refused, lambda: said.append("refused"))
    rig.promised.await_start(refused)
    assert refused.waited < 0.5
    rig.commit(2, after=begun, followed=True)
    assert (said, begun.is_promised) == (["begun"], False)
    assert refused not in rig.executions.all()


@pytest.mark.parametrize("followed", [True, False])
def test_what_was_begun_is_not_begun_again_when_it_is_promised_again(rig: Rig, followed: bool) -> None:
    """After an outage: its promise has lapsed, and the page before it is recorded by a later commit."""
    begun = rig.follow(1)
    assert begun is not None
    said: list[str] = []
    rig.promised.when_started(begun, lambda: said.append("begun"))
    rig.lost = {ids.pack(JOB, 9), ids.pack(JOB, 10)}
    rig.commit(outcome=Delay(rig.work(2), 0, "", True), promised=(9, 11))
    rig.lost = set()
    other = rig.follow(2)
    assert (seq_of(begun), seq_of(other), rig.follow(3)) == (9, 11, None)
    hands = rig.commit(1, after=begun, followed=followed)
    assert sorted(ids.seq_of(i) for i in hands.kept[JOB]) == [9, 11]
    assert (said, other and other.halt) == (["begun"] if followed else [], None)
    assert (begun in rig.executions.all()) is followed


def test_to_wait_for_a_start_makes_no_page_slow(rig: Rig) -> None:
    first = rig.follow(1)
    assert first is not None
    rig.commit(1, after=first, followed=True)
    first.started, first.waited = first.started - 1.0, 1.0
    assert rig.promised.follow(first, finished(work(9))) is None
    first.waited = 0.0
    assert rig.promised.follow(first, finished(work(9))) is not None
