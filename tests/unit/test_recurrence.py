"""When a recurring crawl is due and what is decided then: tables, no clock, no store."""

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import recurrence
from shared.clock import SECOND
from shared.errors import Invalid
from shared.recurrence import HOUR, Recurrence, Situation, decide
from shared.states import Missed, Overlap, RunStatus

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
NOW = int(datetime(2026, 1, 15, 12, tzinfo=UTC).timestamp()) * SECOND


def at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return int(moment.timestamp()) * SECOND


def cron(expression: str, zone: str = "UTC") -> Recurrence:
    return Recurrence(expression, zone, None)


def hours(n: int) -> Recurrence:
    return Recurrence(None, "UTC", n)


def after(rule: Recurrence, moment: int, n: int = 1) -> list[str]:
    return [recurrence.shown(rule, due) for due in islice(recurrence.moments(rule, moment, moment), n)]


def test_it_works() -> None:
    assert after(cron("30 6 * * *"), at("2026-01-01T06:30"), 2) == [
        "2026-01-02T06:30:00+00:00",
        "2026-01-03T06:30:00+00:00",
    ]


@pytest.mark.parametrize(
    ("expression", "zone", "moment", "expected"),
    [
        # the clock goes from 02:00 to 03:00: a run in the gap comes right after it, once
        ("30 2 * * *", BERLIN, "2026-03-28T12:00", ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]),
        ("0,30 2 * * *", BERLIN, "2026-03-28T12:00", ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"]),
        ("*/30 * * * *", BERLIN, "2026-03-29T01:30", ["2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"]),
        ("0 9 * * *", NEW_YORK, "2026-03-07T12:00", ["2026-03-08T09:00:00-04:00", "2026-03-09T09:00:00-04:00"]),
        # the clock goes from 03:00 back to 02:00: a run at a fixed time comes once, one of every half hour goes on
        ("30 2 * * *", BERLIN, "2026-10-24T12:00", ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]),
        ("*/30 * * * *", BERLIN, "2026-10-25T02:00", ["2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00"]),
        # half an hour is what Lord Howe's clock is moved by
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", ["2026-10-04T02:30:00+11:00"]),
        # a day that a zone left out, and the one that comes each fourth year
        ("0 0 30 12 *", "Pacific/Apia", "2011-01-01T00:00", ["2011-12-31T00:00:00+14:00"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", ["2028-02-29T00:00:00+00:00", "2032-02-29T00:00:00+00:00"]),
        ("0 0 31 * *", "UTC", "2026-01-31T00:00", ["2026-03-31T00:00:00+00:00", "2026-05-31T00:00:00+00:00"]),
        ("0 0 L * *", "UTC", "2026-01-31T00:00", ["2026-02-28T00:00:00+00:00", "2026-03-31T00:00:00+00:00"]),
        ("0 0 * * MON#5", "UTC", "2026-01-01T00:00", ["2026-03-30T00:00:00+00:00"]),
        # either of both days, as in Debian's cron
        ("0 0 31 2 1", "UTC", "2026-01-31T00:00", ["2026-02-02T00:00:00+00:00"]),
        ("59 23 31 12 *", "UTC", "2026-12-31T23:59", ["2027-12-31T23:59:00+00:00"]),
    ],
)
def test_a_cron_expression_in_its_zone(expression: str, zone: str, moment: str, expected: list[str]) -> None:
    assert after(cron(expression, zone), at(moment, zone), len(expected)) == expected


def test_in_the_hour_that_comes_twice_no_run_is_due_in_the_past() -> None:
    second = at("2026-10-25T02:10", BERLIN, fold=1)
    assert after(cron("30 2 * * *", BERLIN), second) == ["2026-10-26T02:30:00+01:00"]


def test_five_runs_across_a_change_of_clocks_are_shown_in_their_zone() -> None:
    rule = cron("0 3 * * *", BERLIN)
    due = recurrence.first(rule, at("2026-10-23T12:00", BERLIN))
    shown = recurrence.next_runs(rule, due, 5)
    assert [text[8:10] + text[-6:] for text in shown] == ["24+02:00", "25+01:00", "26+01:00", "27+01:00", "28+01:00"]


FIELDS = [
    st.sampled_from(["*", "*/7", "0", "30", "1-5,59"]),
    st.sampled_from(["*", "*/5", "0", "2", "1-3", "23"]),
    st.sampled_from(["*", "1", "31", "L", "29,30"]),
    st.sampled_from(["*", "3", "10", "2,12"]),
    st.sampled_from(["*", "0", "SUN#L", "1-5", "7"]),
]


@given(
    st.tuples(*FIELDS).map(" ".join),
    st.sampled_from([BERLIN, NEW_YORK, "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"]),
    st.integers(0, 4 * 366 * 24 * 3600),
)
@settings(max_examples=200, deadline=None)
def test_runs_of_any_rule_lie_in_the_future_one_after_the_other(expression: str, zone: str, seconds: int) -> None:
    rule, moment = cron(expression, zone), NOW + seconds * SECOND
    try:
        recurrence.check(rule, moment)
    except Invalid:
        return
    found = [moment, *islice(recurrence.moments(rule, moment, moment), 4)]
    assert found == sorted(set(found))
    # what is asked again from a run on is the same
    assert found[2:3] == list(islice(recurrence.moments(rule, found[1], found[1]), 1))


def test_without_a_next_run_or_a_known_zone_none_is_shown() -> None:
    assert recurrence.next_runs(hours(1), None, 5) == []
    assert recurrence.next_runs(cron("0 0 * * *", "Europe/Atlantis"), NOW, 5) == []


def test_an_interval_counts_hours_that_pass() -> None:
    rule = Recurrence(None, BERLIN, 24)
    moment = at("2026-10-24T12:00", BERLIN)
    assert after(rule, moment, 2) == ["2026-10-25T11:00:00+01:00", "2026-10-26T11:00:00+01:00"]


def test_the_first_run_of_an_interval_is_one_interval_away_on_a_whole_second() -> None:
    assert recurrence.first(hours(2), NOW + 1) == NOW + SECOND + 2 * HOUR


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (cron("0 0 31 2 *"), "cron"),
        (cron("0 0 30 2 *"), "cron"),
        (cron("0 0 31 4,6,9,11 *"), "cron"),
        (cron("61 * * * *"), "cron"),
        (cron("* * * *"), "cron"),
        (cron("* * * * * *"), "cron"),
        (cron("@daily"), "cron"),
        (cron(""), "cron"),
        (cron("5-1 * * * *"), "cron"),
        (cron("*/0 * * * *"), "cron"),
        (cron("L/2,1 0 L/2,1 * *"), "cron"),
        (cron("0 0 * * *", "Europe/Atlantis"), "timezone"),
        (cron("0 0 * * *", "../../etc/passwd"), "timezone"),
        (cron("0 0 * * *", ""), "timezone"),
        (cron("0 0 * * *", "localtime"), "timezone"),
        (Recurrence(None, "Mars/Base", 1), "timezone"),
        (hours(0), "intervalHours"),
        (hours(-1), "intervalHours"),
        (hours(8761), "intervalHours"),
        (Recurrence(None, "UTC", None), "cron"),
        (Recurrence("0 0 * * *", "UTC", 1), "cron"),
    ],
)
def test_a_rule_that_no_run_follows_from_is_refused(rule: Recurrence, field: str) -> None:
    with pytest.raises(Invalid) as error:
        recurrence.check(rule, NOW)
    assert [name for name, _ in error.value.details] == [field]


@pytest.mark.parametrize("rule", [cron("*/5 * * * *"), cron("0 4 * * sun", BERLIN), hours(1), hours(8760)])
def test_a_good_rule_is_taken(rule: Recurrence) -> None:
    recurrence.check(rule, NOW)


@pytest.mark.parametrize(
    ("late", "expected"),
    [(0, 5), (59 * SECOND, 5), (61 * SECOND, 5), (5 * 60 * SECOND, 10), (13 * 60 * SECOND, 15)],
)
def test_after_an_outage_the_next_run_is_in_the_future(late: int, expected: int) -> None:
    assert recurrence.following(cron("*/5 * * * *"), NOW, NOW + late) == NOW + expected * 60 * SECOND


def test_an_interval_keeps_its_beat_over_an_outage() -> None:
    assert recurrence.following(hours(6), NOW, NOW + 15 * HOUR) == NOW + 18 * HOUR


@pytest.mark.parametrize(
    ("rule", "late", "count"),
    [(hours(1), 0, 1), (hours(1), HOUR, 2), (hours(1), 3 * HOUR - 1, 3), (cron("* * * * *"), 9999 * HOUR, 10_080)],
)
def test_runs_that_an_outage_passed_over_are_counted(rule: Recurrence, late: int, count: int) -> None:
    assert recurrence.passed(rule, NOW, NOW + late) == count


@pytest.mark.parametrize(
    ("rule", "jitter", "fraction", "seconds"),
    [
        (hours(1), 0, 0.9, 0),
        (hours(1), 600, 0.0, 0),
        (hours(1), 600, 0.5, 300),
        (hours(1), 600, 0.9999, 599),
        # never so late that it meets the next one
        (cron("* * * * *"), 3600, 0.9999, 29),
    ],
)
def test_jitter_is_bounded(rule: Recurrence, jitter: int, fraction: float, seconds: int) -> None:
    assert recurrence.jittered(rule, NOW, jitter, fraction) == NOW + seconds * SECOND


FREE, BUSY = False, True


@pytest.mark.parametrize(
    ("missed", "is_busy", "is_waited_for", "policy", "overlap", "status"),
    [
        (0, FREE, False, Missed.ONE, Overlap.SKIP, RunStatus.STARTED),
        (0, FREE, False, Missed.NONE, Overlap.SKIP, RunStatus.STARTED),
        (3, FREE, False, Missed.ONE, Overlap.SKIP, RunStatus.STARTED),
        (1, FREE, False, Missed.NONE, Overlap.SKIP, RunStatus.MISSED),
        (1, BUSY, False, Missed.NONE, Overlap.CANCEL, RunStatus.MISSED),
        (0, BUSY, False, Missed.ONE, Overlap.SKIP, RunStatus.SKIPPED),
        (0, BUSY, False, Missed.ONE, Overlap.QUEUE, RunStatus.WAITING),
        (0, BUSY, True, Missed.ONE, Overlap.QUEUE, RunStatus.SKIPPED),
        (0, BUSY, False, Missed.ONE, Overlap.CANCEL, None),
        (0, FREE, False, Missed.ONE, Overlap.CANCEL, RunStatus.STARTED),
    ],
)
def test_what_becomes_of_a_run(
    missed: int, is_busy: bool, is_waited_for: bool, policy: Missed, overlap: Overlap, status: RunStatus | None
) -> None:
    assert decide(Situation(missed, is_busy, is_waited_for), policy, overlap) is status
