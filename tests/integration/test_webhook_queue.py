"""Deliveries over time: rotation, repetition, dead workers, lost queues, retention."""

import sys

import pytest

from scheduler.loop import dispatch_deliveries
from shared import webhooks as cases
from shared.clock import SECOND, now_us
from shared.errors import Invalid
from shared.queue import TaskQueue
from shared.settings import Settings
from shared.states import DeliveryState
from shared.store import Store, deliveries, retention, webhooks
from tests.integration.test_fetch import secure, tls_files  # noqa: F401
from tests.receiver import Receiver
from tests.webhook_kit import MADE, ORGANISATION, log_of, only, run_due, told
from workers import runtime
from workers.runtime import Runtime
from workers.webhooks import deliver
from workers.worker import ConcurrentWorker


def test_a_new_secret_and_the_old_one_sign_for_a_day(
    ctx: Runtime, settings: Settings, made: MADE, receiver: Receiver
) -> None:
    webhook, old = made(receiver)
    _, new = cases.rotate(settings, ctx.store, webhook)
    told(ctx.store)
    run_due(ctx)
    assert len(receiver.verified(old, new)) == 1
    webhooks.change(ctx.store, webhook.id, now_us(), old_secret_until=now_us() - 1)
    told(ctx.store)
    run_due(ctx)
    assert len(receiver.received[1].headers["webhook-signature"].split()) == 1


def test_redelivery_sends_the_same_message_under_its_id(ctx: Runtime, made: MADE, receiver: Receiver) -> None:
    webhook, secret = made(receiver)
    told(ctx.store)
    run_due(ctx)
    cases.redeliver(ctx.store, webhook, only(ctx.store, webhook))
    run_due(ctx)
    assert receiver.verified(secret)[0] == receiver.verified(secret)[1]
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    assert len(log_of(ctx.store, webhook)) == 2


def test_redelivery_of_what_waits_makes_it_due_now(ctx: Runtime, made: MADE) -> None:
    with Receiver(500) as receiver:
        webhook, _ = made(receiver)
        told(ctx.store)
        run_due(ctx)
        cases.redeliver(ctx.store, webhook, only(ctx.store, webhook))
        assert run_due(ctx) == ["delivered"]
    assert only(ctx.store, webhook).attempts == 2


def test_a_delivery_whose_worker_died_is_due_again(ctx: Runtime, made: MADE, receiver: Receiver) -> None:
    webhook, _ = made(receiver)
    told(ctx.store)
    (lost,) = deliveries.due(ctx.store, now_us())
    dead = deliveries.start(ctx.store, only(ctx.store, webhook).id, now_us())
    assert deliveries.due(ctx.store, now_us()) == []
    assert deliveries.due(ctx.store, now_us() + deliveries.CLAIM + SECOND) == [lost]
    assert deliver(ctx, lost) == "delivered"
    assert dead is not None
    assert not deliveries.finish(ctx.store, dead, deliveries.Attempt(now_us(), 1, error="too late"))
    assert only(ctx.store, webhook).state is DeliveryState.DELIVERED


def test_a_slow_receiver_holds_few_threads(ctx: Runtime, made: MADE, receiver: Receiver) -> None:
    made(receiver)
    for n in range(20):
        told(ctx.store, n)
    assert len(deliveries.due(ctx.store, now_us())) == deliveries.AT_ONCE
    assert deliveries.due(ctx.store, now_us()) == []


def test_a_deleted_webhook_hears_nothing_more(ctx: Runtime, made: MADE, receiver: Receiver) -> None:
    webhook, _ = made(receiver)
    told(ctx.store)
    claimed = deliveries.due(ctx.store, now_us())
    webhooks.remove(ctx.store, webhook.id)
    assert [deliver(ctx, delivery) for delivery in claimed] == ["nothing to deliver"]
    assert receiver.requests == []


def test_old_deliveries_are_forgotten(ctx: Runtime, made: MADE, receiver: Receiver) -> None:
    webhook, _ = made(receiver)
    told(ctx.store)
    run_due(ctx)
    retention.apply(ctx.store, now_us(), 0)
    assert len(log_of(ctx.store, webhook)) == 1
    retention.apply(ctx.store, now_us() + deliveries.KEPT + SECOND, 0)
    assert log_of(ctx.store, webhook) == []


def test_the_queue_carries_an_id_and_no_more(
    ctx: Runtime, made: MADE, receiver: Receiver, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, secret = made(receiver)
    told(ctx.store)
    assert dispatch_deliveries(ctx.store, queue) == 1
    assert dispatch_deliveries(ctx.store, queue) == 0
    monkeypatch.setattr(ConcurrentWorker, "_install_signal_handlers", lambda self: None)
    monkeypatch.setattr(runtime, "_installed", ctx)
    key = f"rq:job:{only(ctx.store, webhook).uid.replace('-', '')}"
    assert receiver.host.encode() not in b"".join(queue.redis.hvals(key))
    ConcurrentWorker(queue.redis, threads=2, queues=("default",)).work(burst=True)
    assert len(receiver.verified(secret)) == 1


def test_a_backlog_is_sent_without_waiting_for_the_scheduler(
    ctx: Runtime, made: MADE, receiver: Receiver, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(receiver)
    for n in range(20):
        told(ctx.store, n)
    assert dispatch_deliveries(ctx.store, queue) == deliveries.AT_ONCE
    monkeypatch.setattr(ConcurrentWorker, "_install_signal_handlers", lambda self: None)
    monkeypatch.setattr(runtime, "_installed", ctx)
    ConcurrentWorker(queue.redis, threads=4, queues=("default",)).work(burst=True)
    assert len(receiver.received) == 20


def test_what_waits_for_a_webhook_that_is_switched_off_is_given_up_in_parts(
    ctx: Runtime, made: MADE, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, _ = made(receiver)
    for n in range(3):
        told(ctx.store, n)
    monkeypatch.setattr(webhooks, "_CHUNK", 2)
    webhooks.change(ctx.store, webhook.id, now_us(), is_active=0, disabled_reason="Switched off")
    assert [d.state for d in log_of(ctx.store, webhook)].count(DeliveryState.FAILED) == 2
    assert deliveries.due(ctx.store, now_us()) == []
    assert {d.error for d in log_of(ctx.store, webhook)} == {"Not sent: Switched off"}


def test_a_wiped_redis_loses_no_delivery(ctx: Runtime, made: MADE, receiver: Receiver, queue: TaskQueue) -> None:
    made(receiver)
    told(ctx.store)
    dispatch_deliveries(ctx.store, queue)
    queue.redis.flushall()
    lost = deliveries.due(ctx.store, now_us() + deliveries.CLAIM + SECOND)
    assert queue.enqueue_deliveries(lost) == 1


def test_without_the_extra_apprise_is_a_clear_mistake(
    settings: Settings, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.setattr("shared.apprise_urls.find_spec", lambda name: None)
    wanted = cases.Wanted("apprise", "mailto://user:password@example.com", ["job.failed"], "")
    with pytest.raises(Invalid) as refused:
        cases.create(settings, sqlite_store, ORGANISATION, wanted)
    assert "pip install 'crawlyard[apprise]'" in refused.value.details[0][1]
