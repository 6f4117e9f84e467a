"""The hot transaction, on both databases."""

import threading

from shared.clock import SECOND, now_us
from shared.stages import Admission, Dispatch, Fetched, Finish, Recheck, Work
from shared.states import CacheStatus, JobState, TaskState
from shared.store import Store, open_store
from tests.crawls import Crawl, links, numbered, small


def test_it_works(store: Store) -> None:
    crawl = Crawl(store)
    assert crawl.crawl_all(crawl.discover("/", "/a", "/b")) == 3
    assert crawl.now.state is JobState.COMPLETED
    assert crawl.counts.ended(TaskState.COMPLETED) == 3
    assert [row.path for row in crawl.rows()] == ["/", "/a", "/b"]


def test_a_link_found_twice_is_one_task(store: Store) -> None:
    crawl = Crawl(store)
    first, second = (crawl.admit(d.task_id) for d in crawl.discover("/", "/a", "/"))
    crawl.complete(first, "/a", "/new", "/new")
    crawl.complete(second, "/new")
    assert [row.path for row in crawl.rows()] == ["/", "/a", "/new"]


def test_task_ids_are_dense(store: Store) -> None:
    crawl = Crawl(store)
    work = crawl.admit(crawl.discover("/", "/a")[0].task_id)
    crawl.complete(work, "/a", "/b", "/c")
    assert [row.id & 0xFFFFFFFF for row in crawl.rows()] == [2, 3, 4, 5]


def test_an_outcome_delivered_twice_counts_once(store: Store) -> None:
    crawl = Crawl(store)
    work = crawl.admit(crawl.discover("/", "/a")[0].task_id)
    assert crawl.complete(work)[0].recorded
    assert not crawl.complete(work)[0].recorded
    assert crawl.counts.ended(TaskState.COMPLETED) == 1
    assert crawl.state.n_open == 1


def test_a_task_taken_twice_from_the_queue_runs_once(store: Store) -> None:
    crawl = Crawl(store)
    task_id = crawl.discover("/")[0].task_id
    works = crawl.run([task_id, task_id]).works
    assert [w is not None for w in works] == [True, False]
    assert crawl.run([task_id]).works == [None]


def test_only_the_newest_start_may_record(store: Store) -> None:
    crawl = Crawl(store)
    slow = crawl.admit(crawl.discover("/")[0].task_id)
    crawl.release(slow)
    second = crawl.admit(slow.id)
    assert not crawl.complete(slow)[0].recorded
    assert crawl.complete(second)[0].recorded


def test_a_job_keeps_no_more_tasks_in_the_queue_than_its_concurrency(store: Store) -> None:
    crawl = Crawl(store, small(concurrency=3))
    dispatches = crawl.discover(*numbered(10))
    assert len(dispatches) == 3
    _, following = crawl.complete(crawl.admit(dispatches[0].task_id))
    assert len(following) == 1
    assert crawl.state.n_inflight == 3


def test_max_pages_is_exact_in_one_batch(store: Store) -> None:
    crawl = Crawl(store, small(max_pages=7))
    assert crawl.crawl_all(crawl.discover(*numbered(50))) == 7
    assert len(crawl.rows()) == 7
    assert crawl.now.state is JobState.COMPLETED


def test_a_full_job_says_so(store: Store) -> None:
    crawl = Crawl(store, small(max_pages=2))
    work = crawl.admit(crawl.discover("/")[0].task_id)
    verdict, _ = crawl.complete(work, "/a", "/b", "/c")
    assert (verdict.added, verdict.full) == (1, True)


def test_max_pages_is_exact_between_two_committers(store: Store, store_url: str) -> None:
    crawl = Crawl(store, small(concurrency=40, max_pages=100))
    dispatches = crawl.discover(*numbered(40))
    works = [crawl.admit(d.task_id) for d in dispatches]

    def commit(part: int) -> None:
        other = open_store(store_url)
        mine = Crawl.__new__(Crawl)
        mine.store, mine.job, mine.discovery = other, crawl.job, crawl.discovery
        for i, work in enumerate(works[part::2]):
            mine.complete(work, *numbered(10, f"/{part}-{i}-"))
        other.close()

    threads = [threading.Thread(target=commit, args=(part,)) for part in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(crawl.rows()) == 100
    assert crawl.counts.ended(TaskState.COMPLETED) == 40
    assert crawl.state.n_open == 60
    assert crawl.state.n_inflight == 40


def test_a_job_goes_on_while_discovery_runs(store: Store) -> None:
    from shared.stages import Found
    from shared.states import SourceType
    from tests.crawls import ORIGIN

    crawl = Crawl(store)
    discovery = crawl.admit(crawl.discovery)
    dispatches = crawl.run(outcomes=[Found(discovery, links("/"), SourceType.SITEMAP, ORIGIN)]).dispatches
    crawl.complete(crawl.admit(dispatches[0].task_id))
    assert crawl.now.state is JobState.RUNNING
    crawl.record(Finish(discovery, TaskState.COMPLETED))
    assert crawl.now.state is JobState.COMPLETED


def test_a_job_completes_only_when_the_last_pages_links_are_stored(store: Store) -> None:
    crawl = Crawl(store)
    _, following = crawl.complete(crawl.admit(crawl.discover("/")[0].task_id), "/late")
    assert crawl.now.state is JobState.RUNNING
    crawl.complete(crawl.admit(following[0].task_id))
    assert crawl.now.state is JobState.COMPLETED


def test_a_discovery_without_pages_completes_the_job(store: Store) -> None:
    crawl = Crawl(store)
    crawl.discover()
    assert crawl.now.state is JobState.COMPLETED


def test_what_makes_a_crawl_impossible_fails_the_job(store: Store) -> None:
    crawl = Crawl(store)
    crawl.record(Finish(crawl.admit(crawl.discovery), TaskState.FAILED, error="gone", job_error="gone"))
    assert (crawl.now.state, crawl.now.error) == (JobState.FAILED, "gone")


def test_a_retry_spends_an_attempt_and_keeps_its_slot(store: Store) -> None:
    crawl = Crawl(store)
    work = crawl.admit(crawl.discover("/")[0].task_id)
    crawl.delay(work, now_us() + SECOND)
    row = crawl.row(work.id)
    assert (row.state, row.attempts, crawl.state.n_inflight) == (TaskState.DELAYED, 1, 1)
    assert crawl.admit(work.id).attempt == 2


def test_a_snooze_spends_no_attempt(store: Store) -> None:
    crawl = Crawl(store)
    work = crawl.admit(crawl.discover("/")[0].task_id)
    crawl.delay(work, now_us(), spends_attempt=False)
    assert crawl.admit(work.id).attempt == 1


def test_a_released_task_is_queued_again_without_an_attempt(store: Store) -> None:
    crawl = Crawl(store)
    work = crawl.admit(crawl.discover("/")[0].task_id)
    crawl.release(work)
    row = crawl.row(work.id)
    assert (row.state, row.attempts, row.crashes) == (TaskState.QUEUED, 0, 0)


def test_an_operators_requeue_runs_a_failed_task_again(store: Store) -> None:
    crawl = Crawl(store)
    work = crawl.admit(crawl.discover("/")[0].task_id)
    crawl.fail(work)
    assert crawl.now.state is JobState.COMPLETED
    (again,) = crawl.run([Admission(work.id, requeued=True)]).works
    assert again is not None
    assert again.attempt == 1
    assert crawl.now.state is JobState.RUNNING
    crawl.complete(again)
    assert crawl.counts.by_status_code() == {"200": 1}
    assert crawl.now.state is JobState.COMPLETED


def test_a_duplicate_delivery_of_a_failed_task_does_not_run(store: Store) -> None:
    crawl = Crawl(store)
    work = crawl.admit(crawl.discover("/")[0].task_id)
    crawl.fail(work)
    assert crawl.run([work.id]).works == [None]


def test_a_link_that_robots_forbids_is_recorded_as_skipped(store: Store) -> None:
    from dataclasses import replace

    crawl = Crawl(store, small(max_pages=2))
    work = crawl.admit(crawl.discover("/")[0].task_id)
    found = (replace(links("/private")[0], skip="robots.txt"), *links("/open"))
    crawl.record(Finish(work, TaskState.COMPLETED, Fetched(200), links=found))
    assert [(r.path, r.state) for r in crawl.rows()[1:]] == [
        ("/private", TaskState.SKIPPED),
        ("/open", TaskState.QUEUED),
    ]
    assert crawl.counts.ended(TaskState.SKIPPED) == 1


def missed(crawl: Crawl, *paths: str) -> tuple[Work, list[Dispatch]]:
    """Crawls the home page, which misses the cache."""
    work = crawl.admit(crawl.discover("/")[0].task_id)
    fetched = Fetched(200, 120, 1000, "text/html", CacheStatus.MISS)
    first = Finish(work, TaskState.COMPLETED, fetched, links=links(*paths), found=len(paths))
    return work, crawl.record(Recheck(first, now_us() + SECOND))[1]


def test_a_page_that_missed_the_cache_waits_for_its_second_request(store: Store) -> None:
    crawl = Crawl(store)
    work, following = missed(crawl, "/a")
    row = crawl.row(work.id)
    assert (row.state, row.status_code, row.response_time, row.attempts) == (TaskState.DELAYED, 200, 120, 1)
    assert [crawl.row(d.task_id).path for d in following] == ["/a"]
    assert crawl.now.state is JobState.RUNNING


def test_the_second_request_completes_the_page_without_an_attempt(store: Store) -> None:
    crawl = Crawl(store)
    again = crawl.admit(missed(crawl)[0].id)
    assert again.first is not None
    second = Fetched(200, 30, cache_status=CacheStatus.HIT)
    crawl.record(Finish(again, TaskState.COMPLETED, again.first.fetched, second=second))
    row = crawl.row(again.id)
    assert (row.response_time, row.second_response_time, row.second_cache_status) == (120, 30, CacheStatus.HIT)
    assert (row.attempts, crawl.counts.cache_hit_ratio, crawl.now.state) == (1, 0.0, JobState.COMPLETED)


def test_a_failed_page_that_is_run_again_starts_with_its_first_request(store: Store) -> None:
    crawl = Crawl(store)
    work = crawl.admit(crawl.discover("/")[0].task_id)
    crawl.record(Finish(work, TaskState.FAILED, Fetched(404, 9, cache_status=CacheStatus.MISS), error="HTTP 404"))
    (again,) = crawl.run([Admission(work.id, requeued=True)]).works
    assert again is not None
    assert again.first is None
