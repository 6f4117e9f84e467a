"""What an exception of requests, urllib3 or http.client means for us: none of theirs leaves the client."""

import http.client

from urllib3.exceptions import ClosedPoolError, IncompleteRead

from workers.errors import BadResponse, ConnectionReset, FetchError, TotalTimeout

_CUT_SHORT = (ConnectionError, IncompleteRead, http.client.IncompleteRead, ClosedPoolError)


def translated(error: BaseException) -> FetchError:
    """The FetchError for an exception of requests, urllib3 or http.client."""
    for cause in _causes(error):
        if isinstance(cause, TimeoutError):
            return TotalTimeout("The server did not take the request in time")
        if isinstance(cause, _CUT_SHORT):
            return ConnectionReset("The server closed the connection before the response was complete")
        if isinstance(cause, http.client.HTTPException):
            return BadResponse(f"Not a valid HTTP response: {cause or type(cause).__name__}")
    return BadResponse(f"Not a valid HTTP response: {error}")


def _causes(error: BaseException) -> list[BaseException]:
    """Innermost first: the outer ones only wrap it."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found and len(found) < 10:
        found.append(current)
        inner = [arg for arg in current.args if isinstance(arg, BaseException)]
        current = inner[-1] if inner else current.__cause__ or current.__context__
    return found[::-1]
