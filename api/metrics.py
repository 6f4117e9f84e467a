"""`/metrics` for Prometheus: what Redis and the store say at this moment, and the sums of all processes."""

import hmac
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

from flask import request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from api.auth import require_scope, secret_of
from api.context import Answer, Call, Services
from api.schemas.common import NoQuery
from shared import measures, queue_ops
from shared.errors import Unavailable
from shared.measures import BUCKETS, Measure, Series
from shared.store import load

_STATES = ("waiting", "active", "completed", "failed", "delayed")
_BOUNDS = (*(str(bound) for bound in BUCKETS), "+Inf")


def get_metrics(call: Call, _given: NoQuery) -> Answer:
    """All metrics in Prometheus' text format. What is away shows as `crawlyard_up 0`, the rest is still told."""
    _require_allowed(call.services)
    registry = CollectorRegistry()
    registry.register(_Collector(call.services))
    return Answer(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _require_allowed(services: Services) -> None:
    """METRICS_TOKEN needs no database, so that a scrape tells of its outage; an admin's key does as well."""
    secret = secret_of(request.headers.get("Authorization", ""), request.headers.get("X-API-Key", ""))
    token = services.settings.metrics_token
    if token is not None and hmac.compare_digest(secret.encode(), token.encode()):
        return
    require_scope(services.authenticator.authenticate(secret), "admin")


class _Collector(Collector):
    """One scrape."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterable[Metric]:
        """The families. Called by prometheus_client."""
        up = GaugeMetricFamily("crawlyard_up", "Whether a part answers", labels=["part"])
        seconds = GaugeMetricFamily("crawlyard_answer_seconds", "How long it took to answer", labels=["part"])
        parts: tuple[tuple[str, Callable[[], list[Metric]]], ...] = (("redis", self._redis), ("database", self._store))
        for part, ask in parts:
            started = time.monotonic()
            try:
                found, is_up = ask(), 1.0
            except Unavailable:
                found, is_up = [], 0.0
            up.add_metric([part], is_up)
            seconds.add_metric([part], time.monotonic() - started)
            yield from found
        yield from (up, seconds)

    def _redis(self) -> list[Metric]:
        queue = self._services.queue
        queues = _queues(queue_ops.queues(queue), queue_ops.oldest_ages(queue))
        return [*queues, *_workers(queue_ops.workers(queue)), *_summed(measures.read(queue.redis))]

    def _store(self) -> list[Metric]:
        found = load.read(self._services.store)
        return [
            GaugeMetricFamily("crawlyard_crawls", "Crawls that go on", value=found.crawls),
            GaugeMetricFamily(
                "crawlyard_frontier_pages", "Pages that wait for a place in a queue", value=found.pending
            ),
        ]


def _queues(infos: list[queue_ops.QueueInfo], ages: dict[str, float]) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("crawlyard_queue_jobs", "Jobs in a queue by state", labels=["queue", "state"])
    oldest = GaugeMetricFamily(
        "crawlyard_queue_oldest_job_age_seconds", "How long the oldest waiting job waits", labels=["queue"]
    )
    paused = GaugeMetricFamily("crawlyard_queue_paused", "Whether workers take nothing from it", labels=["queue"])
    for info in infos:
        for state in _STATES:
            jobs.add_metric([info.name, state], getattr(info, state))
        oldest.add_metric([info.name], ages.get(info.name, 0.0))
        paused.add_metric([info.name], info.is_paused)
    yield from (jobs, oldest, paused)


def _workers(infos: list[queue_ops.WorkerInfo]) -> Iterator[Metric]:
    family = GaugeMetricFamily("crawlyard_workers", "Worker processes by state", labels=["state"])
    for state, n in sorted(Counter(info.state for info in infos).items()):
        family.add_metric([state], n)
    yield family
    yield GaugeMetricFamily("crawlyard_worker_jobs", "Jobs that run in workers", value=sum(i.doing.n for i in infos))


def _summed(sums: dict[Series, float]) -> Iterator[Metric]:
    by_measure: dict[str, dict[tuple[str, ...], dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for (name, labels, part), value in sums.items():
        by_measure[name][labels][part] = value
    for measure in measures.ALL:
        found = by_measure.get(measure.name, {})
        yield _histogram(measure, found) if measure.is_histogram else _counter(measure, found)


def _counter(measure: Measure, found: dict[tuple[str, ...], dict[str, float]]) -> Metric:
    family = CounterMetricFamily(measure.name, measure.text, labels=measure.labels)
    for labels, parts in sorted(found.items() or ([((), {"": 0.0})] if not measure.labels else [])):
        family.add_metric(labels, parts.get("", 0.0))
    return family


def _histogram(measure: Measure, found: dict[tuple[str, ...], dict[str, float]]) -> Metric:
    family = HistogramMetricFamily(measure.name, measure.text, labels=measure.labels)
    for labels, parts in sorted(found.items()):
        total, buckets = 0.0, []
        for n, bound in enumerate(_BOUNDS):
            total += parts.get(str(n), 0.0)
            buckets.append((bound, total))
        family.add_metric(labels, buckets, sum_value=parts.get("sum", 0.0))
    return family
