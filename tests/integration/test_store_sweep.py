"""Due retries, expired leases, lost enqueues, poison, drifted counts."""

from sqlalchemy import update

from shared.clock import SECOND, now_us
from shared.stages import Found
from shared.states import JobState, SourceType, TaskState
from shared.store import Store, counters, notes, sweep
from shared.store.tables import job_state
from tests.crawls import LEASE, ORIGIN, Crawl, links, numbered, small


def test_an_expired_claim_goes_back_without_an_attempt(store: Store) -> None:
    crawl = Crawl(store)
    work = crawl.admit(crawl.discover("/")[0].task_id)
    later = now_us() + LEASE + SECOND
    assert [d.task_id for d in sweep.expired(store, later)] == [work.id]
    row = crawl.row(work.id)
    assert (row.state, row.attempts, row.crashes) == (TaskState.QUEUED, 0, 1)


def test_a_renewed_claim_stays(store: Store) -> None:
    crawl = Crawl(store)
    work = crawl.admit(crawl.discover("/")[0].task_id)
    later = now_us() + LEASE + SECOND
    assert sweep.renew(store, [work], later + SECOND) == {work.id}
    assert sweep.expired(store, later) == []


def test_a_claim_is_not_renewed_by_who_lost_it(store: Store) -> None:
    crawl = Crawl(store)
    lost = crawl.admit(crawl.discover("/")[0].task_id)
    crawl.release(lost)
    held = crawl.admit(lost.id)
    assert sweep.renew(store, [lost], now_us() + 100 * SECOND) == set()
    assert [d.task_id for d in sweep.expired(store, now_us() + LEASE + SECOND)] == [held.id]


def test_a_task_that_kills_three_workers_is_poison(store: Store) -> None:
    crawl = Crawl(store)
    task_id = crawl.discover("/")[0].task_id
    for n in range(3):
        crawl.admit(task_id)
        assert len(sweep.expired(store, now_us() + LEASE + SECOND)) == (1 if n < 2 else 0)
    row = crawl.row(task_id)
    assert (row.state, row.error) == (TaskState.FAILED, "Its worker died under it 3 times")
    assert crawl.now.state is JobState.COMPLETED


def test_poison_makes_room_for_the_next_page(store: Store) -> None:
    crawl = Crawl(store, small(concurrency=1))
    first = crawl.discover("/", "/next")[0].task_id
    for _ in range(2):
        crawl.admit(first)
        sweep.expired(store, now_us() + LEASE + SECOND)
    crawl.admit(first)
    (following,) = sweep.expired(store, now_us() + LEASE + SECOND)
    assert crawl.row(following.task_id).path == "/next"


def test_a_discovery_that_kills_three_workers_fails_its_job(store: Store) -> None:
    crawl = Crawl(store)
    for _ in range(3):
        crawl.admit(crawl.discovery)
        sweep.expired(store, now_us() + LEASE + SECOND)
    assert crawl.now.state is JobState.FAILED


def test_what_a_poisonous_discovery_had_found_is_crawled_all_the_same(store: Store) -> None:
    crawl = Crawl(store)
    dispatches = []
    for _ in range(3):
        work = crawl.admit(crawl.discovery)
        dispatches += crawl.run(outcomes=[Found(work, links("/"), SourceType.SITEMAP, ORIGIN)]).dispatches
        sweep.expired(store, now_us() + LEASE + SECOND)
    assert crawl.now.state is JobState.RUNNING
    (warning,) = notes.of_job(store, crawl.job.id)
    assert warning.message == "Discovery ended before it was complete: Its worker died under it 3 times"
    crawl.complete(crawl.admit(dispatches[0].task_id))
    assert crawl.now.state is JobState.COMPLETED


def test_a_worker_that_outlives_a_task_clears_it_of_crashes(store: Store) -> None:
    crawl = Crawl(store)
    task_id = crawl.discover("/")[0].task_id
    for _ in range(2):
        crawl.admit(task_id)
        sweep.expired(store, now_us() + LEASE + SECOND)
    crawl.delay(crawl.admit(task_id), now_us())
    assert crawl.row(task_id).crashes == 0


def test_a_retry_is_due_at_its_time_and_not_before(store: Store) -> None:
    crawl = Crawl(store)
    work = crawl.admit(crawl.discover("/")[0].task_id)
    at = now_us() + 60 * SECOND
    crawl.delay(work, at)
    assert not sweep.has_due(store, at - 1)
    assert sweep.due(store, at - 1) == []
    assert [d.task_id for d in sweep.due(store, at)] == [work.id]
    assert crawl.row(work.id).state == TaskState.QUEUED


def test_a_task_queued_long_ago_is_named_for_another_enqueue(store: Store) -> None:
    crawl = Crawl(store)
    ids = [d.task_id for d in crawl.discover("/", "/a")]
    assert [d.task_id for d in sweep.queued_before(store, now_us() + SECOND)] == ids
    assert sweep.queued_before(store, now_us() - 60 * SECOND) == []
    assert [d.task_id for d in sweep.queued_before(store, now_us() + SECOND, after=ids[0])] == ids[1:]


def test_drifted_counts_are_healed_and_the_job_goes_on(store: Store) -> None:
    crawl = Crawl(store, small(concurrency=2))
    crawl.discover(*numbered(5))
    store.write(lambda conn: conn.execute(update(job_state).values(n_inflight=7, n_open=9)))
    assert sweep.heal(store, now_us()) == []
    assert (crawl.state.n_inflight, crawl.state.n_open) == (2, 5)


def test_a_job_whose_slots_were_lost_is_claimed_for_again(store: Store) -> None:
    crawl = Crawl(store, small(concurrency=3))
    work = crawl.admit(crawl.discover("/")[0].task_id)
    store.write(lambda conn: conn.execute(update(job_state).values(window=0)))
    crawl.complete(work, "/a", "/b")
    store.write(lambda conn: conn.execute(update(job_state).values(window=3)))
    assert len(sweep.heal(store, now_us())) == 2


def test_folding_changes_no_count(store: Store) -> None:
    crawl = Crawl(store)
    dispatches = crawl.discover(*numbered(6))
    for n, dispatch in enumerate(dispatches):
        crawl.complete(crawl.admit(dispatch.task_id), response_time=100 * (n + 1))
    before = crawl.counts
    while counters.fold(store):
        pass
    after = crawl.counts
    assert not counters.pending(store)
    assert (before.by_status_code(), before.avg_time, before.total_bytes) == ({"200": 6}, 350, 6000)
    assert (after.by_status_code(), after.avg_time, after.total_bytes) == ({"200": 6}, 350, 6000)
    assert after.percentile(0.5) == before.percentile(0.5)


def test_percentiles_are_within_two_percent() -> None:
    tally = counters.Tally()
    for ms in range(1, 10_001):
        tally.add(TaskState.COMPLETED, 200, None, ms, 1)
    counts = counters.Counts(tally)
    for share in (0.5, 0.95, 0.99):
        found = counts.percentile(share)
        assert found is not None
        assert abs(found - share * 10_000) <= 0.021 * share * 10_000
