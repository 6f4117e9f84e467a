"""Which page a line of a report means, whose views a page shows, and when a used-up quota is there again."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.page_views import Views, key_of, shown, twin_key
from shared.urls import canonicalise, url_key
from workers import quota

NOON = datetime(2026, 7, 1, 19, 0, tzinfo=UTC)  # in Los Angeles


def key(url: str) -> int:
    return url_key(canonicalise(url))


@pytest.mark.parametrize(
    ("host", "path", "url"),
    [
        ("example.com", "/a", "https://example.com/a"),
        ("www.example.com", "/a", "https://example.com/a"),
        ("EXAMPLE.com", "/a", "http://example.com/a"),
        ("blog.example.com", "/", "https://blog.example.com/"),
        ("example.com", "/a b/ü", "https://example.com/a%20b/%C3%BC"),
        ("example.com", "/a%7Eb", "https://example.com/a~b"),
        ("example.com", "/a?x=1", "https://example.com/a"),
        ("example.com", "/a/../b", "https://example.com/b"),
    ],
)
def test_a_line_means_a_page(host: str, path: str, url: str) -> None:
    assert key_of(host, path, "example.com") == key(url)


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("other.org", "/a"),
        ("example.com.translate.goog", "/a"),
        ("(other)", "(other)"),
        ("", "/a"),
        ("example.com", ""),
        ("example.com", "(not set)"),
        ("example.com", "home"),
        ("example.com@evil.org", "/a"),
        ("a b", "/"),
        ("example.com", "/" + "x" * 10_000),
    ],
)
def test_some_lines_mean_no_page_of_the_domain(host: str, path: str) -> None:
    assert key_of(host, path, "example.com") is None


def test_hosts_are_reported_without_their_port() -> None:
    assert key_of("example.com", "/a", "example.com:8080") == key("http://example.com:8080/a")
    assert key_of("example.com", "/a", "example.com:443") == key("http://example.com:443/a")


@pytest.mark.parametrize(
    ("url", "twin"),
    [("https://e.com/a", "https://e.com/a/"), ("https://e.com/a/b/", "https://e.com/a/b")],
)
def test_a_url_has_a_twin_with_or_without_its_slash(url: str, twin: str) -> None:
    assert twin_key(url) == key(twin)


@pytest.mark.parametrize("url", ["https://e.com/", "https://e.com/a?b", "https://e.com/a/?b"])
def test_a_root_and_a_query_have_no_twin(url: str) -> None:
    assert twin_key(url) is None


OWN, TWIN, BOTH = Views(1, 10, 100), Views(2, 20, 200), Views(3, 30, 300)


@pytest.mark.parametrize(
    ("own", "twin", "is_skipped", "twin_is_shown", "expected"),
    [
        (OWN, None, False, False, OWN),
        (OWN, TWIN, False, False, BOTH),
        (None, TWIN, False, False, TWIN),
        (OWN, TWIN, False, True, OWN),
        (None, TWIN, False, True, None),
        (OWN, TWIN, True, True, None),
        (OWN, TWIN, True, False, OWN),
        (None, None, False, False, None),
    ],
)
def test_no_view_is_shown_twice_or_lost(
    own: Views | None, twin: Views | None, is_skipped: bool, twin_is_shown: bool, expected: Views | None
) -> None:
    assert shown(own, twin, is_skipped, twin_is_shown) == expected


def test_sums_fit_their_columns() -> None:
    assert Views(2**31 - 1).plus(Views(5)).v7 == 2**31 - 1
    assert Views().plus(Views(2**60)).v7 == 2**31 - 1


@pytest.mark.parametrize(
    ("message", "error", "headers", "seconds"),
    [
        ("Exhausted property tokens for a project per hour. They will return in under an hour.", {}, {}, 3600),
        ("Exhausted property tokens per day.", {}, {}, 12 * 3600 + 60),
        ("tokensPerDay", {}, {}, 12 * 3600 + 60),
        ("tokensPerHour", {}, {}, 3600),
        ("Exhausted concurrent requests quota.", {}, {}, 60),
        ("Quota exceeded for quota metric 'Core requests' and limit 'Core requests per minute'", {}, {}, 60),
        ("who knows", {}, {}, 3600),
        ("per day", {}, {"retry-after": "120"}, 120),
        ("per day", {}, {"retry-after": "0"}, 60),
        ("per day", {}, {"retry-after": "9999999"}, 12 * 3600 + 60),
        ("x", {"details": [{"@type": "…", "retryDelay": "300.5s"}]}, {}, 300),
        ("x", {"details": [{"retryDelay": "999999s"}]}, {}, 86_400),
        ("x", {"details": [1, {"retryDelay": None}]}, {}, 3600),
        ("x", {"details": "no list"}, {}, 3600),
    ],
)
def test_a_quota_is_waited_for(message: str, error: dict[str, Any], headers: dict[str, str], seconds: float) -> None:
    assert quota.wait(message, error, headers, NOON) == seconds


def test_a_day_without_quota_ends_at_midnight_in_california() -> None:
    late = datetime(2026, 1, 1, 7, 30, tzinfo=UTC)  # 23:30 in Los Angeles
    assert quota.wait("tokensPerDay", {}, {}, late) == 31 * 60


@pytest.mark.parametrize(
    ("left", "name"),
    [
        ({"tokensPerDay": (3, 5), "tokensPerHour": (3, 0)}, "tokensPerHour"),
        ({"tokensPerDay": (3, 5), "concurrentRequests": (1, 0)}, None),
        ({}, None),
    ],
)
def test_an_answer_tells_which_quota_is_used_up(left: dict[str, tuple[int, int]], name: str | None) -> None:
    assert quota.used_up(left) == name
