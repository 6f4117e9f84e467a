"""Warnings, redirects, and jobs that a host blocks."""

import threading
from dataclasses import replace

from sqlalchemy import create_engine, select, text, update

from shared import urls
from shared.clock import SECOND, now_us
from shared.stages import Delay, Finish, Found, JobWarning, NewLink, Redirect
from shared.states import JobState, SourceType, TaskState, WarningKind
from shared.store import Store, blocked, notes, open_store, retention
from shared.store.tables import job_state, tasks
from tests.crawls import ORIGIN, Crawl, links, numbered, small
from tests.waiting import until

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


def test_giving_up_holds_no_tasks_while_it_waits_for_their_job(postgres_url: str) -> None:
    store = open_store(postgres_url)
    crawl = Crawl(store, small(concurrency=1))
    (first, *_) = crawl.discover("/a", "/b")
    crawl.record(Finish(crawl.admit(first.task_id), TaskState.FAILED, error="HTTP 403", warnings=(BLOCKED,)))
    crawl.record(Delay(crawl.admit(crawl.rows(TaskState.QUEUED)[0].id), now_us() + 600 * SECOND, "HTTP 403", True))
    thread = threading.Thread(target=blocked.give_up, args=(store, now_us()))
    with create_engine(postgres_url).begin() as conn:
        conn.execute(select(job_state).where(job_state.c.job_id == crawl.job.id).with_for_update())
        thread.start()
        waiting = text("SELECT 1 FROM pg_locks WHERE NOT granted")
        until(lambda: conn.execute(waiting).first() is not None, 10, "nothing waits for the job")
        conn.execute(text("SET LOCAL lock_timeout = '500ms'"))
        claim = update(tasks).where(tasks.c.state == TaskState.DELAYED).values(queued_at=1)
        assert conn.execute(claim).rowcount == 1
    thread.join(10)
    assert len(crawl.rows(TaskState.FAILED)) == 2
    store.close()


def test_each_task_is_told_which_host_blocks(store: Store) -> None:
    crawl = Crawl(store, small(concurrency=1))
    work = crawl.admit(crawl.discovery)
    found = (*links("/a", "/b"), NewLink(urls.url_key(OTHER + "/x"), OTHER, "/x"))
    (first,) = crawl.run(outcomes=[Found(work, found, SourceType.SITEMAP, ORIGIN)]).dispatches
    crawl.run(outcomes=[Finish(work, TaskState.COMPLETED)])
    other = replace(BLOCKED, subject="other.site.test", message="Blocked by Akamai (HTTP 403)")
    done = Finish(crawl.admit(first.task_id), TaskState.FAILED, error="HTTP 403", warnings=(other, BLOCKED))
    (queued,) = crawl.record(done)[1]
    crawl.record(Delay(crawl.admit(queued.task_id), now_us() + 600 * SECOND, "HTTP 403", True))
    blocked.give_up(store, now_us())
    assert {row.path: row.error for row in crawl.rows(TaskState.FAILED)} == {
        "/a": "HTTP 403",
        "/b": BLOCKED.message,
        "/x": other.message,
    }


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
