"""What a call has at hand: the services of the process, its key, its path."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from api.auth import Authenticator
from api.rate_limit import RateLimiter
from api.streams import Streams
from shared.errors import Unauthorized
from shared.measures import Flusher, Measures
from shared.models import ApiKey
from shared.queue import TaskQueue
from shared.settings import Settings
from shared.store import Store
from shared.store.idempotency import Claim

#: where Flask keeps our services
EXTENSION = "crawlyard"


@dataclass(frozen=True, slots=True)
class Services:
    """One per application."""

    settings: Settings
    store: Store
    queue: TaskQueue
    authenticator: Authenticator
    limiter: RateLimiter
    streams: Streams
    measures: Measures
    flusher: Flusher


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request."""

    services: Services
    path: Mapping[str, str]
    _key: ApiKey | None
    #: scheme://host[:port]/ as the client sees us
    root: str
    #: the Idempotency-Key of the request
    claim: Claim | None = None

    @property
    def key(self) -> ApiKey:
        """The caller's key. Raises Unauthorized on a public route."""
        if self._key is None:
            raise Unauthorized
        return self._key

    @property
    def store(self) -> Store:
        """The record."""
        return self.services.store

    @property
    def queue(self) -> TaskQueue:
        """The queue."""
        return self.services.queue

    @property
    def organisation_id(self) -> int:
        """The caller's organisation."""
        return self.key.organisation_id


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is sent at once: a model, or bytes of another content type."""

    body: BaseModel | bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    #: what an Idempotency-Key gets when it is sent again, where `body` holds a secret that is shown once
    replay: BaseModel | None = None

    def payload(self) -> bytes:
        """The bytes of the body. A field that was not set is left out."""
        return _bytes_of(self.body)

    def kept(self) -> bytes:
        """The bytes that are kept for the same request sent again."""
        return _bytes_of(self.body if self.replay is None else self.replay)


def _bytes_of(body: BaseModel | bytes) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.model_dump_json(by_alias=True, exclude_unset=True).encode()


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that is sent in parts."""

    parts: Iterator[bytes]
    content_type: str
    #: None: shown, not saved
    filename: str | None = None


Handler = Callable[[Call, Any], Answer | Stream]
