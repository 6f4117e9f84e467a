"""Who gets a job's slots while one of its hosts is to be waited for."""

from collections.abc import Callable

from shared import urls
from shared.clock import SECOND, now_us
from shared.stages import Delay, Finish, Found, NewLink, Work
from shared.states import SourceType, TaskState
from shared.store import Store, step
from shared.store.step import StepResult
from tests.crawls import LEASE, ORIGIN, Crawl, links, numbered, small

OTHER = "http://other.site.test"
CROWDED = frozenset({"site.test"})


def run(crawl: Crawl, admissions: list[int], outcomes: list[Delay]) -> StepResult:
    """One step while the job's own host is crowded."""
    from shared.stages import Admission

    return step.run(crawl.store, [Admission(a) for a in admissions], outcomes, now_us(), LEASE, CROWDED)


def late(work: Work) -> Delay:
    return Delay(work, now_us() + 60 * SECOND, "Waiting", spends_attempt=False, yields=True)


def with_two_hosts(store: Store) -> tuple[Crawl, list[int]]:
    """A job of ten slots, all taken by its own host's pages, with those of another host behind 100 more."""
    crawl = Crawl(store, small(concurrency=10))
    work = crawl.admit(crawl.discovery)
    elsewhere = tuple(NewLink(urls.url_key(OTHER + p), OTHER, p) for p in numbered(20))
    found = Found(work, links(*numbered(110)) + elsewhere, SourceType.SITEMAP, ORIGIN)
    claimed = [d.task_id for d in crawl.run(outcomes=[found]).dispatches]
    crawl.run(outcomes=[Finish(work, TaskState.COMPLETED)])
    return crawl, claimed


def is_elsewhere(crawl: Crawl) -> Callable[[int], bool]:
    return lambda task: crawl.row(task).origin == OTHER


def test_tasks_of_a_crowded_host_give_half_of_the_slots_back(store: Store) -> None:
    crawl, claimed = with_two_hosts(store)
    result = run(crawl, [], [late(crawl.admit(task)) for task in claimed])
    assert [v.put_back for v in result.verdicts] == [False] * 5 + [True] * 5
    assert [d.task_id for d in result.dispatches if not is_elsewhere(crawl)(d.task_id)] == []
    assert len(result.dispatches) == 5
    assert crawl.state.n_inflight == 10
    assert len(crawl.rows(TaskState.DELAYED)) == 5


def test_what_was_given_back_runs_in_the_end(store: Store) -> None:
    crawl, claimed = with_two_hosts(store)
    todo = run(crawl, [], [late(crawl.admit(task)) for task in claimed]).dispatches
    crawl.crawl_all(todo)
    crawl.crawl_all([d for d in todo if d.task_id in claimed[:5]])
    for task in claimed[:5]:
        crawl.crawl_all(crawl.complete(crawl.admit(task))[1])
    assert crawl.now.state.name == "COMPLETED"
    assert len(crawl.rows(TaskState.COMPLETED)) == 130


def test_a_job_of_one_host_keeps_its_slots_busy(store: Store) -> None:
    crawl = Crawl(store, small(concurrency=4))
    claimed = [d.task_id for d in crawl.discover(*numbered(9))]
    result = run(crawl, [], [late(crawl.admit(task)) for task in claimed])
    assert [v.put_back for v in result.verdicts] == [False, False, True, True]
    assert result.dispatches == []
    first = crawl.admit(claimed[0])
    assert len(crawl.complete(first)[1]) == 3


def test_a_job_with_one_slot_waits_for_its_host(store: Store) -> None:
    crawl = Crawl(store, small(concurrency=1))
    (only,) = crawl.discover(*numbered(3))
    result = run(crawl, [], [late(crawl.admit(only.task_id))])
    assert not result.verdicts[0].put_back
    assert crawl.row(only.task_id).state == TaskState.DELAYED
