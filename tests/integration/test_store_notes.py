"""Warnings, redirects, and jobs that a host blocks."""

from dataclasses import replace

from shared import urls
from shared.clock import SECOND, now_us
from shared.stages import Delay, Finish, Found, JobWarning, NewLink, Redirect
from shared.states import JobState, SourceType, TaskState, WarningKind
from shared.store import Store, blocked, notes, retention
from tests.crawls import ORIGIN, Crawl, links, numbered, small

OTHER = "http://other.site.test"
BLOCKED = JobWarning(WarningKind.BLOCKED, "site.test", "Blocked by Cloudflare (HTTP 403)")
TRAP = JobWarning(WarningKind.TRAP, "Session ids: /a", "Session ids: /a: left out", 3)


def test_it_works(store: Store) -> None:
    crawl = Crawl(store)
    (task,) = crawl.discover("/a")
    hops = (Redirect(301, f"{ORIGIN}/b"), Redirect(302, f"{ORIGIN}/c"))
    crawl.record(Finish(crawl.admit(task.task_id), TaskState.COMPLETED, redirects=hops, warnings=(TRAP,)))
    assert notes.redirects_of(store, task.task_id) == list(hops)
    assert notes.of_job(store, crawl.job.id) == [TRAP]


def test_a_warning_is_told_once_and_counted(store: Store) -> None:
    crawl = Crawl(store)
    for task in crawl.discover("/a", "/b"):
        crawl.record(Finish(crawl.admit(task.task_id), TaskState.COMPLETED, warnings=(TRAP,)))
    assert [warning.n for warning in notes.of_job(store, crawl.job.id)] == [6]


def test_many_traps_hide_no_block_and_are_counted_on(store: Store) -> None:
    crawl = Crawl(store)
    traps = tuple(replace(TRAP, subject=f"{n}", n=1) for n in range(120))
    for task in crawl.discover("/a", "/b"):
        crawl.record(Finish(crawl.admit(task.task_id), TaskState.COMPLETED, warnings=(*traps, BLOCKED)))
    found = notes.of_job(store, crawl.job.id)
    assert BLOCKED.message in {warning.message for warning in found}
    assert [warning.n for warning in found if warning.kind is WarningKind.TRAP] == [2] * 100


def test_what_waits_on_a_blocking_host_ends_at_once(store: Store) -> None:
    crawl = Crawl(store, small(concurrency=3))
    first, second, third = crawl.discover(*numbered(2500))
    crawl.record(Delay(crawl.admit(second.task_id), now_us() + 600 * SECOND, "HTTP 403", True))
    crawl.complete(crawl.admit(third.task_id))
    crawl.record(Finish(crawl.admit(first.task_id), TaskState.FAILED, error="HTTP 403", warnings=(BLOCKED,)))
    held, _ = blocked.give_up(store, now_us())
    assert second.task_id in {d.task_id for d in held}
    crawl.crawl_all([])
    waiting = crawl.rows(TaskState.QUEUED)
    assert len(crawl.rows(TaskState.FAILED)) == 2499 - len(waiting)
    for row in waiting:
        crawl.fail(crawl.admit(row.id), "HTTP 403", 403)
    assert {row.error for row in crawl.rows(TaskState.FAILED)} == {BLOCKED.message, "HTTP 403"}
    assert crawl.now.state is JobState.COMPLETED
    assert crawl.counts.ended(TaskState.FAILED) == 2499


def test_pages_of_other_hosts_go_on(store: Store) -> None:
    crawl = Crawl(store, small(concurrency=2))
    work = crawl.admit(crawl.discovery)
    found = (*links(*numbered(50)), NewLink(urls.url_key(OTHER + "/x"), OTHER, "/x"))
    claimed = crawl.run(outcomes=[Found(work, found, SourceType.SITEMAP, ORIGIN)]).dispatches
    crawl.run(outcomes=[Finish(work, TaskState.COMPLETED)])
    for task in claimed:
        crawl.record(Finish(crawl.admit(task.task_id), TaskState.FAILED, error="HTTP 403", warnings=(BLOCKED,)))
    for row in crawl.rows(TaskState.QUEUED):
        crawl.record(Delay(crawl.admit(row.id), now_us() + 600 * SECOND, "HTTP 403", True))
    _, instead = blocked.give_up(store, now_us())
    assert [crawl.row(d.task_id).path for d in instead] == ["/x"]


def test_a_job_that_is_blocked_from_the_start_has_failed_and_says_why(store: Store) -> None:
    crawl = Crawl(store)
    (home,) = crawl.discover("/")
    crawl.record(Finish(crawl.admit(home.task_id), TaskState.FAILED, error="HTTP 403", warnings=(BLOCKED,)))
    assert crawl.now.state is JobState.FAILED
    assert crawl.now.error == BLOCKED.message


def test_warnings_go_with_their_job(store: Store) -> None:
    crawl = Crawl(store)
    (task,) = crawl.discover("/a")
    hops = (Redirect(301, f"{ORIGIN}/b"),)
    done = Finish(crawl.admit(task.task_id), TaskState.COMPLETED, warnings=(replace(TRAP, n=1),), redirects=hops)
    crawl.record(done)
    retention.delete_job(store, crawl.job.id)
    assert notes.of_job(store, crawl.job.id) == []
    assert notes.redirects_of(store, task.task_id) == []
