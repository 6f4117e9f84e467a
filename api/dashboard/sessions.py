"""Sessions: who is signed in to the dashboard.

The cookie holds 256 random bits and nothing else. Redis holds, under their SHA-256 digest and with an
expiry, the id of the API key that signed in. So:

- every process of the API sees the same sessions, a restart ends none, and no setting holds a secret;
- neither the key's secret nor the cookie is stored, so what can be read in Redis signs nobody in;
- signing out ends the session itself, not only the browser's memory of it;
- the key is looked up in the record on every request: revoked or expired, it is signed out at once;
- a Redis that is lost costs a new sign-in, and nothing else.
"""

import hashlib
import hmac
import secrets

from redis import Redis

from shared.clock import now_us
from shared.models import ApiKey
from shared.queue import redis_errors
from shared.store import Store, keys

#: seconds
LIFETIME = 12 * 3600
_PREFIX = "crawlyard:session:"
_LONGEST = 100


def new_token() -> str:
    """What a cookie holds."""
    return secrets.token_urlsafe(32)


def csrf_of(token: str) -> str:
    """What a form must send back: only a page that this browser got from us can know it."""
    return hmac.new(token.encode(), b"crawlyard csrf", hashlib.sha256).hexdigest()


def is_csrf(token: str, given: str) -> bool:
    """Whether a form sent what belongs to the cookie."""
    return hmac.compare_digest(csrf_of(token).encode(), given.encode(errors="replace"))


def begin(redis: Redis, key: ApiKey) -> str:
    """Signs a key in; the token for the cookie. Raises QueueUnavailable."""
    token = new_token()
    with redis_errors():
        redis.set(_name(token), key.id, ex=LIFETIME)
    return token


def end(redis: Redis, token: str) -> None:
    """Signs out. Raises QueueUnavailable."""
    with redis_errors():
        redis.delete(_name(token))


def key_of(redis: Redis, store: Store, token: str) -> ApiKey | None:
    """The key of a session, None once either is over. Raises QueueUnavailable, StoreUnavailable."""
    if not 0 < len(token) <= _LONGEST:
        return None
    with redis_errors():
        key_id = redis.get(_name(token))
    return _valid(store, key_id.decode()) if isinstance(key_id, bytes) else None


def _valid(store: Store, key_id: str) -> ApiKey | None:
    key = keys.get(store, key_id)
    if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now_us()):
        return None
    return key


def _name(token: str) -> str:
    return _PREFIX + hashlib.sha256(token.encode(errors="replace")).hexdigest()
