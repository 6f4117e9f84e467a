"""Runs of recurring crawls in the record: once, whoever fires how often; overlap, outages, failures."""

import threading

import orjson
import pytest
from sqlalchemy import insert, select, update

from shared import schedules as cases
from shared.clock import SECOND, now_us
from shared.errors import Conflict, NotFound, QueueUnavailable
from shared.queue import TaskQueue
from shared.recurrence import HOUR, Recurrence
from shared.states import JobState, Missed, Overlap, RunStatus
from shared.store import Store, domain_admin, retention, schedule_runs
from shared.store.schedule_tables import schedules as table
from shared.store.webhook_tables import webhook_deliveries, webhooks
from tests.schedule_kit import Recurring, add_run, next_hour

STARTED, SKIPPED, WAITING = RunStatus.STARTED, RunStatus.SKIPPED, RunStatus.WAITING


def test_it_works(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue, options='{"max_pages":7}')
    due = recurring.due()
    uid = cases.fire(store, queue, recurring.uid, due)
    (job,) = recurring.jobs
    assert (job.uid, job.options.max_pages) == (uid, 7)
    assert (job.options.source_type, job.options.source_detail) == ("scheduler", "recurring")
    assert next_hour(recurring, due)
    assert queue.counts().waiting == 1


def test_a_run_happens_once_however_often_it_is_fired(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue)
    due = recurring.due()
    threads = [threading.Thread(target=cases.fire, args=(store, queue, recurring.uid, due)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(recurring.jobs) == len(recurring.runs) == 1
    assert cases.fire(store, queue, recurring.uid, due) is None


def test_a_run_that_is_not_due_yet_is_not_fired(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue)
    assert cases.fire(store, queue, recurring.uid, recurring.now.next_run_at or 0) is None
    assert recurring.jobs == []


def test_a_clock_that_was_set_back_repeats_no_run(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue)
    due = recurring.due()
    add_run(recurring, due)
    assert cases.fire(store, queue, recurring.uid, due) is None
    assert recurring.jobs == []
    assert next_hour(recurring, due)


@pytest.mark.parametrize("change", ["paused", "deleted", "another rule"])
def test_what_was_changed_starts_no_run_of_before(store: Store, queue: TaskQueue, change: str) -> None:
    recurring = Recurring(store, queue)
    due = recurring.due()
    if change == "deleted":
        cases.remove(store, queue, recurring.organisation_id, recurring.uid)
    else:
        rule = Recurrence("0 0 1 1 *", "UTC", None)
        wish = {"is_paused": True} if change == "paused" else {"rule": rule}
        recurring.change(**wish)
    assert cases.fire(store, queue, recurring.uid, due) is None
    assert recurring.jobs == []


def test_a_paused_schedule_goes_on_in_the_future(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue, is_paused=True)
    assert recurring.now.next_run_at is None
    recurring.change(is_paused=False)
    assert (recurring.now.next_run_at or 0) > now_us()


def test_overlap_skip_leaves_the_run_out(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue)
    recurring.fire(seconds_ago=2)
    assert recurring.fire() is None
    assert recurring.statuses == [STARTED, SKIPPED]
    recurring.end_last()
    assert recurring.now.last_status is SKIPPED
    assert cases.start_waiting(store, queue) == 0


def test_overlap_queue_starts_one_run_when_the_last_has_ended(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue, overlap=Overlap.QUEUE)
    for ago in (6, 4, 2):
        recurring.fire(seconds_ago=ago)
    assert recurring.statuses == [STARTED, WAITING, SKIPPED]
    assert cases.start_waiting(store, queue) == 0
    recurring.end_last()
    assert cases.start_waiting(store, queue) == 1
    assert cases.start_waiting(store, queue) == 0
    assert recurring.statuses == [STARTED, STARTED, SKIPPED]
    assert len(recurring.jobs) == 2


def test_a_run_that_waits_is_left_out_when_its_schedule_is_paused(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue, overlap=Overlap.QUEUE)
    recurring.fire(seconds_ago=2)
    recurring.fire()
    recurring.change(is_paused=True)
    recurring.end_last()
    assert cases.start_waiting(store, queue) == 0
    assert recurring.statuses == [STARTED, SKIPPED]


def test_overlap_cancel_ends_the_last_run_first(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue, overlap=Overlap.CANCEL)
    recurring.fire(seconds_ago=2)
    recurring.fire()
    assert [job.state for job in recurring.jobs] == [JobState.CANCELLED, JobState.CREATED]
    assert queue.counts().waiting == 1


@pytest.mark.parametrize(
    ("policy", "status", "started"), [(Missed.ONE, STARTED, 1), (Missed.NONE, RunStatus.MISSED, 0)]
)
def test_runs_missed_in_an_outage(
    store: Store, queue: TaskQueue, policy: Missed, status: RunStatus, started: int
) -> None:
    recurring = Recurring(store, queue, missed=policy)
    due = recurring.due(seconds_ago=3 * 3600 + 600)
    assert cases.start_overdue(store, queue) == started
    assert recurring.runs == [(status, 4)]
    assert len(recurring.jobs) == started
    assert recurring.now.next_run_at == due + 4 * HOUR


def test_a_run_that_is_seconds_late_is_not_missed(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue, missed=Missed.NONE)
    recurring.due(seconds_ago=20)
    assert cases.start_overdue(store, queue) == 1
    assert recurring.runs == [(STARTED, 0)]


def test_a_missed_run_is_told_to_webhooks(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue, missed=Missed.NONE)
    hook = {"uid": "x", "organisation_id": recurring.organisation_id, "type": "http", "url": "https://hook.test/"}
    hook |= {"description": "", "events": " schedule.missed ", "is_active": 1, "created_at": 1, "updated_at": 1}
    store.write(lambda conn: conn.execute(insert(webhooks).values(hook)))
    recurring.due(seconds_ago=600)
    cases.start_overdue(store, queue)
    with store.read() as conn:
        (payload,) = conn.execute(select(webhook_deliveries.c.payload)).scalars()
    told = orjson.loads(payload)
    assert told["type"] == "schedule.missed"
    assert (told["data"]["schedule_id"], told["data"]["missed"], told["data"]["caught_up"]) == (recurring.uid, 1, False)


def test_run_now_is_a_run_beside_those_that_are_due(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue, is_paused=True)
    after = cases.run_now(store, queue, recurring.organisation_id, recurring.uid)
    assert after.last_job is not None
    assert [job.uid for job in recurring.jobs] == [after.last_job.uid]
    assert recurring.now.next_run_at is None
    with pytest.raises(Conflict):
        cases.run_now(store, queue, recurring.organisation_id, recurring.uid)


def spoil(recurring: Recurring, **values: object) -> None:
    change = update(table).where(table.c.uid == recurring.uid).values(values)
    recurring.store.write(lambda conn: conn.execute(change))


def test_a_run_that_cannot_be_started_says_why_and_the_next_one_comes(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue)
    spoil(recurring, options='{"no_such": 1}')
    due = recurring.due()
    assert cases.fire(store, queue, recurring.uid, due) is None
    assert "no_such" in (recurring.now.last_error or "")
    assert (recurring.statuses, next_hour(recurring, due)) == ([RunStatus.FAILED], True)
    spoil(recurring, options="{}")
    assert recurring.fire(seconds_ago=-1) is not None
    assert recurring.now.last_error is None


def test_a_zone_that_is_gone_is_a_readable_state(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue, Recurrence("0 0 * * *", "Europe/Berlin", None))
    spoil(recurring, timezone="Europe/Atlantis")
    recurring.fire()
    assert "timezone" in (recurring.now.last_error or "")
    assert cases.start_overdue(store, queue) == 0


def test_a_fault_of_ours_keeps_no_schedule_from_its_next_run(
    store: Store, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Recurring(store, queue), Recurring(store, queue)
    dues = [one.due(seconds_ago=5 - n) for n, one in enumerate((first, second))]
    real = schedule_runs.options_of
    monkeypatch.setattr(schedule_runs, "options_of", lambda s: {}["x"] if s.uid == first.uid else real(s))
    assert cases.start_overdue(store, queue) == 1
    assert (first.now.last_status, first.now.last_error) == (RunStatus.FAILED, "Internal error: KeyError")
    assert second.now.last_status is STARTED
    assert [next_hour(one, due) for one, due in zip((first, second), dues, strict=True)] == [True, True]


def test_a_redis_that_hangs_is_asked_once_and_keeps_no_run_waiting(
    store: Store, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    recurring = [Recurring(store, queue, overlap=Overlap.CANCEL) for _ in range(3)]
    for one in recurring:
        one.fire(seconds_ago=5)
        one.due(seconds_ago=2)
    asked: list[int] = []

    def hang(*_: object) -> None:
        asked.append(recurring[0].statuses.count(STARTED))
        raise QueueUnavailable

    monkeypatch.setattr(queue, "_call", hang)
    assert cases.start_overdue(store, queue) == 3
    # the runs of all three schedules were on record by then
    assert asked == [6]


def test_jitter_delays_the_start_and_not_the_beat(
    store: Store, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.schedules.random.random", lambda: 0.5)
    recurring = Recurring(store, queue, jitter=3600)
    due = recurring.due()
    assert cases.fire(store, queue, recurring.uid, due) is not None
    assert next_hour(recurring, due)
    # chance says the middle of what may be: half of half an hour
    assert recurring.now.fire_at == due + HOUR + 900 * SECOND


def test_a_deleted_job_is_the_last_one_no_more(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue)
    recurring.fire()
    recurring.end_last()
    retention.apply(store, now_us() + 31 * 24 * HOUR, 30)
    assert (recurring.jobs, recurring.now.last_job) == ([], None)
    assert len(recurring.runs) == 1
    schedule_runs.purge(store, now_us() + 91 * 24 * HOUR)
    assert recurring.runs == []


def test_a_deleted_domain_takes_its_schedules_along(store: Store, queue: TaskQueue) -> None:
    recurring = Recurring(store, queue)
    recurring.fire()
    recurring.end_last()
    domain_admin.remove(store, recurring.now.domain)
    with pytest.raises(NotFound):
        _ = recurring.now
    assert recurring.runs == []
