"""What the soak excuses: requests that had been sent when their worker was frozen or cut off, and no others."""

import pytest

from tests.soak.faults import Event
from tests.soak.sitelog import Visit, is_unavoidable, over

STOP = Event("stop", 100.0, 20.0, "")
OUTAGE = Event("pg restart", 100.0, 12.0, "")


@pytest.mark.parametrize(
    ("event", "start", "excused"),
    [
        (STOP, 99.0, True),
        (STOP, 100.5, True),  # it was on its way
        (STOP, 102.0, False),
        (STOP, 121.0, False),  # by the worker that woke up
        (OUTAGE, 109.0, True),  # it held the task for ten seconds more
        (OUTAGE, 112.0, False),
        (Event("kill worker", 100.0, 0.0, ""), 99.0, False),
    ],
)
def test_only_what_was_sent_before_the_lease_was_over_is_excused(event: Event, start: float, excused: bool) -> None:
    assert is_unavoidable(Visit("/", start, start + 30), start + 25, [event]) is excused


def test_a_later_fault_excuses_nothing() -> None:
    assert not is_unavoidable(Visit("/", 90.0, 120.0), 99.0, [STOP])


def test_what_overlaps_is_found_with_its_requests() -> None:
    visits = [Visit("/a", 1.0, 5.0), Visit("/b", 2.0, 3.0), Visit("/c", 4.0, 6.0), Visit("/d", 4.5, 6.0)]
    assert [(at, sorted(v.path for v in running)) for at, running in over(visits, 2)] == [(4.5, ["/a", "/c", "/d"])]
