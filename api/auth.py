"""Who calls: an API key in one of three header forms, and what it may do."""

import threading
import time

from shared.errors import Forbidden, StoreUnavailable, Unauthorized
from shared.models import ApiKey, JobOptions
from shared.store import Store, keys

#: seconds that a valid key is believed without a look into the store: the bound on a revocation's delay
TRUST = 5.0
#: the same while the store is away: what needs Redis alone goes on
OUTAGE_TRUST = 60.0
_MOST = 10_000
_LONGEST = 512


def secret_of(authorization: str, x_api_key: str) -> str:
    """The key from `Authorization: Bearer`, `Authorization: Token` or `X-API-Key`. Raises Unauthorized."""
    scheme, _, value = authorization.strip().partition(" ")
    if authorization and (scheme.lower() not in ("bearer", "token") or not value.strip()):
        raise Unauthorized
    given = {secret for secret in (value.strip(), x_api_key.strip()) if secret}
    # two different keys in one request: nobody can say which one was meant
    if len(given) != 1 or len(secret := given.pop()) > _LONGEST:
        raise Unauthorized
    return secret


def require_scope(key: ApiKey, scope: str) -> None:
    """Raises Forbidden unless the key has the scope; `admin` has all."""
    if scope not in key.scopes and "admin" not in key.scopes:
        raise Forbidden(f"The API key lacks the scope `{scope}`")


def allowed(key: ApiKey, options: JobOptions) -> JobOptions:
    """The options of a crawl, where the key may ask for them. Raises Forbidden."""
    if not options.respect_robots:
        require_scope(key, "admin")
    return options


class Authenticator:
    """Looks keys up, and remembers valid ones for a moment. Thread-safe."""

    def __init__(self, store: Store, bootstrap_key: str | None) -> None:
        self._store = store
        self._bootstrap_key = bootstrap_key
        #: by digest: when the store was asked for it, when it last said yes, and the key
        self._known: dict[str, tuple[float, float, ApiKey]] = {}
        self._lock = threading.Lock()

    def authenticate(self, secret: str) -> ApiKey:
        """The valid key with this secret. Raises Unauthorized, StoreUnavailable."""
        digest, now = keys.digest(secret), time.monotonic()
        known = self._known.get(digest)
        if known is not None and now - known[0] < TRUST:
            return known[2]
        try:
            self._ensure_bootstrap()
            key = keys.authenticate(self._store, secret)
        except StoreUnavailable:
            if known is None or now - known[1] > OUTAGE_TRUST:
                raise
            self._known[digest] = (time.monotonic(), *known[1:])
            return known[2]
        if key is None:
            self._known.pop(digest, None)
            raise Unauthorized
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[digest] = (now, now, key)
        return key

    def _ensure_bootstrap(self) -> None:
        """On the first request, not at start: the database may still be away then."""
        if self._bootstrap_key is None:
            return
        with self._lock:
            if self._bootstrap_key is not None:
                keys.ensure_bootstrap(self._store, self._bootstrap_key)
                self._bootstrap_key = None
