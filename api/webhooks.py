"""`/api/webhooks`: who is told of events, and how that went."""

from typing import Any

from api.context import Answer, Call
from api.schemas.common import Data, DataPage, Meta, NoBody, NoQuery, Paged
from api.schemas.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    DeliveryResult,
    ListDeliveries,
    WebhookResult,
    WebhookWithSecret,
    is_apprise,
)
from shared import webhooks as cases
from shared.clock import iso, now_us
from shared.errors import Conflict
from shared.models import Delivery, Webhook
from shared.states import DeliveryState
from shared.store import deliveries, webhooks


def list_webhooks(call: Call, given: Paged) -> Answer:
    """Webhooks, newest first."""
    found, total = webhooks.page(call.store, call.organisation_id, given.limit, given.skip)
    meta = Meta(total=total, page=given.page, page_size=given.limit)
    return Answer(DataPage[WebhookResult](data=[WebhookResult(**_fields(w)) for w in found], meta=meta))


def create_webhook(call: Call, given: CreateWebhook) -> Answer:
    """Adds a webhook. The answer holds its secret, which is not shown again."""
    wanted = cases.Wanted(given.type, given.url, given.events, given.description)
    webhook, secret = cases.create(call.services.settings, call.store, call.organisation_id, wanted, call.claim)
    return _with_secret(webhook, secret, 201)


def get_webhook(call: Call, _given: NoQuery) -> Answer:
    """One webhook."""
    return _answer(_here(call))


def change_webhook(call: Call, given: ChangeWebhook) -> Answer:
    """Changes a webhook, or switches it off and on."""
    webhook, values = _here(call), given.given()
    if "url" in values and is_apprise(given.url) != (webhook.type == "apprise"):
        raise Conflict(f"The webhook is of type {webhook.type}: make another for this URL")
    return _answer(cases.change(call.services.settings, call.store, webhook, values))


def delete_webhook(call: Call, _given: NoQuery) -> Answer:
    """Deletes a webhook with its log; nothing more is sent to it."""
    webhook = _here(call)
    webhooks.remove(call.store, webhook.id)
    return _answer(webhook)


def rotate_webhook(call: Call, _given: NoBody) -> Answer:
    """Makes a new secret. The old one signs too for 24 hours."""
    return _with_secret(*cases.rotate(call.services.settings, call.store, _here(call)), 200)


def try_webhook(call: Call, _given: NoBody) -> Answer:
    """Sends an event of type `webhook.test`, whatever the webhook wants."""
    return _delivery_answer(cases.try_out(call.store, _here(call)))


def list_deliveries(call: Call, given: ListDeliveries) -> Answer:
    """What was sent, newest first; kept for 30 days."""
    state = DeliveryState[given.status.upper()] if given.status else None
    found, total = deliveries.page(call.store, _here(call), state, given.limit, given.skip)
    meta = Meta(total=total, page=given.page, page_size=given.limit)
    return Answer(DataPage[DeliveryResult](data=[_delivery(d) for d in found], meta=meta))


def redeliver(call: Call, _given: NoBody) -> Answer:
    """Sends the same message again under the same `webhook-id`: at once where it still waits, else anew."""
    webhook = _here(call)
    old = deliveries.get(call.store, webhook, call.path["delivery_id"])
    return _delivery_answer(cases.redeliver(call.store, webhook, old))


def _here(call: Call) -> Webhook:
    return webhooks.get(call.store, call.path["id"], call.organisation_id)


def _answer(webhook: Webhook) -> Answer:
    return Answer(Data[WebhookResult](data=WebhookResult(**_fields(webhook))))


def _with_secret(webhook: Webhook, secret: str | None, status: int) -> Answer:
    shown, again = (WebhookWithSecret(**_fields(webhook), secret=known) for known in (secret, None))
    kept = Data[WebhookWithSecret](data=again)
    return Answer(Data[WebhookWithSecret](data=shown), status=status, replay=kept)


def _fields(webhook: Webhook) -> dict[str, Any]:
    until = webhook.old_secret_until
    return {
        "id": webhook.uid,
        "type": webhook.type,
        "url": webhook.url,
        "events": list(webhook.events),
        "description": webhook.description,
        "is_active": webhook.is_active,
        "disabled_reason": webhook.disabled_reason,
        "failing_since": iso(webhook.failing_since),
        "old_secret_until": iso(until) if until and until > now_us() else None,
        "created_at": iso(webhook.created_at),
        "updated_at": iso(webhook.updated_at),
    }


def _delivery_answer(delivery: Delivery) -> Answer:
    return Answer(Data[DeliveryResult](data=_delivery(delivery)), status=202)


def _delivery(delivery: Delivery) -> DeliveryResult:
    return DeliveryResult(
        id=delivery.uid,
        message_id=delivery.message_id,
        event_type=delivery.event_type,
        status=delivery.state.name.lower(),  # type: ignore[arg-type]
        attempts=delivery.attempts,
        status_code=delivery.status_code,
        duration=delivery.duration,
        error=delivery.error,
        answer=delivery.answer,
        payload=delivery.payload,
        created_at=iso(delivery.created_at) or "",
        attempted_at=iso(delivery.attempted_at),
        next_attempt_at=iso(delivery.next_attempt_at),
        completed_at=iso(delivery.completed_at),
    )
