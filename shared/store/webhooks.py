"""Webhooks: create, list, change, disable."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from shared import ids
from shared.errors import Conflict, NotFound
from shared.models import Webhook
from shared.states import DeliveryState
from shared.store import idempotency
from shared.store.engine import Store
from shared.store.idempotency import Claim
from shared.store.webhook_tables import IS_DUE, webhook_deliveries, webhooks

#: of one organisation: each end of a job asks for them
MOST = 100
#: deliveries changed in one transaction
_CHUNK = 5000
_W = webhooks.c


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """What a webhook is made of; `secret` and `sealed_url` are sealed."""

    type: str
    url: str
    events: Sequence[str]
    description: str
    secret: str | None = None
    sealed_url: str | None = None


def create(store: Store, organisation_id: int, new: NewWebhook, now: int, claim: Claim | None) -> Webhook:
    """Stores a webhook; where an earlier request with the same key has made one, that one.

    Raises Conflict when the organisation has a hundred, NotFound when the earlier one is deleted.
    """
    values = {
        "uid": str(ids.new_uuid()),
        "organisation_id": organisation_id,
        "type": new.type,
        "url": new.url,
        "sealed_url": new.sealed_url,
        "description": new.description,
        "events": joined(new.events),
        "is_active": 1,
        "secret": new.secret,
        "created_at": now,
        "updated_at": now,
    }

    def step(conn: Connection) -> Webhook:
        earlier = idempotency.made(conn, claim)
        if earlier is not None:
            return _there(by_number(conn, earlier))
        count = select(func.count()).select_from(webhooks).where(_W.organisation_id == organisation_id)
        if conn.execute(count).scalar_one() >= MOST:
            raise Conflict(f"An organisation can have {MOST} webhooks")
        made = _webhook(conn.execute(insert(webhooks).values(values).returning(*webhooks.c)).one())
        idempotency.note(conn, claim, made.id)
        return made

    return store.write(step)


def joined(events: Sequence[str]) -> str:
    """Event types as the table keeps them: a space before and after each, so that LIKE finds whole ones."""
    return f" {' '.join(sorted(set(events)))} "


def page(store: Store, organisation_id: int, limit: int, offset: int) -> tuple[list[Webhook], int]:
    """Webhooks, newest first, and how many there are."""
    mine = _W.organisation_id == organisation_id
    with store.snapshot() as conn:
        total = conn.execute(select(func.count()).select_from(webhooks).where(mine)).scalar_one()
        found = conn.execute(select(webhooks).where(mine).order_by(_W.id.desc()).limit(limit).offset(offset))
        return [_webhook(row) for row in found], total


def get(store: Store, text: str, organisation_id: int) -> Webhook:
    """The webhook of a public id in either spelling. Raises NotFound."""
    uid = ids.parse_uuid(text)
    with store.read() as conn:
        row = conn.execute(select(webhooks).where(_W.uid == str(uid), _W.organisation_id == organisation_id)).first()
    return _there(_webhook(row) if row is not None else None)


def _there(found: Webhook | None) -> Webhook:
    if found is None:
        raise NotFound("Webhook not found")
    return found


def by_number(conn: Connection, number: int) -> Webhook | None:
    """The webhook of a delivery; None once it is deleted."""
    row = conn.execute(select(webhooks).where(_W.id == number)).first()
    return None if row is None else _webhook(row)


def change(store: Store, number: int, now: int, **values: Any) -> Webhook:
    """Changes columns of a webhook. Raises NotFound when it was deleted meanwhile."""
    return store.write(lambda conn: _change(conn, number, now, values))


def _change(conn: Connection, number: int, now: int, values: dict[str, Any]) -> Webhook:
    changed = update(webhooks).where(_W.id == number).values(updated_at=now, **values).returning(*webhooks.c)
    row = conn.execute(changed).first()
    if row is None:
        raise NotFound("Webhook not found")
    if not row.is_active:
        give_up(conn, number, now, row.disabled_reason)
    return _webhook(row)


def disable(conn: Connection, number: int, now: int, reason: str) -> None:
    """Sends nothing more to a webhook until somebody switches it on; what waits for it is given up, soon."""
    _change(conn, number, now, {"is_active": 0, "disabled_reason": reason})


def give_up(conn: Connection, number: int, now: int, reason: str) -> None:
    """Gives up the first of what waits for a webhook that is switched off; the dispatch comes back for the rest."""
    of = webhook_deliveries.c
    some = select(of.id).where(of.webhook_id == number, IS_DUE).order_by(of.next_attempt_at).limit(_CHUNK)
    given_up = {"state": DeliveryState.FAILED, "completed_at": now, "next_attempt_at": None, "claimed_until": None}
    waiting = update(webhook_deliveries).where(of.id.in_(some.scalar_subquery()))
    conn.execute(waiting.values(error=f"Not sent: {reason}"[:500], **given_up))


def remove(store: Store, number: int) -> None:
    """Deletes a webhook and its log, in short transactions; from the first on nothing is sent to it."""
    store.write(lambda conn: conn.execute(delete(webhooks).where(_W.id == number)))
    while store.write(lambda conn: _remove_deliveries(conn, number)):
        pass


def _remove_deliveries(conn: Connection, number: int) -> int:
    of = webhook_deliveries.c
    some = select(of.id).where(of.webhook_id == number).order_by(of.id).limit(_CHUNK)
    return conn.execute(delete(webhook_deliveries).where(of.id.in_(some.scalar_subquery()))).rowcount


def _webhook(row: Any) -> Webhook:
    return Webhook(
        id=row.id,
        uid=row.uid,
        organisation_id=row.organisation_id,
        type=row.type,
        url=row.url,
        sealed_url=row.sealed_url,
        description=row.description,
        events=tuple(row.events.split()),
        is_active=bool(row.is_active),
        disabled_reason=row.disabled_reason,
        failing_since=row.failing_since,
        secret=row.secret,
        old_secret=row.old_secret,
        old_secret_until=row.old_secret_until,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
