"""Idempotency keys: the first answer to a POST, kept for a day."""

from dataclasses import dataclass

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


def begin(store: Store, organisation_id: int, key: str, fingerprint: str, now: int) -> Answer | None:
    """Claims a key for this request: None: go on, else the answer that the first one got.

    Raises Conflict when the key is in use, by a different request or by one that has not ended.
    """

    def step(conn: Connection) -> Answer | None:
        mine = and_(_I.organisation_id == organisation_id, _I.key == key)
        conn.execute(delete(idempotency).where(mine, _I.created_at < now - KEPT))
        conn.execute(delete(idempotency).where(mine, _I.status.is_(None), _I.created_at < now - _ABANDONED))
        row = conn.execute(select(idempotency).where(mine)).first()
        if row is None:
            values = {"organisation_id": organisation_id, "key": key, "fingerprint": fingerprint, "created_at": now}
            conn.execute(insert(idempotency).values(values))
            return None
        if row.fingerprint != fingerprint:
            raise Conflict("The Idempotency-Key was used with a different request")
        if row.status is None:
            raise Conflict("The first request with this Idempotency-Key has not ended yet")
        return Answer(row.status, row.body)

    try:
        return store.write(step)
    except IntegrityError:
        # PostgreSQL: a concurrent request has claimed it between our look and our insert
        raise Conflict("The first request with this Idempotency-Key has not ended yet") from None


def finish(store: Store, organisation_id: int, key: str, answer: Answer) -> None:
    """Records the first answer."""
    mine = and_(_I.organisation_id == organisation_id, _I.key == key)
    values = {"status": answer.status, "body": answer.body}
    store.write(lambda conn: conn.execute(update(idempotency).where(mine).values(values)))


def release(store: Store, organisation_id: int, key: str) -> None:
    """Gives a key back: its request did nothing."""
    mine = and_(_I.organisation_id == organisation_id, _I.key == key, _I.status.is_(None))
    store.write(lambda conn: conn.execute(delete(idempotency).where(mine)))


def purge(store: Store, now: int) -> None:
    """Forgets answers older than a day."""
    store.write(lambda conn: conn.execute(delete(idempotency).where(_I.created_at < now - KEPT)))
