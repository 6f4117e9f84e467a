"""The last hour of the queue: samples, paces, and the kinds of failures."""

import time
from collections.abc import Sequence

import pytest

from api.dashboard.charts import sparkline
from shared import history
from shared.clock import SECOND, now_us
from shared.history import Pace, Sample
from shared.measures import TASKS, Measures
from shared.states import TaskState
from shared.store import failures
from tests.api_kit import Api


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def sample(at: float, completed: int, failed: int = 0) -> Sample:
    return Sample(at, 0, 0, 0, completed, failed)


def test_a_sample_holds_the_queue_and_what_has_ended(api: Api) -> None:
    measures = Measures()
    measures.count(TASKS, ("crawl_page", "completed"), 5)
    measures.count(TASKS, ("discover_pages", "failed"), 2)
    measures.flush(api.queue.redis)
    api.queue.redis.rpush("rq:queue:crawl", "a", "b")
    assert history.take(api.queue)
    (taken,) = history.read(api.queue)
    assert (taken.waiting, taken.completed, taken.failed) == (2, 5, 2)
    assert abs(taken.at - time.time()) < 60


def test_two_schedulers_take_one_sample(api: Api) -> None:
    assert [history.take(api.queue) for _ in range(2)] == [True, False]


def test_the_list_stays_short(api: Api) -> None:
    api.queue.redis.rpush(history.KEY, *[b"[%d,0,0,0,0,0]" % time.time()] * 1000)
    history.take(api.queue)
    assert api.queue.redis.llen(history.KEY) == history.SPAN // history.EVERY
    assert 0 < api.queue.redis.ttl(history.KEY) <= history.SPAN


def test_what_is_older_than_an_hour_is_left_out(api: Api) -> None:
    api.queue.redis.rpush(history.KEY, b"[1000.0,1,0,0,0,0]")
    assert history.read(api.queue) == []


@pytest.mark.parametrize(
    ("samples", "paces"),
    [
        ([], []),
        ([sample(0, 5)], []),
        ([sample(0, 10), sample(30, 40, 3)], [Pace(30, 60, 6)]),
        ([sample(0, 1000, 9), sample(60, 12, 0)], [Pace(60, 12, 0)]),
        ([sample(5, 1), sample(5, 2)], []),
    ],
    ids=["none", "one", "two", "Redis was emptied", "at the same moment"],
)
def test_paces_are_tasks_a_minute(samples: Sequence[Sample], paces: list[Pace]) -> None:
    assert history.paces(samples) == paces


def test_the_newest_pace_covers_a_minute() -> None:
    assert history.recent([sample(0, 0), sample(60, 600), sample(90, 600), sample(120, 660, 20)]) == Pace(120, 60, 20)
    assert Pace(0, 60, 20).failure_rate == 0.25
    assert history.recent([sample(0, 0)]) is None


def test_a_sparkline_begins_where_its_first_sample_lies() -> None:
    assert sparkline([(50, 0.0), (100, 4.0)], 0, 100) == "50.0,23.0 100.0,1.0"
    assert sparkline([(50, 1.0)], 0, 100) == ""


def test_failures_are_counted_by_kind(api: Api) -> None:
    uid = api.crawl(["/a", "/b", "/c"])
    for seq, error in ((2, "HTTP 404"), (3, "HTTP 404"), (4, "No such host: a.example.com")):
        api.finish(uid, seq, TaskState.FAILED, status_code=None, error=error)
    kinds = failures.by_kind(api.store, 1, now_us() - 60 * SECOND)
    assert [(kind.error, kind.n, kind.job_uid) for kind in kinds] == [("HTTP 404", 2, uid), ("No such host …", 1, uid)]
    assert failures.by_kind(api.store, 1, now_us() + SECOND) == []
    assert failures.by_kind(api.store, 2, 0) == []
