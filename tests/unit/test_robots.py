"""robots.txt: rules, status codes, and one fetch for all threads."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from workers.errors import Cancelled, ConnectTimeout, FetchError, RobotsPending, RobotsUnavailable, TooManyRedirects
from workers.fetch import Fetcher, Response
from workers.robots import MAX_ROBOTS, MAX_WILDCARDS, RobotsRules
from workers.robots_cache import LEAST_TTL, MAX_ORIGINS, MOST_TTL, TTL, RobotsCache, lifetime
from workers.robots_store import RobotsStore, StoredRobots

UA = "Crawlyard/0.1 (+https://example.com)"


def rules(body: str | bytes, status: int = 200) -> RobotsRules:
    return RobotsRules.from_response(status, body.encode() if isinstance(body, str) else body, UA)


class FakeFetcher:
    """Answers with `answer`, or raises it."""

    def __init__(self, answer: Response | FetchError) -> None:
        self.answer = answer
        self.urls: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def get(self, url: str, **_: Any) -> Response:
        self.urls.append(url)
        self.gate.wait(5)
        if isinstance(self.answer, FetchError):
            raise self.answer
        return self.answer


def response(body: bytes = b"", status: int = 200) -> Response:
    return Response("http://e.com/robots.txt", status, {}, body, len(body), 1)


def cache(fetcher: FakeFetcher, clock: Callable[[], float] = lambda: 0.0) -> RobotsCache:
    return RobotsCache(cast(Fetcher, fetcher), UA, clock=clock)


def test_it_works() -> None:
    r = rules("User-agent: *\nDisallow: /a\nAllow: /a/b\nCrawl-delay: 2.5\nSitemap: http://e.com/s.xml")
    assert [r.allows(f"http://e.com{path}") for path in ("/", "/a", "/a/b", "/a?x")] == [True, False, True, False]
    assert r.crawl_delay == 2.5
    assert r.sitemaps == ("http://e.com/s.xml",)


def test_our_product_token_selects_the_group() -> None:
    r = rules("User-agent: *\nDisallow: /\nUser-agent: CRAWLYARD\nDisallow: /x\nUser-agent: example\nDisallow: /")
    assert r.allows("http://e.com/")
    assert not r.allows("http://e.com/x")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 304])
def test_without_a_file_everything_is_allowed(status: int) -> None:
    assert rules("User-agent: *\nDisallow: /", status).allows("http://e.com/")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_overloaded_host_is_left_alone(status: int) -> None:
    with pytest.raises(RobotsUnavailable) as caught:
        rules("", status)
    assert caught.value.retryable


def test_odd_bytes_and_sizes_are_tolerated() -> None:
    start = b"\xef\xbb\xbfUser-agent: *\r\nDisallow: /\xff\xfe\r\nDisallow: /a\n"
    r = rules(start + b"#" * MAX_ROBOTS + b"\nDisallow: /late")
    assert not r.allows("http://e.com/a")
    assert r.allows("http://e.com/late")


def test_a_rule_that_the_limit_cuts_in_two_does_not_count() -> None:
    start = "User-agent: *\nDisallow: /a\n"
    r = rules(start + "#" * (MAX_ROBOTS - len(start) - 13) + "\nDisallow: /b")
    assert not r.allows("http://e.com/a")
    assert r.allows("http://e.com/c")


def test_wildcards_are_bounded() -> None:
    r = rules("User-agent: *\nDisallow: /a\n" + "Disallow: /*x*y\n" * MAX_WILDCARDS + "Disallow: /late\n")
    assert [r.allows(f"http://e.com/{path}") for path in ("a", "-x-y", "late")] == [False, False, True]


@pytest.mark.parametrize(("delay", "expected"), [("1e9", 3600), ("-1", None), ("nan", None), ("x", None), ("0", 0)])
def test_crawl_delay_is_bounded(delay: str, expected: float | None) -> None:
    assert rules(f"User-agent: *\nDisallow: /x\nCrawl-delay: {delay}").crawl_delay == expected


def test_one_fetch_serves_all_threads() -> None:
    fetcher = FakeFetcher(response(b"User-agent: *\nDisallow: /a"))
    fetcher.gate.clear()
    robots = cache(fetcher)
    with ThreadPoolExecutor(8) as threads:
        futures = [threads.submit(robots.rules, "http://e.com") for _ in range(8)]
        fetcher.gate.set()
        assert len({id(future.result()) for future in futures}) == 1
    assert fetcher.urls == ["http://e.com/robots.txt"]


def test_rules_are_fetched_again_after_their_time() -> None:
    now = [0.0]
    fetcher = FakeFetcher(response())
    robots = cache(fetcher, lambda: now[0])
    for at, fetches in ((0.0, 1), (TTL - 1, 1), (TTL, 2)):
        now[0] = at
        robots.rules("http://e.com")
        assert len(fetcher.urls) == fetches


def test_failures_are_remembered_for_seconds() -> None:
    now = [0.0]
    fetcher = FakeFetcher(ConnectTimeout("slow"))
    robots = cache(fetcher, lambda: now[0])
    for at, fetches in ((0.0, 1), (9.0, 1), (10.0, 2)):
        now[0] = at
        with pytest.raises(ConnectTimeout, match="slow"):
            robots.rules("http://e.com")
        assert len(fetcher.urls) == fetches
    now[0], fetcher.answer = 20.0, response()
    assert robots.rules("http://e.com").allows("http://e.com/")


def test_cancelling_one_task_does_not_fail_the_others() -> None:
    fetcher = FakeFetcher(Cancelled())
    robots = cache(fetcher)
    with pytest.raises(Cancelled):
        robots.rules("http://e.com")
    fetcher.answer = response()
    assert robots.rules("http://e.com").allows("http://e.com/")


def test_endless_redirects_count_as_no_file() -> None:
    assert cache(FakeFetcher(TooManyRedirects())).rules("http://e.com").allows("http://e.com/")


def test_the_origins_kept_are_bounded() -> None:
    fetcher = FakeFetcher(response())
    robots = cache(fetcher)
    for i in range(MAX_ORIGINS + 1):
        robots.rules(f"http://{i}.com")
    robots.rules("http://1.com")
    assert len(fetcher.urls) == MAX_ORIGINS + 1
    robots.rules("http://0.com")
    assert len(fetcher.urls) == MAX_ORIGINS + 2


class FakeStore(RobotsStore):
    """What Redis would keep, shared by the caches of several processes."""

    def __init__(self) -> None:
        self.kept: dict[str, StoredRobots] = {}
        self.fetching: set[str] = set()

    def get(self, origin: str) -> StoredRobots | None:
        return self.kept.get(origin)

    def put(self, origin: str, robots: StoredRobots) -> None:
        self.kept[origin] = robots
        self.fetching.discard(origin)

    def may_fetch(self, origin: str) -> bool:
        if origin in self.fetching:
            return False
        self.fetching.add(origin)
        return True


def shared_cache(fetcher: FakeFetcher, store: FakeStore, now: list[float]) -> RobotsCache:
    return RobotsCache(cast(Fetcher, fetcher), UA, store, clock=lambda: now[0])


def test_one_fetch_serves_all_processes() -> None:
    store, fetcher, now = FakeStore(), FakeFetcher(response(b"User-agent: *\nDisallow: /a")), [0.0]
    for _ in range(3):
        assert not shared_cache(fetcher, store, now).rules("http://e.com").allows("http://e.com/a")
    assert len(fetcher.urls) == 1


def test_a_failure_keeps_its_kind_for_other_processes() -> None:
    store, now = FakeStore(), [0.0]
    for fetcher in (FakeFetcher(ConnectTimeout("slow")), FakeFetcher(response())):
        with pytest.raises(ConnectTimeout, match="slow"):
            shared_cache(fetcher, store, now).rules("http://e.com")


def test_while_another_process_fetches_a_task_gives_its_thread_back() -> None:
    store = FakeStore()
    store.fetching.add("http://e.com")
    with pytest.raises(RobotsPending):
        shared_cache(FakeFetcher(response()), store, [0.0]).rules("http://e.com")


def test_while_the_file_cannot_be_had_the_old_one_holds() -> None:
    store, fetcher, now = FakeStore(), FakeFetcher(response(b"User-agent: *\nDisallow: /a")), [0.0]
    robots = shared_cache(fetcher, store, now)
    robots.rules("http://e.com")
    now[0], fetcher.answer = TTL, response(status=503)
    assert not robots.rules("http://e.com").allows("http://e.com/a")
    assert not shared_cache(fetcher, store, now).rules("http://e.com").allows("http://e.com/a")
    assert len(fetcher.urls) == 2


def test_retry_after_holds_for_all_processes() -> None:
    store, now = FakeStore(), [0.0]
    unwell = FakeFetcher(Response("http://e.com/robots.txt", 503, {"retry-after": "120"}, b"", 0, 1))
    for at, fetches in ((0.0, 1), (119.0, 1), (120.0, 2)):
        now[0] = at
        with pytest.raises(RobotsUnavailable) as caught:
            shared_cache(unwell, store, now).rules("http://e.com")
        assert caught.value.retry_after == "120"
        assert len(unwell.urls) == fetches


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", TTL), ("max-age=7200", 7200), ("public, max-age=5", LEAST_TTL), ("max-age=999999999", MOST_TTL)],
)
def test_a_file_holds_for_a_day_at_most(header: str, seconds: float) -> None:
    answer = Response("http://e.com/robots.txt", 200, {"cache-control": header}, b"", 0, 1)
    assert lifetime(answer) == seconds
    assert MOST_TTL == 86_400
