"""Deliveries on real services: what is sent, what is recorded, what is tried again."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from scheduler.loop import dispatch_deliveries
from shared import webhooks as cases
from shared.clock import SECOND, now_us
from shared.errors import Conflict, Invalid
from shared.models import Delivery, Webhook
from shared.queue import TaskQueue
from shared.settings import Settings
from shared.states import DeliveryState
from shared.store import Store, deliveries, events, retention, webhooks
from tests import site as sites
from tests.integration.test_fetch import secure, tls_files  # noqa: F401
from tests.receiver import Receiver
from tests.site import Site, html
from workers import runtime
from workers.egress import EgressPolicy
from workers.fetch import Fetcher
from workers.runtime import Runtime
from workers.webhooks import LIMITS, deliver
from workers.worker import ConcurrentWorker

ORGANISATION = 1
MADE = Callable[..., tuple[Webhook, str]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"CRAWLYARD_HOME": str(tmp_path), "CRAWLYARD_ALLOW_PRIVATE": "127.0.0.1"})


@pytest.fixture
def ctx(settings: Settings, store: Store) -> Runtime:
    """What a delivery needs of a worker."""
    fetcher = Fetcher(LIMITS, EgressPolicy(settings.allow_private), "crawlyard-test")
    return cast(Runtime, SimpleNamespace(settings=settings, store=store, fetcher=fetcher))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture
def made(settings: Settings, store: Store) -> MADE:
    """Makes a webhook to a site: itself and its secret."""

    def make(site: Site, scheme: str = "http") -> tuple[Webhook, str]:
        wanted = cases.Wanted("http", f"{scheme}://{site.host}/hook", ["job.completed"], "")
        webhook, secret = cases.create(settings, store, ORGANISATION, wanted)
        assert secret is not None
        return webhook, secret

    return make


def told(store: Store, n: int = 1) -> None:
    store.write(lambda conn: events.emit(conn, ORGANISATION, "job.completed", {"n": n}))


def log_of(store: Store, webhook: Webhook) -> list[Delivery]:
    """Its deliveries, oldest first."""
    return deliveries.page(store, webhook, None, 100, 0)[0][::-1]


def only(store: Store, webhook: Webhook) -> Delivery:
    (delivery,) = log_of(store, webhook)
    return delivery


def again(store: Store, webhook: Webhook) -> Webhook:
    return webhooks.get(store, webhook.uid, ORGANISATION)


def run_due(ctx: Runtime, later: int = 0) -> list[str]:
    """Makes what is due, as a worker would; `later` in seconds."""
    return [deliver(ctx, delivery) for delivery in deliveries.due(ctx.store, now_us() + later * SECOND)]


def make_due(store: Store) -> None:
    store.write(lambda conn: conn.exec_driver_sql("UPDATE webhook_deliveries SET next_attempt_at = 1 WHERE state = 3"))


def test_it_works(ctx: Runtime, made: MADE, receiver: Receiver) -> None:
    webhook, secret = made(receiver)
    told(ctx.store)
    assert run_due(ctx) == ["delivered"]
    (event,) = receiver.verified(secret)
    assert (event["type"], event["data"]) == ("job.completed", {"n": 1})
    delivery = only(ctx.store, webhook)
    assert (delivery.state, delivery.attempts, delivery.status_code) == (DeliveryState.DELIVERED, 1, 200)
    assert "thank you" in (delivery.answer or "")
    assert run_due(ctx) == []


def test_a_wrong_secret_does_not_verify(ctx: Runtime, made: MADE, receiver: Receiver) -> None:
    made(receiver)
    told(ctx.store)
    run_due(ctx)
    with pytest.raises(WebhookVerificationError):
        receiver.verified(made(receiver)[1])


def test_the_secret_is_not_in_the_database(store: Store, made: MADE, receiver: Receiver) -> None:
    webhook, secret = made(receiver)
    assert webhook.secret is not None
    assert secret[6:20] not in webhook.secret


def test_500_is_tried_again_until_it_is_taken(ctx: Runtime, made: MADE) -> None:
    with Receiver(500, 503) as receiver:
        webhook, secret = made(receiver)
        told(ctx.store)
        assert run_due(ctx) == ["HTTP 500"]
        waiting = only(ctx.store, webhook)
        assert waiting.state is DeliveryState.PENDING
        assert 3 * SECOND < (waiting.next_attempt_at or 0) - now_us() < 7 * SECOND
        assert again(ctx.store, webhook).failing_since is not None
        assert run_due(ctx) == []
        for word in ("HTTP 503", "delivered"):
            make_due(ctx.store)
            assert run_due(ctx) == [word]
        assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
        assert len(receiver.verified(secret)) == 3
    assert only(ctx.store, webhook).attempts == 3
    assert again(ctx.store, webhook).failing_since is None


def test_after_eleven_attempts_a_delivery_has_failed(ctx: Runtime, made: MADE) -> None:
    with Receiver(*[500] * 20) as receiver:
        webhook, _ = made(receiver)
        told(ctx.store)
        for _ in range(12):
            make_due(ctx.store)
            run_due(ctx)
        assert len(receiver.received) == 11
    delivery = only(ctx.store, webhook)
    assert (delivery.state, delivery.attempts, delivery.error) == (DeliveryState.FAILED, 11, "HTTP 500")
    assert again(ctx.store, webhook).is_active


def test_410_switches_the_webhook_off_at_once(ctx: Runtime, made: MADE) -> None:
    with Receiver(410) as receiver:
        webhook, _ = made(receiver)
        told(ctx.store)
        told(ctx.store)
        deliver(ctx, deliveries.due(ctx.store, now_us())[0])
        first, second = log_of(ctx.store, webhook)
        assert (first.error, second.error) == ("HTTP 410", "Not sent: The receiver answered 410 Gone")
        assert {first.state, second.state} == {DeliveryState.FAILED}
        assert again(ctx.store, webhook).disabled_reason == "The receiver answered 410 Gone"
        told(ctx.store)
        assert len(log_of(ctx.store, webhook)) == 2


def test_five_days_of_failure_switch_it_off_and_a_request_on_again(
    ctx: Runtime, settings: Settings, made: MADE
) -> None:
    with Receiver(500) as receiver:
        webhook, _ = made(receiver)
        webhooks.change(ctx.store, webhook.id, now_us(), failing_since=now_us() - deliveries.PATIENCE)
        told(ctx.store)
        run_due(ctx)
        off = again(ctx.store, webhook)
        assert off.disabled_reason == "Every attempt failed for 5 days, lastly: HTTP 500"
        with pytest.raises(Conflict, match="switched off"):
            cases.try_out(ctx.store, off)
        on = cases.change(settings, ctx.store, off, {"is_active": True})
        assert (on.is_active, on.disabled_reason, on.failing_since) == (True, None, None)
        cases.try_out(ctx.store, on)
        assert run_due(ctx) == ["delivered"]


@pytest.mark.parametrize("target", ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/"])
def test_redirects_are_not_followed(ctx: Runtime, made: MADE, target: str) -> None:
    with Receiver(page=sites.redirect(target, 307)) as receiver:
        made(receiver)
        told(ctx.store)
        assert run_due(ctx) == ["HTTP 307: redirects are not followed"]


def test_a_bad_certificate_is_no_receiver(ctx: Runtime, made: MADE, tls_files: tuple[str, str]) -> None:  # noqa: F811
    with secure(Receiver(), tls_files) as receiver:
        webhook, _ = made(receiver, "https")
        told(ctx.store)
        assert "certificate" in run_due(ctx)[0]
        assert receiver.requests == []
    assert only(ctx.store, webhook).state is DeliveryState.PENDING


@pytest.mark.parametrize("page", [sites.header_drip(), sites.body_drip(), sites.silence()])
def test_a_slow_receiver_is_given_up(ctx: Runtime, made: MADE, page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = LIMITS.__class__(connect=1, first_byte=0.5, total=1, body=4096, decoded=4096)
    monkeypatch.setattr("workers.webhooks.LIMITS", quick)
    with Receiver(page=page) as receiver:
        webhook, _ = made(receiver)
        told(ctx.store)
        assert "took longer" in (word := run_due(ctx)[0]) or "No answer" in word or "stalled" in word
    assert (only(ctx.store, webhook).duration or 0) < 5000


def test_of_a_long_answer_the_beginning_is_kept(ctx: Runtime, made: MADE) -> None:
    with Receiver(page=html("x" * 2_000_000)) as receiver:
        webhook, _ = made(receiver)
        told(ctx.store)
        assert run_due(ctx) == ["delivered"]
    assert len(only(ctx.store, webhook).answer or "") == 500


def test_an_address_that_became_private_is_refused_at_the_connection(
    ctx: Runtime, made: MADE, receiver: Receiver
) -> None:
    made(receiver)
    told(ctx.store)
    guarded = Fetcher(LIMITS, EgressPolicy(), "crawlyard-test")
    assert "private or reserved" in run_due(cast(Runtime, SimpleNamespace(**{**vars(ctx), "fetcher": guarded})))[0]
    assert receiver.requests == []


@pytest.mark.parametrize("url", ["http://10.1.2.3/x", "http://localhost/x", "https://[::1]/", "http://2130706433/"])
def test_a_private_address_is_refused_when_the_webhook_is_made(store: Store, tmp_path: Path, url: str) -> None:
    settings = Settings.from_env({"CRAWLYARD_HOME": str(tmp_path)})
    with pytest.raises(Invalid) as refused:
        cases.create(settings, store, ORGANISATION, cases.Wanted("http", url, ["job.failed"], ""))
    assert refused.value.details[0][0] == "url"


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
