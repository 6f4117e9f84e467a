"""The error tree. Each class carries what every door (HTTP, CLI, worker) needs to report it."""

from collections.abc import Sequence
from typing import ClassVar


class CrawlyardError(Exception):
    """Something went wrong."""

    #: machine-readable code of the HTTP error body (API.md, "Errors")
    code: ClassVar[str] = "INTERNAL_ERROR"
    #: status of the HTTP answer
    http_status: ClassVar[int] = 500
    #: whether the same call may succeed later without any change
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        self.message = message or (self.__doc__ or "").splitlines()[0]
        super().__init__(self.message)


class SettingsError(CrawlyardError):
    """A setting is missing or wrong."""


class Unauthorized(CrawlyardError):
    """Invalid or missing API key."""

    code = "UNAUTHORIZED"
    http_status = 401


class Forbidden(CrawlyardError):
    """The API key lacks the scope for this call."""

    code = "FORBIDDEN"
    http_status = 403


class NotFound(CrawlyardError):
    """Not found."""

    code = "NOT_FOUND"
    http_status = 404


class Conflict(CrawlyardError):
    """The resource is in a state that does not allow this."""

    code = "CONFLICT"
    http_status = 409


class Invalid(CrawlyardError):
    """The request is not valid."""

    code = "VALIDATION_ERROR"
    http_status = 400

    def __init__(self, message: str | None = None, details: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        #: (field, message) pairs, one a wrong field
        self.details = tuple(details)


class InvalidUrl(Invalid):
    """The URL is not one that can be crawled."""


class InvalidRule(Invalid):
    """The rule is not one that URLs can be compared with."""


class Unavailable(CrawlyardError):
    """A service that Crawlyard depends on is away."""

    code = "SERVICE_UNAVAILABLE"
    http_status = 503
    retryable = True


class StoreUnavailable(Unavailable):
    """The database cannot be reached."""


class QueueUnavailable(Unavailable):
    """Redis cannot be reached."""


class QueueFault(CrawlyardError):
    """Redis refused a command: trying again will not help."""
