"""The decision after an attempt, as a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import errors
from workers.retry import (
    Answer,
    Decision,
    Done,
    Failed,
    Outcome,
    RetryAt,
    RetryPolicy,
    SnoozeUntil,
    decide,
    is_blocking,
)

NOW = 1_800_000_000_000_000  # 2027-01-15T08:00:00Z
POLICY = RetryPolicy()


def after(seconds: float, reason: str) -> RetryAt:
    return RetryAt(NOW + round(seconds * 1_000_000), reason)


TABLE: list[tuple[Outcome, int, Decision]] = [
    (Answer(200), 1, Done()),
    (Answer(304), 1, Failed("HTTP 304, although the page itself was asked for")),
    (Answer(301), 1, Done()),
    (Answer(404), 1, Failed("HTTP 404")),
    (Answer(410, "5"), 1, Failed("HTTP 410")),
    (Answer(500), 1, after(1, "HTTP 500")),
    (Answer(502), 2, after(2, "HTTP 502")),
    (Answer(500), 3, Failed("HTTP 500")),
    (Answer(403), 1, after(5, "HTTP 403")),
    (Answer(429), 2, after(10, "HTTP 429")),
    (Answer(429, "60"), 1, after(60, "HTTP 429")),
    (Answer(429, "1"), 1, after(5, "HTTP 429")),
    (Answer(429, "99999999999999"), 1, after(3600, "HTTP 429")),
    (Answer(503, "Fri, 15 Jan 2027 08:01:30 GMT"), 1, after(90, "HTTP 503")),
    (Answer(503, "Fri, 15 Jan 2027 07:00:00 GMT"), 1, after(5, "HTTP 503")),
    (Answer(503, "soon"), 1, after(5, "HTTP 503")),
    (Answer(503, "-1"), 1, after(5, "HTTP 503")),
    (Answer(500, "7"), 1, after(7, "HTTP 500")),
    (errors.FirstByteTimeout("slow"), 1, after(1, "slow")),
    (errors.DnsTemporary("dns"), 2, after(2, "dns")),
    (errors.ConnectionReset("reset"), 3, Failed("reset")),
    (errors.RobotsUnavailable("robots"), 1, after(5, "robots")),
    (errors.RobotsUnavailable("robots", "60"), 2, after(60, "robots")),
    (errors.RobotsPending("pending"), 3, SnoozeUntil(NOW + 1_500_000, "pending")),
    (errors.HostBusy("busy"), 1, after(1, "busy")),
    (errors.DnsNotFound("none"), 1, Failed("none")),
    (errors.ForbiddenAddress("private"), 1, Failed("private")),
    (errors.BodyTooLarge("large"), 1, Failed("large")),
    (errors.Cancelled("cancelled"), 1, Failed("cancelled")),
]


@pytest.mark.parametrize(("outcome", "attempt", "decision"), TABLE)
def test_what_follows_an_attempt(outcome: Outcome, attempt: int, decision: Decision) -> None:
    assert decide(outcome, attempt, 3, POLICY, NOW, 0.5) == decision


@given(st.integers(1, 10_000), st.floats(0, 1), st.sampled_from([500, 429]))
def test_backoff_grows_to_its_cap_and_varies_within_the_jitter(attempt: int, rand: float, status: int) -> None:
    decision = decide(Answer(status), attempt, 10_001, POLICY, NOW, rand)
    assert isinstance(decision, RetryAt)
    full = min((5 if status == 429 else 1) * 2.0 ** min(attempt - 1, 60), 300)
    assert 0.749 * full <= (decision.at_us - NOW) / 1e6 <= 1.251 * full


def test_only_403_429_and_503_are_blocking() -> None:
    assert [code for code in range(200, 600) if is_blocking(Answer(code))] == [403, 429, 503]
    assert not is_blocking(errors.TotalTimeout())


def test_messages_are_one_bounded_line() -> None:
    message = errors.BadResponse("a\r\nb\x1b[31m" + "x" * 9000).message
    assert message.startswith("a b [31m")
    assert len(message) == 500


def test_every_fetch_error_has_its_own_kind_and_default_message() -> None:
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.FetchError)]
    assert len({c.kind for c in classes}) == len(classes) > 15
    assert all(c().message.endswith(".") for c in classes)
