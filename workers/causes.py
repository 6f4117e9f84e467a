"""What an exception of a socket or of http.client means for us: none of theirs leaves the client."""

import http.client

from workers.errors import BadResponse, ConnectionReset, FetchError, TotalTimeout


def translated(error: Exception) -> FetchError:
    """The FetchError for an exception that came of sending a request or of reading its answer."""
    if isinstance(error, TimeoutError):
        return TotalTimeout("The server did not take the request in time")
    if isinstance(error, ConnectionError | http.client.IncompleteRead):
        return ConnectionReset("The server closed the connection before the response was complete")
    return BadResponse(f"Not a valid HTTP response: {error or type(error).__name__}")
