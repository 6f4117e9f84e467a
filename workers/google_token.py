"""Access tokens of Google service accounts: google-auth on the guarded client."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from shared.errors import CrawlyardError
from shared.settings import FetchLimits
from workers.errors import one_line
from workers.fetch import Fetcher

_LIMITS = FetchLimits(connect=10, first_byte=20, total=30, body=100_000, decoded=100_000, redirects=0)


class Refused(CrawlyardError):
    """Google refuses the key or the property."""


class Unavailable(CrawlyardError):
    """Google does not answer as documented."""

    retryable = True


class _Answer(NamedTuple):
    """What google-auth reads of an answer (google.auth.transport.Response)."""

    status: int
    headers: Mapping[str, str]
    data: bytes


def token(fetcher: Fetcher, credentials: Any) -> str:
    """A valid access token; asked for where the credentials hold none.

    Raises Refused, Unavailable, and FetchError where nobody answers.
    """
    if not credentials.valid:
        _refresh(credentials, _transport(fetcher))
    found = credentials.token
    if not isinstance(found, str) or not found.isascii() or not found.isprintable():
        raise Unavailable("Google's token endpoint gave no access token")
    return found


def _refresh(credentials: Any, transport: Callable[..., _Answer]) -> None:
    from google.auth.exceptions import GoogleAuthError

    try:
        credentials.refresh(transport)
    except GoogleAuthError as error:
        reason = one_line(str(error.args[0] if error.args else error))[:300]
        if error.retryable:
            raise Unavailable(f"Google's token endpoint does not answer: {reason}") from None
        raise Refused(f"Google refuses the service account's key: {reason}") from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise Unavailable("Google's token endpoint did not answer as documented") from None


def _transport(fetcher: Fetcher) -> Callable[..., _Answer]:
    """google-auth's way to the token endpoint (google.auth.transport.Request)."""

    def request(
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> _Answer:
        response = fetcher.send(method, url, headers=headers, content=body, limits=_LIMITS)
        return _Answer(response.status_code, response.headers, response.body)

    return request
