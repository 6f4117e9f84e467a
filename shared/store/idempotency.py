"""Idempotency keys: the first answer to a POST, kept for a day.

A key's row holds no status until the answer is known. What the request has made by then is in its `body`, written
in the transaction that made it: a process that dies before it answers leaves behind what the same request, sent
again, goes on with.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from shared.clock import SECOND
from shared.errors import Conflict
from shared.store.engine import Store
from shared.store.tables import idempotency

KEPT = 24 * 3600 * SECOND
#: a first request that takes longer has died with its process
_ABANDONED = 120 * SECOND
_I = idempotency.c


@dataclass(frozen=True, slots=True)
class Answer:
    """A recorded answer."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that a request holds."""

    organisation_id: int
    key: str


def _mine(claim: Claim) -> Any:
    return and_(_I.organisation_id == claim.organisation_id, _I.key == claim.key)


def made(conn: Connection, claim: Claim | None) -> int | None:
    """The number of what a request with this key has made already; nobody else makes one meanwhile."""
    if claim is None:
        return None
    row = conn.execute(select(_I.body).where(_mine(claim), _I.status.is_(None)).with_for_update()).first()
    return int(row.body) if row is not None and row.body is not None else None


def note(conn: Connection, claim: Claim | None, number: int) -> None:
    """Notes the number of what the request has made, in the transaction that makes it."""
    if claim is not None:
        conn.execute(update(idempotency).where(_mine(claim), _I.status.is_(None)).values(body=str(number)))


def begin(store: Store, claim: Claim, fingerprint: str, now: int) -> Answer | None:
    """Claims a key for this request: None: go on, else the answer that the first one got.

    Raises Conflict when the key is in use, by a different request or by one that has not ended.
    """

    def step(conn: Connection) -> Answer | None:
        mine = _mine(claim)
        conn.execute(delete(idempotency).where(mine, _I.created_at < now - KEPT))
        row = conn.execute(select(idempotency).where(mine).with_for_update()).first()
        if row is None:
            values = {"organisation_id": claim.organisation_id, "key": claim.key, "fingerprint": fingerprint}
            conn.execute(insert(idempotency).values(created_at=now, **values))
            return None
        if row.fingerprint != fingerprint:
            raise Conflict("The Idempotency-Key was used with a different request")
        if row.status is not None:
            return Answer(row.status, row.body)
        if row.created_at >= now - _ABANDONED:
            raise Conflict("The first request with this Idempotency-Key has not ended yet")
        conn.execute(update(idempotency).where(mine).values(created_at=now))
        return None

    try:
        return store.write(step)
    except IntegrityError:
        # PostgreSQL: a concurrent request has claimed it between our look and our insert
        raise Conflict("The first request with this Idempotency-Key has not ended yet") from None


def finish(store: Store, claim: Claim, answer: Answer) -> None:
    """Records the first answer."""
    values = {"status": answer.status, "body": answer.body}
    store.write(lambda conn: conn.execute(update(idempotency).where(_mine(claim)).values(values)))


def release(store: Store, claim: Claim) -> None:
    """Gives a key back: its request did nothing, or is to be sent again to learn what it made."""

    def step(conn: Connection) -> None:
        open_one = and_(_mine(claim), _I.status.is_(None))
        conn.execute(delete(idempotency).where(open_one, _I.body.is_(None)))
        conn.execute(update(idempotency).where(open_one).values(created_at=_I.created_at - _ABANDONED))

    store.write(step)


def purge(store: Store, now: int) -> None:
    """Forgets answers older than a day."""
    store.write(lambda conn: conn.execute(delete(idempotency).where(_I.created_at < now - KEPT)))
