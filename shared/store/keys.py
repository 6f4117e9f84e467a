"""Organisations and their API keys. A secret is shown once and kept as its SHA-256 digest."""

import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from shared import ids
from shared.clock import SECOND, now_us
from shared.errors import Invalid, StoreUnavailable
from shared.models import ApiKey
from shared.store.engine import Store
from shared.store.inserts import insert_new
from shared.store.tables import api_keys, organisations

SCOPES = frozenset({"read", "write", "admin"})
DEFAULT_ORGANISATION = "default"
_LAST_USED_STEP = 60 * SECOND

_K = api_keys.c
_LOADED = select(api_keys, organisations.c.uid.label("o_uid"), organisations.c.name.label("o_name")).join(
    organisations, organisations.c.id == _K.organisation_id
)


def digest(secret: str) -> str:
    """What is stored of a secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create(
    store: Store,
    organisation: str | None,
    name: str,
    scopes: Collection[str] = SCOPES,
    expires_at: int | None = None,
    secret: str | None = None,
) -> tuple[ApiKey, str]:
    """Makes a key, and its organisation if that is new. The secret is in the answer and nowhere else.

    expires_at in microseconds. Raises Invalid for an unknown scope.
    """
    unknown = sorted(set(scopes) - SCOPES)
    if unknown or not scopes:
        raise Invalid(f"Scopes are {', '.join(sorted(SCOPES))}, not {', '.join(unknown) or 'none'}")
    secret = secret or "cy_" + secrets.token_urlsafe(32)
    key_id = str(ids.new_uuid())

    def step(conn: Connection) -> None:
        now = now_us()
        conn.execute(
            insert(api_keys).values(
                id=key_id,
                organisation_id=_organisation(conn, organisation or DEFAULT_ORGANISATION, now),
                name=name,
                prefix=secret[:10],
                digest=digest(secret),
                scopes=" ".join(sorted(scopes)),
                created_at=now,
                expires_at=expires_at,
            )
        )

    store.write(step)
    made = get(store, key_id)
    assert made is not None
    return made, secret


def ensure_bootstrap(store: Store, secret: str) -> None:
    """Makes the given secret an admin key of the first organisation, once."""

    def step(conn: Connection) -> None:
        if conn.execute(select(_K.id).where(_K.digest == digest(secret))).first():
            return
        now = now_us()
        first = conn.execute(select(organisations.c.id).order_by(organisations.c.id).limit(1)).scalar()
        insert_new(
            conn,
            api_keys,
            id=str(ids.new_uuid()),
            organisation_id=first or _organisation(conn, DEFAULT_ORGANISATION, now),
            name="bootstrap",
            prefix=secret[:4] + "…",
            digest=digest(secret),
            scopes=" ".join(sorted(SCOPES)),
            created_at=now,
        )

    store.write(step)


def _organisation(conn: Connection, name: str, now: int) -> int:
    query = select(organisations.c.id).where(organisations.c.name == name)
    found = conn.execute(query).scalar()
    if found is None:
        insert_new(conn, organisations, uid=str(ids.new_uuid()), name=name, created_at=now)
        found = conn.execute(query).scalar_one()
    return int(found)


def authenticate(store: Store, secret: str) -> ApiKey | None:
    """The valid key with this secret, None if it is unknown, revoked or expired. Notes its use, once a minute."""
    now, wanted = now_us(), digest(secret)
    with store.read() as conn:
        row = conn.execute(_LOADED.where(_K.digest == wanted)).first()
    if row is None or not hmac.compare_digest(row.digest, wanted):
        return None
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        return None
    if row.last_used_at is None or now - row.last_used_at > _LAST_USED_STEP:
        note = update(api_keys).where(_K.id == row.id).values(last_used_at=now)
        with contextlib.suppress(StoreUnavailable):  # a disk that is full keeps nobody from reading
            store.write(lambda conn: conn.execute(note))
    return _key(row)


def get(store: Store, key_id: str) -> ApiKey | None:
    """The key with this id, valid or not."""
    with store.read() as conn:
        row = conn.execute(_LOADED.where(_K.id == key_id)).first()
    return _key(row) if row else None


def list_all(store: Store) -> list[ApiKey]:
    """All keys of all organisations, oldest first."""
    with store.read() as conn:
        return [_key(row) for row in conn.execute(_LOADED.order_by(_K.created_at, _K.id))]


def of_organisation(store: Store, organisation_id: int) -> list[ApiKey]:
    """The keys of one organisation, newest first."""
    mine = _LOADED.where(_K.organisation_id == organisation_id)
    with store.read() as conn:
        return [_key(row) for row in conn.execute(mine.order_by(_K.created_at.desc(), _K.id))]


def revoke(store: Store, id_or_prefix: str) -> bool:
    """Revokes the one key with this id or secret prefix; False when there is none that is valid."""
    named = or_(_K.id == id_or_prefix, _K.prefix == id_or_prefix)
    change = update(api_keys).where(named, _K.revoked_at.is_(None)).values(revoked_at=now_us())
    return store.write(lambda conn: conn.execute(change).rowcount > 0)


def _key(row: Any) -> ApiKey:
    return ApiKey(
        id=row.id,
        organisation_id=row.organisation_id,
        organisation_uid=row.o_uid,
        organisation=row.o_name,
        name=row.name,
        prefix=row.prefix,
        scopes=frozenset(row.scopes.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
