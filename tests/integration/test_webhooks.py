"""Deliveries on real services: what is sent, what is recorded, what is tried again."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from shared import webhooks as cases
from shared.clock import SECOND, now_us
from shared.errors import Conflict, Invalid
from shared.settings import Settings
from shared.states import DeliveryState
from shared.store import Store, deliveries, webhooks
from tests import site as sites
from tests.integration.test_fetch import secure, tls_files  # noqa: F401
from tests.receiver import Receiver
from tests.site import html
from tests.webhook_kit import MADE, ORGANISATION, again, log_of, make_due, only, run_due, told
from workers.egress import EgressPolicy
from workers.fetch import Fetcher
from workers.runtime import Runtime
from workers.webhooks import LIMITS, deliver


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


def test_a_fault_of_ours_spends_an_attempt_and_has_a_reason(
    ctx: Runtime, made: MADE, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("secret")

    monkeypatch.setattr("workers.webhooks.signed", broken)
    webhook, _ = made(receiver)
    told(ctx.store)
    assert run_due(ctx) == ["Internal error: KeyError: 'secret'"]
    delivery = only(ctx.store, webhook)
    assert (delivery.state, delivery.attempts) == (DeliveryState.PENDING, 1)
    assert (delivery.next_attempt_at or 0) > now_us()


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
