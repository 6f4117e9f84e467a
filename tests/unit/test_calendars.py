"""Calendars without end, and archives, shops and events that look a little like them."""

from datetime import UTC, datetime

import pytest

from workers.calendars import AHEAD, Calendars, month_of
from workers.traps import shape

TODAY = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
NOW = 2026 * 12 + 10


@pytest.mark.parametrize(
    ("path", "year_month"),
    [
        ("/calendar/2026/11", (2026, 11)),
        ("/calendar/2026-11-22/", (2026, 11)),
        ("/archive/1851/09/18/news", (1851, 9)),
        ("/cal?year=2031&month=5", (2031, 5)),
        ("/cal?view=month&date=2031-05-01", (2031, 5)),
        ("/cal?day=20310501", (2031, 5)),
        ("/cal?tribe-bar-date=2031-05", (2031, 5)),
        ("/cal?start=2031-05-01T00:00:00", (2031, 5)),
        ("/cal?y=2031&m=13", None),
        ("/item/20310501", None),
        ("/gallery/2031/14", None),
        ("/version/1.2026.11", (2026, 11)),
        ("/page/12026/11", None),
        ("/list?page=2031", None),
        ("/a", None),
    ],
)
def test_months_in_paths_and_queries(path: str, year_month: tuple[int, int] | None) -> None:
    assert month_of(path) == (year_month and year_month[0] * 12 + year_month[1] - 1)


def months(first: int, last: int, form: str = "/calendar/{}/{}") -> list[str]:
    return [form.format(NOW // 12 + (m + NOW % 12) // 12, (m + NOW % 12) % 12 + 1) for m in range(first, last)]


def left_out(calendars: Calendars, paths: list[str], source: str | None = None) -> list[str]:
    """Those of the paths that are beyond, each linked from a page of its own kind or from `source`."""
    return [p for p in paths if calendars.is_beyond(1, shape(p), p, shape(source or p) == shape(p))]


@pytest.fixture
def calendars() -> Calendars:
    return Calendars(lambda: TODAY)


@pytest.mark.parametrize("form", ["/calendar/{}/{}", "/cal?year={}&month={}", "/events?date={}-{:02}-01"])
def test_a_calendar_ends_three_years_ahead(calendars: Calendars, form: str) -> None:
    ahead = months(0, 200, form)
    assert left_out(calendars, ahead) == ahead[AHEAD + 1 :]


def test_an_archive_goes_back_as_far_as_it_likes(calendars: Calendars) -> None:
    assert left_out(calendars, months(-12 * 300, 12)) == []


def test_an_event_far_ahead_that_another_page_links_to_is_real(calendars: Calendars) -> None:
    left_out(calendars, months(0, 30))
    assert left_out(calendars, months(90, 91), source="/conferences") == []


def test_some_dates_far_ahead_make_no_calendar(calendars: Calendars) -> None:
    assert left_out(calendars, [*months(0, 12), *months(100, 200)]) == []


def test_numbers_that_are_no_dates_make_their_kind_no_calendar(calendars: Calendars) -> None:
    assert left_out(calendars, [*months(-30, 30), "/calendar/17/3", *months(100, 200)]) == []


def test_kinds_do_not_tell_of_each_other(calendars: Calendars) -> None:
    left_out(calendars, months(0, 36))
    assert left_out(calendars, months(90, 95, "/reports/{}/{}")) == []
