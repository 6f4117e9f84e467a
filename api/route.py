"""A route: what the table of `api/routes.py` says of each call."""

from dataclasses import dataclass

from pydantic import BaseModel

from api.context import Handler
from api.schemas.common import NoQuery


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path."""

    method: str
    #: with Flask's placeholders, `<job_id>`
    path: str
    handler: Handler
    summary: str
    #: model of the answer; None: not JSON
    result: type[BaseModel] | None
    #: model of the query (GET, DELETE) or of the body (POST, PUT, PATCH)
    #: model of the query (GET, DELETE) or of the body (the others)
    given: type[BaseModel] = NoQuery
    status: int = 200
    #: None: no key needed
    scope: str | None = "read"
    #: a single resource: answered with an ETag, and 304 where the client has it
    etag: bool = False
    #: content types besides JSON
    also: tuple[str, ...] = ()
    #: statuses that only some routes answer with
    errors: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Operation id."""
        return self.handler.__name__

    @property
    def is_watched(self) -> bool:
        """Whether the answer is a stream of events that goes on."""
        return "text/event-stream" in self.also

    @property
    def takes_body(self) -> bool:
        """Whether `given` is read from the body."""
        return self.method in ("POST", "PUT", "PATCH")
