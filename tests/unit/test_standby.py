"""Waiting for services at the start, without any service."""

import logging
import signal
from collections.abc import Iterator

import pytest

from shared.errors import QueueFault, QueueUnavailable, StoreUnavailable
from shared.standby import Need, stand_by


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """stand_by leaves its own for the process to replace."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Service:
    """Away for so many looks, with a reason for each."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = list(reasons)

    def check(self) -> None:
        if self.reasons:
            raise QueueUnavailable(self.reasons.pop(0))


def test_what_is_there_is_not_waited_for() -> None:
    stand_by([Need("Redis", lambda: None)], sleep=lambda _: pytest.fail("waits"))


def test_an_outage_of_hours_is_waited_out_with_pauses_that_grow_up_to_seconds() -> None:
    pauses: list[float] = []
    stand_by([Need("Redis", Service(*["gone"] * 2000).check)], sleep=pauses.append)
    assert len(pauses) == 2000
    assert sum(pauses) > 3600
    assert pauses[0] <= 0.25
    assert 2.5 <= max(pauses) <= 5.0


def test_a_reason_is_said_once_and_again_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stand_by([Need("Redis at h:1", Service("refused", "refused", "no such host").check)], sleep=lambda _: None)
    assert [record.getMessage() for record in caplog.records] == [
        "waiting for Redis at h:1: refused",
        "waiting for Redis at h:1: no such host",
        "Redis at h:1 is there",
    ]


def test_whoever_is_to_end_gives_up_with_the_reason() -> None:
    with pytest.raises(QueueUnavailable, match="gone"):
        stand_by([Need("Redis", Service(*["gone"] * 99).check)], patience=-1)


def test_what_no_waiting_mends_is_raised_at_once() -> None:
    def refused() -> None:
        raise QueueFault("Redis refused: NOPERM")

    with pytest.raises(QueueFault):
        stand_by([Need("Redis", refused)], sleep=lambda _: pytest.fail("waits"))


def test_all_that_is_away_is_named() -> None:
    looked: list[str] = []

    def away(name: str) -> None:
        looked.append(name)
        raise StoreUnavailable(name)

    with pytest.raises(StoreUnavailable):
        stand_by([Need(n, lambda n=n: away(n)) for n in ("Redis", "the database")], patience=-1)  # type: ignore[misc]
    assert looked == ["Redis", "the database"]


def test_sigterm_ends_the_wait_at_once() -> None:
    with pytest.raises(SystemExit) as end:
        stand_by([Need("Redis", Service("gone").check)], sleep=lambda _: signal.raise_signal(signal.SIGTERM))
    assert end.value.code == 0
