"""Use cases of webhooks: create, change, rotate the secret, try out, send again."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared import apprise_urls, urls, vault
from shared.addresses import AddressPolicy, forbidden
from shared.clock import SECOND, now_us
from shared.errors import Conflict, Invalid
from shared.models import Delivery, Webhook
from shared.settings import Settings
from shared.store import Store, deliveries, webhooks
from shared.store.idempotency import Claim
from shared.store.webhooks import NewWebhook

HTTP, APPRISE = "http", "apprise"
#: type of the event that `try_out` sends, to one webhook and whatever that wants
TEST = "webhook.test"
#: how long the secret before still signs
OVERLAP = 24 * 3600 * SECOND
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asks for."""

    type: str
    url: str
    events: Sequence[str]
    description: str


def create(
    settings: Settings, store: Store, organisation_id: int, wanted: Wanted, claim: Claim | None = None
) -> tuple[Webhook, str | None]:
    """A new webhook, one for a key, and its secret, which is never shown again (Apprise has none).

    Raises Invalid for an address that must not be reached or a missing extra, Conflict.
    """
    target = _target(settings, wanted.type, wanted.url)
    secret = _new_secret() if wanted.type == HTTP else None
    sealed = vault.seal(settings, secret) if secret else None
    new = NewWebhook(wanted.type, events=wanted.events, description=wanted.description, secret=sealed, **target)
    made = webhooks.create(store, organisation_id, new, now_us(), claim)
    return made, vault.open_sealed(settings, made.secret) if made.secret else None


def _target(settings: Settings, type: str, url: str) -> dict[str, str]:
    if type == APPRISE:
        apprise_urls.require_apprise()
        return {"url": apprise_urls.shown(url), "sealed_url": vault.seal(settings, url)}
    canonical = urls.canonicalise(url)
    reason = forbidden(AddressPolicy(settings.allow_private), canonical)
    if reason:
        raise Invalid("Not valid: url", [("url", reason)])
    return {"url": canonical}


def _new_secret() -> str:
    """Standard Webhooks, "Signature scheme": `whsec_` and 24 to 64 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def change(settings: Settings, store: Store, webhook: Webhook, given: dict[str, Any]) -> Webhook:
    """Changes url, events, description or is_active. What was disabled starts afresh when it is switched on.

    Raises Invalid as `create` does, NotFound.
    """
    values = {name: given[name] for name in ("description",) if name in given}
    if "events" in given:
        values["events"] = webhooks.joined(given["events"])
    if "url" in given:
        values |= _target(settings, webhook.type, given["url"])
    if "is_active" in given:
        is_on = given["is_active"]
        values |= {"is_active": int(is_on), "disabled_reason": None if is_on else "Switched off by request"}
        values |= {"failing_since": None} if is_on else {}
    return webhooks.change(store, webhook.id, now_us(), **values)


def rotate(settings: Settings, store: Store, webhook: Webhook) -> tuple[Webhook, str]:
    """A new secret; the old one signs too for 24 hours. Raises Conflict where there is none, NotFound."""
    if webhook.secret is None:
        raise Conflict("Only webhooks of type http have a secret")
    secret, now = _new_secret(), now_us()
    values = {"secret": vault.seal(settings, secret), "old_secret": webhook.secret, "old_secret_until": now + OVERLAP}
    return webhooks.change(store, webhook.id, now, **values), secret


def try_out(store: Store, webhook: Webhook) -> Delivery:
    """Sends a webhook something, to try it out. Raises Conflict when it is switched off."""
    return deliveries.add(store, webhook, TEST, {"webhook_id": webhook.uid}, now_us())


def redeliver(store: Store, webhook: Webhook, delivery: Delivery) -> Delivery:
    """Sends the same message once more, under the same `webhook-id`. Raises Conflict when it is switched off."""
    return deliveries.repeat(store, webhook, delivery, now_us())
