"""What is kept of each attempt, and who links to what is broken."""

import pytest
from sqlalchemy import func, select

from shared import answers
from shared.answers import HIDDEN, AnswerFacts, Phases
from shared.clock import SECOND, now_us
from shared.models import JobOptions
from shared.packing import packed
from shared.stages import Admission, Fetched, Finish, Recheck, Work
from shared.states import CacheStatus, TaskState
from shared.store import Store, attempts, holders, retention, step
from shared.store.tables import metadata
from tests.crawls import Crawl, links

PHASES = Phases(1.5, 0.3, None, 12.0, 3.1)


def count(store: Store, name: str) -> int:
    with store.read() as conn:
        return conn.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()


def linking(work: Work, *paths: str) -> Finish:
    """A page with these links on it."""
    targets = packed("q", [link.url_hash for link in links(*paths)])
    return Finish(work, TaskState.COMPLETED, Fetched(200, 10), links=links(*paths), targets=targets)


def crawled(store: Store, pages: dict[str, tuple[str, ...] | None]) -> Crawl:
    """A finished crawl of pages with their links; None: they fail."""
    crawl = Crawl(store, JobOptions(concurrency=100))
    todo = crawl.discover(*pages)
    for work in [crawl.admit(dispatch.task_id) for dispatch in todo]:
        found = pages[work.url.removeprefix("http://site.test")]
        crawl.fail(work) if found is None else crawl.record(linking(work, *found))
    return crawl


def held(crawl: Crawl, most: int = holders.MOST) -> dict[str, tuple[int, list[str]]]:
    tasks = {row.path: row.id for row in crawl.rows()}
    found = holders.of_tasks(crawl.store, crawl.now, list(tasks.values()), most)
    name = {task: path for path, task in tasks.items()}
    return {name[i]: (h.n, [url.removeprefix("http://site.test") for url in h.urls]) for i, h in found.items()}


def test_each_attempt_is_kept_with_what_it_brought(store: Store) -> None:
    crawl = Crawl(store)
    (dispatch,) = crawl.discover("/a")
    crawl.delay(crawl.admit(dispatch.task_id), now_us(), spends_attempt=True)
    crawl.delay(crawl.admit(dispatch.task_id), now_us(), spends_attempt=False)
    answer = answers.packed({"server": "nginx", "set-cookie": "secret"}, PHASES)
    crawl.complete(crawl.admit(dispatch.task_id), answer=answer)
    first, last = attempts.of_task(store, dispatch.task_id)
    assert (first.state, first.error, first.answer) == (TaskState.DELAYED, "HTTP 503", None)
    assert (last.state, last.status_code, last.response_time, last.error) == (TaskState.COMPLETED, 200, 100, None)
    assert last.answer
    assert last.answer.phases == PHASES
    assert last.answer.headers == (("server", "nginx"), ("set-cookie", HIDDEN))
    assert first.started_at
    assert first.started_at <= first.ended_at <= (last.started_at or 0) <= last.ended_at


def test_the_second_request_of_a_page_is_no_attempt(store: Store) -> None:
    crawl = Crawl(store)
    (dispatch,) = crawl.discover("/a")
    work = crawl.admit(dispatch.task_id)
    crawl.record(Recheck(Finish(work, TaskState.COMPLETED, Fetched(200, 10, cache_status=CacheStatus.MISS)), now_us()))
    second = Fetched(304, 4, answer=answers.packed({"age": "2"}, PHASES))
    crawl.record(Finish(crawl.admit(dispatch.task_id), TaskState.COMPLETED, Fetched(200, 10), second))
    (attempt,) = attempts.of_task(store, dispatch.task_id)
    assert (attempt.response_time, attempt.second_status_code) == (10, 304)
    assert attempt.second_answer == AnswerFacts(PHASES, (("age", "2"),))


def test_the_second_request_of_a_page_crawled_again_stays_with_its_attempt(store: Store) -> None:
    crawl = Crawl(store)
    (dispatch,) = crawl.discover("/a")
    for n, requeued in enumerate((False, True)):
        (work,) = crawl.run([Admission(dispatch.task_id, requeued)]).works
        assert work is not None
        missed = Fetched(200, n, cache_status=CacheStatus.MISS)
        crawl.record(Recheck(Finish(work, TaskState.COMPLETED, missed), now_us()))
        work = crawl.admit(dispatch.task_id)
        crawl.record(Finish(work, TaskState.FAILED, Fetched(200, n), Fetched(200 + n, 4), error="HTTP 500"))
    found = attempts.of_task(store, dispatch.task_id)
    assert [(attempt.response_time, attempt.second_status_code) for attempt in found] == [(0, 200), (1, 201)]


def test_an_attempt_names_the_worker_that_made_it(store: Store) -> None:
    crawl = Crawl(store)
    (dispatch,) = crawl.discover("/a")
    work = crawl.admit(dispatch.task_id)
    step.run(store, [], [Finish(work, TaskState.COMPLETED, Fetched(200, 1))], now_us(), SECOND, worker="box-42-ab12cd")
    assert [attempt.worker for attempt in attempts.of_task(store, dispatch.task_id)] == ["box-42-ab12cd"]


def test_a_task_that_is_retried_for_ever_keeps_its_newest_attempts(store: Store) -> None:
    crawl = Crawl(store)
    (dispatch,) = crawl.discover("/a")
    for n in range(attempts.KEPT + 5):
        (work,) = crawl.run([Admission(dispatch.task_id, requeued=n > 0)]).works
        assert work is not None
        crawl.fail(work, f"HTTP {n}")
    found = attempts.of_task(store, dispatch.task_id)
    assert [attempt.error for attempt in found] == [f"HTTP {n}" for n in range(5, attempts.KEPT + 5)]
    assert count(store, "task_attempts") == attempts.KEPT + 1  # the discovery's


def test_all_pages_that_link_to_a_broken_one_are_named(store: Store) -> None:
    pages = {"/gone": None, "/a": ("/gone", "/b"), "/b": ("/a", "/gone"), "/c": ("/a",), "/lost": None}
    crawl = crawled(store, pages)
    assert count(store, "page_links") == 3
    assert holders.tend(store) == 3
    assert held(crawl) == {"/gone": (2, ["/a", "/b"])}
    assert held(crawl, most=1) == {"/gone": (2, ["/a"])}
    assert (count(store, "page_links"), holders.tend(store)) == (0, 0)


def test_holders_are_counted_over_any_number_of_reads_and_named_up_to_a_bound(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holders, "_PAGES", 2)
    monkeypatch.setattr(holders, "MOST", 3)
    crawl = crawled(store, {"/gone": None} | {f"/p{n}": ("/gone",) for n in range(7)})
    assert holders.tend(store) == 7
    assert held(crawl, most=9) == {"/gone": (7, ["/p0", "/p1", "/p2"])}


def test_links_wait_for_the_end_of_their_job_and_are_read_again_after_a_retry(store: Store) -> None:
    crawl = Crawl(store, JobOptions(concurrency=100))
    works = [crawl.admit(d.task_id) for d in crawl.discover("/gone", "/flaky", "/a")]
    crawl.record(linking(works[2], "/gone"))
    crawl.fail(works[0])
    assert holders.tend(store) == 0
    crawl.fail(works[1])
    assert holders.tend(store) == 1
    (again,) = crawl.run([Admission(works[1].id, requeued=True)]).works
    assert again is not None
    crawl.record(linking(again, "/gone", "/a"))
    assert holders.tend(store) == 1
    assert held(crawl) == {"/gone": (2, ["/a", "/flaky"])}


def test_a_deleted_job_takes_its_attempts_and_holders_with_it(store: Store) -> None:
    kept = crawled(store, {"/gone": None, "/a": ("/gone",)})
    gone, _ = (crawled(store, {"/gone": None, "/a": ("/gone",)}) for _ in range(2))
    holders.tend(store)
    late = crawled(store, {"/gone": None, "/a": ("/gone",)})
    for crawl in (gone, late):
        retention.delete_job(store, crawl.job.id)
    assert (count(store, "page_links"), count(store, "link_holders"), count(store, "task_attempts")) == (0, 2, 6)
    assert held(kept) == {"/gone": (1, ["/a"])}
