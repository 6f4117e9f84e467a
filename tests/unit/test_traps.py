"""URLs without end, and real ones that look a little like them."""

from typing import Any

import pytest

from shared.stages import NewLink
from workers.traps import DEEP, DEEP_URLS, Traps, endless, shape, without_session


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/a/a/a/a/a", "Repeating path segments"),
        ("/x/en/blog/en/blog/en/blog/en/blog/en/blog", "Repeating path segments"),
        ("/" + "/".join(map(str, range(61))), "Repeating path segments"),
        ("/list?" + "&".join(["sort=up"] * 5), "Endless parameters"),
        ("/list?" + "&".join(f"p{i}=1" for i in range(61)), "Endless parameters"),
        ("/a/a/a/a", None),
        ("/tiles/0/0/0/0", None),
        ("//////////", None),
        ("/java.base/java/util/concurrent/locks/package-summary.html", None),
        ("/shop?colour=red&colour=blue&colour=green&colour=black&colour=white&size=4", None),
        ("/archive/2026/11/22/a-long-title", None),
    ],
)
def test_what_is_endless(path: str, found: str | None) -> None:
    assert endless(path) == found


@pytest.mark.parametrize(
    ("path", "bare"),
    [
        ("/a;jsessionid=12AB?x=1", "/a?x=1"),
        ("/a?PHPSESSID=77", "/a"),
        ("/a?x=1&sid=9", "/a?x=1"),
        ("/a?residence=9", None),
        ("/inside?siding=9", None),
    ],
)
def test_session_ids_are_seen(path: str, bare: str | None) -> None:
    assert without_session(path) == bare


def test_urls_that_differ_by_numbers_are_of_one_kind() -> None:
    assert shape("/2026/11?page=3&a=x") == shape("/2031/2?a=y&page=9") == "/0/0?a&page"


class Deep:
    """A task so many links from the start."""

    def __init__(self, depth: int) -> None:
        self.depth, self.url = depth, "http://e.com/"
        self.job = type("Job", (), {"id": 1})


def sifted(traps: Traps, depth: int, paths: list[str]) -> tuple[int, list[str]]:
    work: Any = Deep(depth)
    kept, warnings = traps.sift(work, [NewLink(i, "http://e.com", path) for i, path in enumerate(paths)])
    return len(kept), [warning.message for warning in warnings]


def test_a_page_is_crawled_under_some_sessions_and_no_more() -> None:
    traps = Traps()
    assert sifted(traps, 1, [f"/a?sid={n}" for n in range(30)]) == (20, ["Session ids: /a: left out"])
    assert sifted(traps, 1, ["/b?sid=1", "/a?sid=3"]) == (2, [])


def test_a_chain_without_end_is_followed_for_long_but_not_for_ever() -> None:
    traps = Traps()
    assert sifted(traps, DEEP - 1, [f"/item/{n}" for n in range(3 * DEEP_URLS)])[0] == 3 * DEEP_URLS
    calendar = [f"/calendar/{n}" for n in range(DEEP_URLS + 5)]
    assert sifted(traps, DEEP, calendar) == (DEEP_URLS, ["URLs without end: /calendar/0: left out"])
    assert sifted(traps, DEEP, calendar[:3]) == (3, [])
