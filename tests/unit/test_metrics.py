"""`/metrics`: what Prometheus is told, of Redis, of the store and of all processes."""

from datetime import UTC, datetime, timedelta

import fakeredis
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.exceptions import ConnectionError as RedisDown
from rq.utils import utcformat

from shared import measures
from shared.errors import QueueUnavailable
from shared.measures import FETCH_SECONDS, TASKS, Measures
from tests.api_kit import Api, RecordingQueue, link

TOKEN = "scrape-me-0123456789"


@pytest.fixture
def redis() -> fakeredis.FakeRedis:
    return fakeredis.FakeRedis()


@pytest.fixture
def api(sqlite_url: str, redis: fakeredis.FakeRedis) -> Api:
    return Api(sqlite_url, RecordingQueue(redis), CRAWLYARD_METRICS_TOKEN=TOKEN)


def scrape(api: Api) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = api.call("GET", "/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_the_depth_and_the_oldest_job_of_a_queue(api: Api, redis: fakeredis.FakeRedis) -> None:
    for name, age in (("front", 5), ("old", 90)):
        since = utcformat(datetime.now(UTC) - timedelta(seconds=age))
        redis.hset(f"rq:job:{name}", mapping={"origin": "crawl", "enqueued_at": since})
        redis.rpush("rq:queue:crawl", name)
    found = scrape(api)
    assert found["crawlyard_queue_jobs", (("queue", "crawl"), ("state", "waiting"))] == 2
    assert 90 <= found["crawlyard_queue_oldest_job_age_seconds", (("queue", "crawl"),)] < 120
    assert found["crawlyard_queue_oldest_job_age_seconds", (("queue", "discover"),)] == 0


def test_the_pages_that_wait_in_the_record(api: Api) -> None:
    api.discover(api.submit(concurrency=1), [link("/a"), link("/b"), link("/c")])
    found = scrape(api)
    assert (found["crawlyard_crawls", ()], found["crawlyard_frontier_pages", ()]) == (1, 2)


def test_counters_are_summed_over_processes(api: Api, redis: fakeredis.FakeRedis) -> None:
    for n in (2, 3):
        process = Measures()
        process.count(TASKS, ("crawl.page", "completed"), n)
        process.flush(redis)
    found = scrape(api)
    assert found["crawlyard_tasks_total", (("kind", "crawl.page"), ("outcome", "completed"))] == 5


def test_a_histogram_is_cumulative(api: Api, redis: fakeredis.FakeRedis) -> None:
    process = Measures()
    for seconds in (0.004, 0.2, 99):
        process.observe(FETCH_SECONDS, seconds)
    process.flush(redis)
    found = scrape(api)
    name = "crawlyard_fetch_duration_seconds"
    bounds = [found[f"{name}_bucket", (("le", bound),)] for bound in ("0.005", "0.25", "30.0", "+Inf")]
    assert (bounds, found[f"{name}_count", ()], found[f"{name}_sum", ()]) == ([1, 2, 2, 3], 3, 99.204)


def test_answers_are_measured_by_their_route(api: Api, redis: fakeredis.FakeRedis) -> None:
    api.get("/v1/jobs/00000000-0000-7000-8000-000000000000", 404)
    api.app.extensions["crawlyard"].measures.flush(redis)
    labels = (("method", "GET"), ("route", "/v1/jobs/<job_id>"), ("status", "404"))
    assert scrape(api)["crawlyard_http_request_duration_seconds_count", labels] == 1


def test_a_redis_that_is_away_is_told_of(api: Api, redis: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "pipeline", lambda **_: (_ for _ in ()).throw(RedisDown("gone")))
    found = scrape(api)
    assert found["crawlyard_up", (("part", "redis"),)] == 0
    assert (found["crawlyard_up", (("part", "database"),)], found["crawlyard_crawls", ()]) == (1, 0)


def test_what_could_not_be_told_is_told_later(redis: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Measures()
    process.count(TASKS, ("crawl.page", "failed"))
    with monkeypatch.context() as patch:
        patch.setattr(redis, "pipeline", lambda **_: (_ for _ in ()).throw(RedisDown("gone")))
        with pytest.raises(QueueUnavailable):
            process.flush(redis)
    process.flush(redis)
    assert measures.read(redis) == {("crawlyard_tasks", ("crawl.page", "failed"), ""): 1.0}


@pytest.mark.parametrize(
    ("secret", "status"), [(TOKEN, 200), ("wrong-0123456789abcdef", 401), ("", 401), ("reader", 403), ("admin", 200)]
)
def test_who_may_scrape(api: Api, secret: str, status: int) -> None:
    known = {"reader": lambda: api.key("acme", ["read"]), "admin": lambda: api.secret}
    headers = {"Authorization": f"Bearer {known.get(secret, lambda: secret)()}"}
    assert api.client.get("/metrics", headers=headers).status_code == status


def test_the_token_opens_nothing_else(api: Api) -> None:
    assert api.client.get("/v1/jobs", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 401
