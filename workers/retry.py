"""The pure decision after an attempt: done, again later, or failed."""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from workers.errors import FetchError, RobotsPending, RobotsUnavailable

#: the server wants less of us: retry, and slow the whole host down
BLOCKING = frozenset({403, 429, 503})
#: seconds; a longer Retry-After counts as this
MAX_RETRY_AFTER = 3_600.0
#: no answer to who has nothing; one that is believed is not decided here (workers/validators.py)
_NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Answer:
    """The server answered; `retry_after` is the header as sent."""

    status_code: int
    retry_after: str | None = None
    #: readable, where a firewall refused us
    refusal: str | None = None


Outcome = Answer | FetchError


@dataclass(frozen=True, slots=True)
class Done:
    """The page was fetched."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at `at_us` (microseconds since 1970); the attempt counts."""

    at_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class SnoozeUntil:
    """Not now, but at `at_us` (microseconds since 1970); no attempt is spent. Politeness decides so."""

    at_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """No further attempt; `reason` is one readable line."""

    reason: str


Decision = Done | RetryAt | SnoozeUntil | Failed


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff. Times in seconds."""

    base: float = 1.0
    #: instead of `base`, where the server blocks us
    blocking_base: float = 5.0
    factor: float = 2.0
    cap: float = 300.0
    #: share of the delay by which it varies up or down
    jitter: float = 0.25


def decide(
    outcome: Outcome, attempt: int, max_attempts: int, policy: RetryPolicy, now_us: int, rand: float
) -> Decision:
    """What follows attempt number `attempt` (from 1). `rand` in 0…1 spreads the retries."""
    if isinstance(outcome, Answer) and outcome.status_code < 400 and outcome.status_code != _NOT_MODIFIED:
        return Done()
    if isinstance(outcome, RobotsPending):
        return SnoozeUntil(now_us + round((policy.base + rand) * 1_000_000), outcome.message)
    reason, retryable = _judged(outcome)
    if not retryable or attempt >= max_attempts:
        return Failed(reason)
    wait = _backoff(outcome, attempt, policy, rand)
    if isinstance(outcome, Answer | RobotsUnavailable):
        wait = max(wait, retry_after_seconds(outcome.retry_after, now_us))
    return RetryAt(now_us + round(wait * 1_000_000), reason)


def is_blocking(outcome: Outcome) -> bool:
    """Whether the whole host should be asked less often."""
    if isinstance(outcome, RobotsUnavailable):
        return True
    return isinstance(outcome, Answer) and outcome.status_code in BLOCKING


def retry_after_seconds(header: str | None, now_us: int) -> float:
    """Seconds that Retry-After (RFC 9110, 10.2.3) asks for, 0 without or if unreadable, at most an hour."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:10]), MAX_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(text)
        seconds = date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now_us / 1_000_000
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _judged(outcome: Outcome) -> tuple[str, bool]:
    if isinstance(outcome, FetchError):
        return outcome.message, outcome.retryable
    status = outcome.status_code
    if status == _NOT_MODIFIED:
        return "HTTP 304, although the page itself was asked for", False
    return outcome.refusal or f"HTTP {status}", status in BLOCKING or status >= 500


def _backoff(outcome: Outcome, attempt: int, policy: RetryPolicy, rand: float) -> float:
    base = policy.blocking_base if is_blocking(outcome) else policy.base
    delay = min(base * policy.factor ** min(attempt - 1, 60), policy.cap)
    return delay * (1 + policy.jitter * (2 * rand - 1))
