"""Deliveries: what is to be told to webhooks, what became of it, and when it is due again.

SQL says what is due; a dispatched delivery is held by `claimed_until` until its worker has told what became
of it. A lost queue job and a killed worker are one case: the claim runs out and the delivery is due again.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from shared import ids
from shared.clock import SECOND
from shared.errors import Conflict, NotFound
from shared.models import Delivery, Webhook
from shared.states import DeliveryState
from shared.store import events, webhooks
from shared.store.engine import Store
from shared.store.webhook_tables import IS_DUE, webhook_deliveries
from shared.store.webhook_tables import webhooks as webhooks_table

#: how long a dispatched delivery is left alone: over what one attempt may take, and its wait in the queue
CLAIM = 30 * SECOND
#: deliveries of one webhook under way at once, so that a slow receiver cannot hold all threads of the workers
AT_ONCE = 8
#: every attempt failing for so long ends it
PATIENCE = 5 * 86_400 * SECOND
KEPT = 30 * 86_400 * SECOND
_CHUNK = 5000
#: deliveries among which those under way are counted: what commits late is due a little before them
_NEAR = 500
_D = webhook_deliveries.c


@dataclass(frozen=True, slots=True)
class Started:
    """A delivery that a worker is to make now, and to whom."""

    delivery: Delivery
    webhook: Webhook


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt went. Times in microseconds, duration in milliseconds."""

    ended_at: int
    duration: int
    status_code: int | None = None
    #: one line; None: delivered
    error: str | None = None
    answer: str | None = None
    #: when to try again; None: never
    next_at: int | None = None
    #: the receiver wants nothing more, ever (410)
    is_gone: bool = False


def add(store: Store, webhook: Webhook, type: str, data: dict[str, Any], now: int) -> Delivery:
    """An event for one webhook alone. Raises Conflict when that is switched off."""
    return _insert(store, webhook, events.new_message_id(), type, events.body(type, data, now), now)


def repeat(store: Store, webhook: Webhook, old: Delivery, now: int) -> Delivery:
    """The same message once more: at once where it still waits, else as a new delivery. Raises Conflict."""
    if old.state is not DeliveryState.PENDING:
        return _insert(store, webhook, old.message_id, old.event_type, old.payload, now)
    sooner = update(webhook_deliveries).where(_D.id == old.id, IS_DUE).values(next_attempt_at=now)
    store.write(lambda conn: conn.execute(sooner))
    return get(store, webhook, old.uid)


def _insert(store: Store, webhook: Webhook, message_id: str, type: str, body: str, now: int) -> Delivery:
    values = {
        "webhook_id": webhook.id,
        "message_id": message_id,
        "event_type": type,
        "payload": body,
        "state": DeliveryState.PENDING,
        "next_attempt_at": now,
        "created_at": now,
    }

    def step(conn: Connection) -> Delivery:
        current = webhooks.by_number(conn, webhook.id)
        if current is None:
            raise NotFound("Webhook not found")
        if not current.is_active:
            raise Conflict(f"The webhook is switched off: {current.disabled_reason}")
        return _delivery(conn.execute(insert(webhook_deliveries).values(values).returning(*webhook_deliveries.c)).one())

    return store.write(step)


def page(store: Store, webhook: Webhook, state: DeliveryState | None, limit: int, offset: int) -> tuple[list[Any], int]:
    """Deliveries of a webhook, newest first, and how many there are."""
    which = _D.webhook_id == webhook.id
    if state is not None:
        which &= _D.state == state
    with store.snapshot() as conn:
        total = conn.execute(select(func.count()).select_from(webhook_deliveries).where(which)).scalar_one()
        query = select(webhook_deliveries).where(which).order_by(_D.id.desc()).limit(limit).offset(offset)
        return [_delivery(row) for row in conn.execute(query)], total


def get(store: Store, webhook: Webhook, text: str) -> Delivery:
    """A webhook's delivery by its public id. Raises NotFound."""
    found = ids.decode(text)
    if found is not None and found.kind is ids.Kind.DELIVERY:
        with store.read() as conn:
            query = select(webhook_deliveries).where(_D.id == found.body, _D.webhook_id == webhook.id)
            row = conn.execute(query).first()
        if row is not None and row.created_at // 1000 == found.ms:
            return _delivery(row)
    raise NotFound("Delivery not found")


# -- dispatch and outcome -------------------------------------------------------------


def due(store: Store, now: int) -> list[str]:
    """Claims what is due, or was lost; the public ids (hex) to enqueue."""
    number = webhooks_table.c.id
    # one look a webhook: one that has fallen behind may have a million waiting
    ripe = select(_D.id).where(_D.webhook_id == number, _is_due(now)).exists()
    with store.read() as conn:
        waiting = list(conn.execute(select(number).where(ripe).order_by(number)).scalars())
    return [delivery for webhook_id in waiting for delivery in _claimed(store, webhook_id, now)]


def following(store: Store, number: int, now: int) -> list[str]:
    """Claims what is due after a delivery for the same webhook; the public ids (hex) to enqueue."""
    its = select(_D.webhook_id).where(_D.id == number).scalar_subquery()
    with store.read() as conn:
        webhook_id = conn.execute(select(_D.webhook_id).where(_D.webhook_id == its, _is_due(now)).limit(1)).scalar()
    return [] if webhook_id is None else _claimed(store, webhook_id, now)


def _claimed(store: Store, webhook_id: int, now: int) -> list[str]:
    return store.write(lambda conn: _claim(conn, webhook_id, now))


def _is_due(now: int) -> ColumnElement[bool]:
    return and_(IS_DUE, _D.next_attempt_at <= now, or_(_D.claimed_until.is_(None), _D.claimed_until < now))


def _claim(conn: Connection, webhook_id: int, now: int) -> list[str]:
    _lock(conn, webhook_id)
    webhook = webhooks.by_number(conn, webhook_id)
    if webhook is None or not webhook.is_active:
        webhooks.give_up(conn, webhook_id, now, (webhook and webhook.disabled_reason) or "The webhook was deleted")
        return []
    # what is under way was due first, so it is among the first of what waits
    mine = select(_D.claimed_until).where(IS_DUE, _D.webhook_id == webhook_id)
    first = mine.order_by(_D.next_attempt_at, _D.id).limit(_NEAR).subquery()
    under_way = select(func.count()).select_from(first).where(first.c.claimed_until >= now)
    room = AT_ONCE - conn.execute(under_way).scalar_one()
    if room <= 0:
        return []
    ripe = select(_D.id, _D.created_at).where(_D.webhook_id == webhook_id, _is_due(now))
    query = ripe.order_by(_D.next_attempt_at, _D.id).limit(room).with_for_update(skip_locked=True)
    rows = conn.execute(query).all()
    if rows:
        held = update(webhook_deliveries).where(_D.id.in_([row.id for row in rows]))
        conn.execute(held.values(claimed_until=now + CLAIM))
    return [ids.encode(ids.Kind.DELIVERY, row.created_at // 1000, row.id).hex for row in rows]


def _lock(conn: Connection, webhook_id: int) -> None:
    """Webhooks before deliveries, as everywhere: two that claim or end at once must not wait for each other."""
    conn.execute(select(webhooks_table.c.id).where(webhooks_table.c.id == webhook_id).with_for_update())


def start(store: Store, number: int, now: int) -> Started | None:
    """Takes a delivery up; None when there is nothing to send: it ended, waits for later, or lost its webhook."""

    def step(conn: Connection) -> Started | None:
        taken = update(webhook_deliveries).where(_D.id == number, IS_DUE, _D.next_attempt_at <= now)
        values = {"run": _D.run + 1, "claimed_until": now + CLAIM, "attempted_at": now}
        row = conn.execute(taken.values(values).returning(*webhook_deliveries.c)).first()
        if row is None:
            return None
        webhook = webhooks.by_number(conn, row.webhook_id)
        if webhook is None:  # an event that was told while its webhook was being deleted
            conn.execute(delete(webhook_deliveries).where(_D.id == number))
            return None
        return Started(_delivery(row), webhook)

    return store.write(step)


def finish(store: Store, started: Started, attempt: Attempt) -> bool:
    """Records an attempt, and what it means for its webhook; False when a newer start has taken it over."""

    def step(conn: Connection) -> bool:
        _lock(conn, started.webhook.id)
        mine = update(webhook_deliveries).where(_D.id == started.delivery.id, IS_DUE, _D.run == started.delivery.run)
        if not conn.execute(mine.values(_ended(attempt))).rowcount:
            return False
        _judge(conn, started.webhook.id, attempt)
        return True

    return store.write(step)


def _ended(attempt: Attempt) -> dict[str, Any]:
    is_over = attempt.next_at is None
    failed = DeliveryState.FAILED if is_over else DeliveryState.PENDING
    return {
        "state": failed if attempt.error else DeliveryState.DELIVERED,
        "attempts": _D.attempts + 1,
        "claimed_until": None,
        "next_attempt_at": attempt.next_at,
        "status_code": attempt.status_code,
        "duration": attempt.duration,
        "error": attempt.error,
        "answer": attempt.answer,
        "completed_at": attempt.ended_at if is_over else None,
    }


def _judge(conn: Connection, number: int, attempt: Attempt) -> None:
    """Notes whether the webhook works, and switches it off when it has not for days or does not want to."""
    webhook = webhooks.by_number(conn, number)
    if webhook is None or not webhook.is_active:
        return
    mine = update(webhooks_table).where(webhooks_table.c.id == number)
    if attempt.error is None:
        if webhook.failing_since is not None:
            conn.execute(mine.values(failing_since=None))
        return
    since = webhook.failing_since or attempt.ended_at
    if webhook.failing_since is None:
        conn.execute(mine.values(failing_since=since))
    if attempt.is_gone:
        webhooks.disable(conn, number, attempt.ended_at, "The receiver answered 410 Gone")
    elif attempt.ended_at - since >= PATIENCE:
        webhooks.disable(conn, number, attempt.ended_at, f"Every attempt failed for 5 days, lastly: {attempt.error}")


def purge(store: Store, now: int) -> None:
    """Forgets deliveries older than 30 days, in short transactions."""
    while store.write(lambda conn: _purge(conn, now)) == _CHUNK:
        pass


def _purge(conn: Connection, now: int) -> int:
    old = select(_D.id).where(_D.created_at < now - KEPT).order_by(_D.created_at).limit(_CHUNK)
    return conn.execute(delete(webhook_deliveries).where(_D.id.in_(old.scalar_subquery()))).rowcount


def _delivery(row: Any) -> Delivery:
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        message_id=row.message_id,
        event_type=row.event_type,
        payload=row.payload,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        run=row.run,
        next_attempt_at=row.next_attempt_at,
        attempted_at=row.attempted_at,
        status_code=row.status_code,
        duration=row.duration,
        error=row.error,
        answer=row.answer,
        created_at=row.created_at,
        completed_at=row.completed_at,
    )
