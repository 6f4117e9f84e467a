"""A commit that ends pages starts the next ones for the worker that has hands free, on both databases."""

from shared.clock import now_us
from shared.models import JobOptions
from shared.stages import Dispatch, Fetched, Finish, Work
from shared.states import JobState, TaskState
from shared.store import Store, jobs, pauses
from tests.crawls import LEASE, Crawl, numbered


def narrow(store: Store, pages: int, concurrency: int) -> tuple[Crawl, list[Work]]:
    """A crawl whose window is full of running pages."""
    crawl = Crawl(store, JobOptions(concurrency=concurrency))
    works = crawl.run([d.task_id for d in crawl.discover(*numbered(pages))]).works
    return crawl, [work for work in works if work is not None]


def finished(work: Work) -> Finish:
    return Finish(work, TaskState.COMPLETED, Fetched(200, 10, 100))


def test_it_works(store: Store) -> None:
    crawl, works = narrow(store, 6, 2)
    now = now_us()
    result = crawl.run(outcomes=[finished(w) for w in works], now=now, hands=2)
    assert [w.url for w in result.started] == ["http://site.test/p2", "http://site.test/p3"]
    assert result.dispatches == []
    rows = {row.path: row for row in crawl.rows()}
    assert (rows["/p3"].state, rows["/p3"].run) == (TaskState.RUNNING, 1)
    assert (rows["/p3"].queued_at, rows["/p3"].claimed_until) == (now, now + LEASE)
    assert crawl.state.n_inflight == 2


def test_started_pages_are_recorded_like_others(store: Store) -> None:
    crawl, todo = narrow(store, 30, 4)
    done: list[Work] = []
    dispatches: list[Dispatch] = []
    while todo:
        result = crawl.run([d.task_id for d in dispatches], [finished(w) for w in todo], hands=8)
        assert all(verdict.recorded for verdict in result.verdicts)
        done += todo
        todo = result.started + [w for w in result.works if w is not None]
        dispatches = result.dispatches
        if not todo and dispatches:
            todo, dispatches = [w for w in crawl.run([d.task_id for d in dispatches]).works if w], []
    assert len({w.id for w in done}) == 30
    assert crawl.now.state is JobState.COMPLETED


def test_no_more_are_started_than_hands_are_free_or_pages_ended(store: Store) -> None:
    crawl, works = narrow(store, 12, 4)
    one = crawl.run(outcomes=[finished(w) for w in works[:2]], hands=1)
    assert (len(one.started), len(one.dispatches)) == (1, 1)
    two = crawl.run(outcomes=[finished(works[2])], hands=4)
    assert len(two.started) + len(two.dispatches) == 1


def test_every_eighth_page_goes_through_the_queue(store: Store) -> None:
    crawl, works = narrow(store, 40, 20)
    result = crawl.run(outcomes=[finished(w) for w in works], hands=20)
    assert [d.task_id & 7 for d in result.dispatches] == [0, 0, 0]
    assert len(result.started) == 17


def test_a_cancelled_job_has_no_successors(store: Store) -> None:
    crawl, works = narrow(store, 6, 2)
    jobs.cancel(store, crawl.job.id, now_us())
    result = crawl.run(outcomes=[finished(w) for w in works], hands=2)
    assert (result.started, result.dispatches) == ([], [])


def test_nor_has_a_paused_one(store: Store) -> None:
    crawl, works = narrow(store, 6, 2)
    pauses.pause_job(store, crawl.job.id, now_us())
    result = crawl.run(outcomes=[finished(w) for w in works], hands=2)
    assert (result.started, result.dispatches) == ([], [])


def test_without_hands_all_go_through_the_queue(store: Store) -> None:
    crawl, works = narrow(store, 6, 2)
    result = crawl.run(outcomes=[finished(w) for w in works])
    assert (len(result.started), len(result.dispatches)) == (0, 2)
