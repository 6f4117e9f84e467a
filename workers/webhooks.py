"""One delivery of a webhook: take it up, sign, send, record what became of it."""

import logging
import random
import time
from contextlib import suppress
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook as Signer

from shared import ids, vault
from shared.clock import SECOND, now_us
from shared.errors import CrawlyardError, QueueUnavailable
from shared.models import Delivery, Webhook
from shared.settings import FetchLimits
from shared.store import deliveries
from shared.store.deliveries import Attempt, Started
from workers import apprise
from workers.errors import one_line
from workers.fetch import Response
from workers.retry import retry_after_seconds
from workers.runtime import Runtime
from workers.webhook_retry import next_attempt

log = logging.getLogger(__name__)

#: well under `deliveries.CLAIM`
LIMITS = FetchLimits(connect=5, first_byte=10, total=15, body=4096, decoded=65_536)
#: characters of the receiver's answer that the log keeps
EXCERPT = 500


def deliver(ctx: Runtime, delivery: str) -> str:
    """Makes the delivery of this public id, if it is still to be made; a word on how it went.

    Raises StoreUnavailable: then nothing is recorded, and it is sent again when its claim has run out.
    """
    found = ids.decode(delivery)
    if found is None or found.kind is not ids.Kind.DELIVERY:
        return "no delivery"
    started = deliveries.start(ctx.store, found.body, now_us())
    if started is None:
        return "nothing to deliver"
    attempt = _attempt(ctx, started)
    if not deliveries.finish(ctx.store, started, attempt):
        return "taken over"
    return attempt.error or "delivered"


def follow(ctx: Runtime, delivery: str) -> None:
    """Enqueues what waits for the same webhook: the scheduler alone would send eight a second."""
    found = ids.decode(delivery)
    if found is not None:
        with suppress(QueueUnavailable):  # the claim runs out
            ctx.queue.enqueue_deliveries(deliveries.following(ctx.store, found.body, now_us()))


def _attempt(ctx: Runtime, started: Started) -> Attempt:
    began = time.monotonic()
    try:
        if started.webhook.type == "apprise":
            apprise.notify(ctx.settings, started)
            return Attempt(now_us(), _since(began))
        return _judged(started.delivery, _send(ctx, started), _since(began))
    except CrawlyardError as error:
        return _failed(started.delivery, one_line(error.message), _since(began))
    except Exception as error:  # boundary: a fault of ours spends an attempt, or it would be repeated for ever
        log.exception("delivery %s broke", started.delivery.message_id)
        reason = one_line(f"Internal error: {type(error).__name__}: {error}")
        return _failed(started.delivery, reason, _since(began))


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _send(ctx: Runtime, started: Started) -> Response:
    delivery, webhook = started.delivery, started.webhook
    now = now_us()
    secrets = [vault.open_sealed(ctx.settings, sealed) for sealed in _sealed_secrets(webhook, now)]
    headers = {
        "content-type": "application/json",
        "accept-encoding": "identity",
        **signed(delivery.message_id, delivery.payload, secrets, now),
    }
    content = delivery.payload.encode()
    return ctx.fetcher.send("POST", webhook.url, headers=headers, content=content, limits=LIMITS, cut=True)


def _sealed_secrets(webhook: Webhook, now: int) -> list[str]:
    """The newest first; the one before it until its time is over."""
    old = webhook.old_secret if now < (webhook.old_secret_until or 0) else None
    return [sealed for sealed in (webhook.secret, old) if sealed]


def signed(message_id: str, payload: str, secrets: list[str], now: int) -> dict[str, str]:
    """The three headers of Standard Webhooks, with one signature a secret; `now` in microseconds."""
    moment = datetime.fromtimestamp(now // SECOND, UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now // SECOND),
        "webhook-signature": " ".join(Signer(secret).sign(message_id, moment, payload) for secret in secrets),
    }


def _judged(delivery: Delivery, response: Response, duration: int) -> Attempt:
    status = response.status_code
    answer = response.body.decode(errors="replace")[:EXCERPT].replace("\x00", "\ufffd")
    if 200 <= status < 300:
        return Attempt(now_us(), duration, status, answer=answer)
    reason = f"HTTP {status}: redirects are not followed" if 300 <= status < 400 else f"HTTP {status}"
    wish = retry_after_seconds(response.headers.get("retry-after"), now_us())
    return _failed(delivery, reason, duration, status, answer, wish)


def _failed(
    delivery: Delivery,
    reason: str,
    duration: int,
    status: int | None = None,
    answer: str | None = None,
    wish: float = 0.0,
) -> Attempt:
    now, is_gone = now_us(), status == 410
    next_at = None if is_gone else next_attempt(delivery.attempts + 1, now, wish, random.random())
    return Attempt(now, duration, status, reason, answer, next_at, is_gone)
