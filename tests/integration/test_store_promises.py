"""Pending tasks that a worker may begin before a commit has started them, on both databases."""

from dataclasses import replace

import pytest

from shared.clock import SECOND, now_us
from shared.models import JobOptions
from shared.stages import Admission, Delay, Fetched, Finish, Hands, Outcome, Work
from shared.states import JobState, TaskState
from shared.store import Store, jobs, pauses, step
from shared.store.step import StepResult
from tests.crawls import LEASE, Crawl, numbered

NOW = now_us()


class Site:
    """A crawl of ten pages in a window of two; the worker has been promised the next three."""

    def __init__(self, store: Store, options: JobOptions | None = None) -> None:
        self.crawl = Crawl(store, options or JobOptions(concurrency=2))
        dispatched = self.crawl.discover(*numbered(10))
        works = self.crawl.run([d.task_id for d in dispatched], now=NOW).works
        self.running = [work for work in works if work is not None]
        first = self.end(0, wanted=3)
        self.running[0:1] = first.started
        self.promised = first.promised

    def commit(
        self,
        outcomes: list[Outcome],
        *,
        free: int = 0,
        kept: list[Work] | None = None,
        wanted: int = 0,
        followed: dict[int, Work] | None = None,
        now: int = NOW,
        worker: str = "w1",
        shares: bool = False,
    ) -> StepResult:
        number = self.crawl.job.id
        ids = {number: [w.id for w in kept]} if kept else {}
        hands = Hands(free, shares, ids, {number: wanted}, followed or {})
        return self.crawl.run(outcomes=outcomes, hands=hands, worker=worker, now=now)

    def end(self, n: int, wanted: int = 0) -> StepResult:
        return self.commit([finished(self.running[n])], free=1, wanted=wanted)

    def follow(self, kept: int = 3, now: int = NOW) -> StepResult:
        """The worker has begun its first promise in the place of the first page."""
        return self.commit(
            [finished(self.running[0])],
            kept=self.promised[:kept],
            followed={self.running[0].id: self.promised[0]},
            now=now,
        )

    def state_of(self, work: Work) -> TaskState:
        return TaskState(self.crawl.row(work.id).state)


def finished(work: Work) -> Finish:
    return Finish(work, TaskState.COMPLETED, Fetched(200, 10, 100))


@pytest.fixture
def site(store: Store) -> Site:
    return Site(store)


def paths(works: list[Work]) -> list[str]:
    return [work.url.rpartition("/")[2] for work in works]


def test_it_works(site: Site) -> None:
    assert (paths(site.running), paths(site.promised)) == (["p2", "p1"], ["p3", "p4", "p5"])
    assert {site.state_of(work) for work in site.promised} == {TaskState.PENDING}
    result = site.follow()
    assert (result.followed, result.started, result.dispatches) == ({site.promised[0].id}, [], [])
    row = site.crawl.row(site.promised[0].id)
    assert (row.state, row.run, row.queued_at, row.started_at) == (TaskState.RUNNING, site.promised[0].run, NOW, NOW)
    assert row.claimed_until == NOW + LEASE
    assert site.crawl.state.n_inflight == 2


def test_what_is_promised_is_claimed_by_nobody_else(site: Site) -> None:
    result = site.commit([finished(w) for w in site.running], free=2, worker="w2")
    assert (paths(result.started), result.promised) == (["p6", "p7"], [])


def test_nor_promised_twice(site: Site) -> None:
    result = site.commit([finished(site.running[1])], free=1, wanted=2, worker="w2")
    assert (paths(result.started), paths(result.promised)) == (["p6"], ["p7", "p8"])


def test_what_is_not_kept_is_free_again(site: Site) -> None:
    result = site.commit([finished(w) for w in site.running], free=2, kept=site.promised[1:])
    assert paths(result.started) == ["p3", "p6"]


def test_a_promise_lapses(site: Site) -> None:
    late = site.commit([finished(w) for w in site.running], free=2, worker="w2", now=NOW + LEASE)
    assert paths(late.started) == ["p3", "p4"]


def test_but_not_while_it_is_kept(site: Site) -> None:
    soon = NOW + 6 * SECOND
    site.commit([finished(site.running[0])], free=1, kept=site.promised, now=soon)
    late = site.commit([finished(site.running[1])], free=1, worker="w2", now=soon + 6 * SECOND)
    assert paths(late.started) == ["p7"]


def test_one_that_lapsed_but_was_begun_is_started_where_nobody_has_it(site: Site) -> None:
    assert site.follow(now=NOW + 2 * LEASE).followed == {site.promised[0].id}


def test_one_that_another_has_got_meanwhile_is_not(site: Site) -> None:
    site.commit([finished(site.running[1])], free=1, worker="w2", now=NOW + LEASE)
    assert site.state_of(site.promised[0]) is TaskState.RUNNING
    result = site.follow(now=NOW + LEASE)
    assert (result.followed, site.crawl.row(site.promised[0].id).run) == (set(), 1)
    assert site.crawl.state.n_inflight == 2


def test_no_more_are_promised_than_are_wanted_with_those_kept(site: Site) -> None:
    result = site.commit([finished(site.running[0])], free=1, kept=site.promised, wanted=4)
    assert (paths(result.started), paths(result.promised)) == (["p6"], ["p7"])


def test_pages_that_a_level_has_to_wait_for_are_not_promised(store: Store) -> None:
    assert Site(store, JobOptions(concurrency=2, max_depth=3)).promised == []


def test_where_there_are_other_workers_every_eighth_page_is_left_to_the_queue(store: Store) -> None:
    crawl = Crawl(store, JobOptions(concurrency=1))
    (work,) = crawl.run([d.task_id for d in crawl.discover(*numbered(20))]).works
    assert work is not None
    hands = Hands(1, True, {}, {crawl.job.id: 16})
    assert [w.id & 7 for w in crawl.run(outcomes=[finished(work)], hands=hands, worker="w1").promised].count(0) == 0


@pytest.mark.parametrize("how", ["delayed", "stale"])
def test_a_page_that_keeps_its_place_is_followed_by_none(site: Site, how: str) -> None:
    page = site.running[0]
    outcome = Delay(page, NOW, "HTTP 503", True) if how == "delayed" else finished(replace(page, run=7))
    result = site.commit([outcome], kept=site.promised, followed={page.id: site.promised[0]})
    assert (result.followed, site.state_of(site.promised[0])) == (set(), TaskState.PENDING)
    assert site.crawl.state.n_inflight == 2


@pytest.mark.parametrize("how", ["paused", "cancelled"])
def test_nor_is_one_of_a_job_that_is_halted(site: Site, store: Store, how: str) -> None:
    if how == "paused":
        pauses.pause_job(store, site.crawl.job.id, NOW)
    else:
        jobs.cancel(store, site.crawl.job.id, NOW)
    assert site.follow().followed == set()


def test_a_job_that_goes_on_after_a_pause_has_all_its_pages(site: Site, store: Store) -> None:
    pauses.pause_job(store, site.crawl.job.id, NOW)
    site.follow()
    pauses.resume_job(store, site.crawl.job.id, NOW)
    assert site.crawl.state.promised is None


def test_a_try_whose_answer_was_lost_knows_what_it_started(site: Site) -> None:
    page, following = site.running[0], site.promised[0]
    hands = Hands(0, False, {}, {}, {page.id: following})
    site.follow()
    again = step.run(site.crawl.store, [], [finished(page)], NOW + 1, LEASE, tried=[NOW], hands=hands, worker="w1")
    assert again.followed == {following.id}
    row = site.crawl.row(following.id)
    assert (row.run, row.claimed_until, site.crawl.state.n_inflight) == (following.run, NOW + 1 + LEASE, 2)


def test_what_has_lapsed_is_not_kept(site: Site) -> None:
    """Another worker has it by now: nobody may be promised what runs."""
    site.commit([finished(site.running[1])], free=1, worker="w2", now=NOW + LEASE)
    result = site.commit([finished(site.running[0])], free=1, kept=site.promised, wanted=2, now=NOW + LEASE + 1)
    assert result.kept == {site.crawl.job.id: frozenset()}
    assert paths(result.started) == ["p4"]
    assert paths(result.promised) == ["p5", "p6"]


def test_nor_what_a_pause_has_taken_back(site: Site, store: Store) -> None:
    pauses.pause_job(store, site.crawl.job.id, NOW)
    assert site.commit([finished(site.running[0])], kept=site.promised).kept == {site.crawl.job.id: frozenset()}
    pauses.resume_job(store, site.crawl.job.id, NOW)
    assert site.commit([finished(site.running[1])], kept=site.promised).kept == {site.crawl.job.id: frozenset()}


def test_who_says_nothing_of_promises_keeps_them(site: Site) -> None:
    """A commit of admissions alone, one of which an operator has requeued."""
    before = site.crawl.state.promised
    assert before is not None
    failed = Finish(site.running[0], TaskState.FAILED, Fetched(404, 10, 100), error="HTTP 404")
    site.commit([failed], free=1, kept=site.promised)
    step.run(site.crawl.store, [Admission(failed.work.id, True)], [], NOW, LEASE, worker="w1")
    assert site.crawl.row(failed.work.id).state == TaskState.RUNNING
    assert site.crawl.state.promised == before


def test_all_pages_are_crawled_once(site: Site) -> None:
    """A chain: each page is followed by a promised one, as long as there are any."""
    ended = 0
    todo, promised = site.running, site.promised
    while todo:
        followed = dict(zip((w.id for w in todo), promised, strict=False))
        kept = promised
        result = site.commit([finished(w) for w in todo], free=2, kept=kept, wanted=2, followed=followed)
        assert all(v.recorded for v in result.verdicts)
        assert result.followed == {w.id for w in followed.values()}
        ended += len(todo)
        todo = [*followed.values(), *result.started]
        promised = [w for w in promised if w.id not in result.followed] + result.promised
        assert len(todo) <= 2
    assert (ended + 1, site.crawl.now.state) == (10, JobState.COMPLETED)
    assert site.crawl.state.promised is None


@pytest.mark.parametrize(("shares", "promised"), [(False, ["p7", "p8", "p9"]), (True, ["p7"])])
def test_the_last_pages_are_promised_to_nobody_where_there_are_other_workers(
    site: Site, shares: bool, promised: list[str]
) -> None:
    """A worker that waits for slow pages would keep them from one that has nothing to do."""
    result = site.commit([finished(site.running[1])], free=1, wanted=9, worker="w2", shares=shares)
    assert paths(result.promised) == promised
