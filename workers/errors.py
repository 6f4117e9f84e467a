"""Why a fetch failed. Each class has a stable `kind` and says whether trying again can help."""

from typing import ClassVar

from shared.errors import CrawlyardError

MAX_MESSAGE = 500


class FetchError(CrawlyardError):
    """The page could not be fetched."""

    code = "FETCH_ERROR"
    http_status = 502
    #: stable word for records, metrics and tests
    kind: ClassVar[str] = "fetch_error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(one_line(message or "") or None)


class DnsNotFound(FetchError):
    """The host name does not exist."""

    kind = "dns_not_found"


class DnsTemporary(FetchError):
    """The host name could not be resolved just now."""

    kind = "dns_temporary"
    retryable = True


class Unanswered(FetchError):
    """The server did not answer."""

    kind = "unanswered"
    retryable = True


class ConnectRefused(Unanswered):
    """The server refused the connection."""

    kind = "connect_refused"


class ConnectTimeout(Unanswered):
    """The server did not accept the connection in time."""

    kind = "connect_timeout"


class FirstByteTimeout(Unanswered):
    """The server did not begin to answer in time."""

    kind = "first_byte_timeout"


class TotalTimeout(Unanswered):
    """The response did not end in time."""

    kind = "total_timeout"


class ConnectionReset(Unanswered):
    """The server closed the connection too early."""

    kind = "connection_reset"


class TlsError(FetchError):
    """No secure connection: the certificate or the TLS handshake is wrong."""

    kind = "tls_error"


class ForbiddenAddress(FetchError):
    """The host's address is private or reserved and must not be reached."""

    kind = "forbidden_address"


class BodyTooLarge(FetchError):
    """The body is larger than allowed."""

    kind = "body_too_large"


class TooManyRedirects(FetchError):
    """Too many redirects."""

    kind = "too_many_redirects"


class RedirectLoop(TooManyRedirects):
    """The redirects form a loop."""

    kind = "redirect_loop"


class BadResponse(FetchError):
    """The answer is not valid HTTP or cannot be decoded."""

    kind = "bad_response"


class BadUrl(FetchError):
    """The URL, or one it redirects to, cannot be fetched."""

    kind = "bad_url"


class RedirectRefused(FetchError):
    """The page redirects to one that the job's rules leave out."""

    kind = "redirect_refused"


class CredentialsUnreadable(FetchError):
    """The job's credentials cannot be opened."""

    kind = "credentials_unreadable"


class RobotsUnavailable(FetchError):
    """robots.txt is temporarily unavailable, so nothing of the host may be fetched yet."""

    kind = "robots_unavailable"
    retryable = True

    def __init__(self, message: str | None = None, retry_after: str | None = None) -> None:
        super().__init__(message)
        #: the header as sent
        self.retry_after = retry_after


class RobotsPending(FetchError):
    """robots.txt is being fetched."""

    kind = "robots_pending"
    retryable = True


class HostBusy(FetchError):
    """The host is not to be asked just now."""

    kind = "host_busy"
    retryable = True

    def __init__(self, message: str | None = None, seconds: float = 0.0) -> None:
        super().__init__(message)
        #: until it may be asked
        self.seconds = seconds


class TurnLost(HostBusy):
    """The moment of a request has gone by before it could be sent."""

    kind = "turn_lost"


class Cancelled(FetchError):
    """The job was cancelled."""

    kind = "cancelled"


class LeaseLost(Cancelled):
    """Its worker did not hold the task any more."""

    kind = "lease_lost"


def of_kind(kind: str, message: str) -> FetchError:
    """The error that a stable kind names, or the general one."""
    classes = [FetchError]
    for cls in classes:
        if cls.kind == kind:
            return cls(message)
        classes += cls.__subclasses__()
    return FetchError(message)


def one_line(text: str) -> str:
    """`text` without control characters and surplus space, at most 500 characters."""
    text = tidy_line(text[: 4 * MAX_MESSAGE])
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def tidy_line(text: str) -> str:
    """`text` without control characters and surplus space, however long it is."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())
