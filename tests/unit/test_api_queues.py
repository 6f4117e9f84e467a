"""Queue statistics, queues and workers: read from Redis."""

import uuid
from typing import Any

import fakeredis
import orjson
import pytest

from shared import doing
from shared.doing import Doing
from shared.queue import PAUSED_KEY
from tests.api_kit import Api, RecordingQueue

SEED = {"waiting": 5, "active": 2, "completed": 150, "failed": 3, "delayed": 0, "total": 7}


@pytest.fixture
def redis() -> fakeredis.FakeRedis:
    return fakeredis.FakeRedis()


@pytest.fixture
def api(sqlite_url: str, redis: fakeredis.FakeRedis) -> Api:
    return Api(sqlite_url, RecordingQueue(redis))


def fill(redis: fakeredis.FakeRedis) -> None:
    """The numbers of the seed's example."""
    redis.rpush("rq:queue:crawl", *"abc")
    redis.rpush("rq:queue:discover", *"de")
    for name, n in (("wip:crawl", 2), ("finished:crawl", 149), ("finished:default", 1), ("failed:discover", 3)):
        redis.zadd(f"rq:{name}", {f"job{i}": 2**40 for i in range(n)})


def test_the_seeds_example_of_the_statistics(api: Api, redis: fakeredis.FakeRedis) -> None:
    fill(redis)
    assert api.get("/api/jobs/stats") == {"data": SEED}


def test_delayed_jobs_and_recurring_ones_count_as_delayed(api: Api, redis: fakeredis.FakeRedis) -> None:
    redis.zadd("rq:scheduled:crawl", {"a": 1})
    redis.zadd("rq:scheduler:scheduled_jobs", {"b": 1})
    stats = api.get("/api/jobs/stats")["data"]
    assert (stats["delayed"], stats["total"]) == (2, 2)


def test_statistics_clean_nothing_up(api: Api, redis: fakeredis.FakeRedis) -> None:
    redis.zadd("rq:finished:crawl", {"expired": 1})
    assert api.get("/api/jobs/stats")["data"]["completed"] == 1
    assert redis.zcard("rq:finished:crawl") == 1


def test_each_queue_shows_its_counts(api: Api, redis: fakeredis.FakeRedis) -> None:
    fill(redis)
    by_name = {queue["name"]: queue for queue in api.get("/api/queues")["data"]}
    assert set(by_name) == {"crawl", "discover", "default"}
    counts = {"waiting": 3, "active": 2, "completed": 149, "failed": 0, "delayed": 0}
    assert by_name["crawl"] == counts | {"name": "crawl", "paused": False}


def test_a_queue_is_paused_and_resumed(api: Api, redis: fakeredis.FakeRedis) -> None:
    assert api.post("/api/queues/crawl/pause")["data"]["paused"] is True
    assert redis.smembers(PAUSED_KEY) == {b"crawl"}
    assert [queue["paused"] for queue in api.get("/api/queues")["data"] if queue["name"] == "crawl"] == [True]
    assert api.post("/api/queues/crawl/resume")["data"]["paused"] is False
    assert not redis.exists(PAUSED_KEY)


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_unknown_queue_is_not_found(api: Api, redis: fakeredis.FakeRedis, verb: str) -> None:
    assert api.post(f"/api/queues/nonsense/{verb}", expect=404)["error"] == "Queue not found"
    assert not redis.exists(PAUSED_KEY)


def test_workers_are_shown_as_they_registered(api: Api, redis: fakeredis.FakeRedis) -> None:
    redis.sadd("rq:workers", "rq:worker:w1", "rq:worker:gone")
    fields = {"state": "busy", "queues": "discover,crawl", "hostname": "box", "pid": "42", "failed_job_count": "1"}
    redis.hset("rq:worker:w1", mapping=fields | {"successful_job_count": "9", "total_working_time": "1.5"})
    redis.sadd("rq:worker:w1:executions", "a:1", "b:1")
    (worker,) = api.get("/api/workers")["data"]
    expected = {"name": "w1", "state": "busy", "queues": ["discover", "crawl"], "hostname": "box", "pid": 42}
    counts = {"activeJobs": 2, "successfulJobs": 9, "failedJobs": 1, "totalWorkingTime": 1.5}
    assert worker == expected | counts | {"birth": None, "lastHeartbeat": None, "observedAt": None, "current": []}


def test_a_worker_tells_what_it_runs_the_oldest_first(api: Api, redis: fakeredis.FakeRedis) -> None:
    redis.sadd("rq:workers", "rq:worker:w1")
    redis.hset("rq:worker:w1", mapping={"state": "busy"})
    mine, theirs = (task_of(api, secret) for secret in (api.secret, api.key("other")))
    doing.tell(redis, "w1", [(theirs["id"], 3.0), (uuid.UUID(mine["id"]).hex, 1.5), ("a-tick", 2.0)])
    (worker,) = api.get("/api/workers")["data"]
    assert worker["activeJobs"] == 3
    shown = {"id": mine["id"], "name": "discover.pages", "url": "https://example.com/"}
    assert worker["current"] == [shown | {"since": "1970-01-01T00:00:01.500000Z"}]
    assert worker["observedAt"].startswith("20")


def task_of(api: Api, secret: str) -> Any:
    """A queue job of a new crawl."""
    api.post("/v1/jobs", {"domain": "example.com"}, 201, secret=secret)
    return api.call("GET", "/api/jobs", secret=secret).json["data"][0]


def test_a_worker_that_has_nothing_to_do_says_so_and_one_that_died_says_nothing(redis: fakeredis.FakeRedis) -> None:
    doing.tell(redis, "w1", [])
    told = Doing(orjson.loads(redis.get("crawlyard:doing:w1") or b"")[0], 0, ())
    redis.sadd("rq:worker:w1:executions", "job:run")
    assert seen(redis) == told
    assert 0 < redis.ttl("crawlyard:doing:w1") <= 5
    redis.delete("crawlyard:doing:w1")
    assert seen(redis) == Doing(None, 1, (("job", None),))


def seen(redis: fakeredis.FakeRedis) -> Doing:
    with redis.pipeline() as pipe:
        doing.ask(pipe, "w1")
        return doing.read(pipe.execute())
