"""`python -m tests.bench.queue`: no-op jobs through our worker and through those of others, on the same Redis."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from rq import Queue

from shared.embedded import start_redis
from shared.queue import DEFAULT_QUEUE
from shared.rqtypes import CrawlJob, OrjsonSerializer
from tests.bench.peers import install
from tests.bench.peers.install import Environment

PEERS = Path(install.__file__).parent
ROOT = PEERS.parents[2]
_TIMEOUT = 300


@dataclass(frozen=True, slots=True)
class Runner:
    """One queue: how to get it, what to call."""

    name: str
    script: str
    requirements: tuple[str, ...] = ()
    #: share of the jobs: the slow ones get fewer
    share: float = 1.0
    verb: str = "work"

    def environment(self, cache: Path) -> Environment:
        if self.script == "bullmq.mjs":
            return install.node(cache, "bullmq", self.script, "bullmq", "ioredis")
        if not self.requirements:
            return Environment((sys.executable, str(PEERS / self.script)), "")
        found = install.python(cache, self.script.removesuffix(".py"), *self.requirements)
        return Environment((*found.command, str(PEERS / self.script)), found.version)


RUNNERS = (
    Runner("crawlyard, 50 threads", "ours.py"),
    Runner("BullMQ, concurrency 50", "bullmq.mjs"),
    Runner("SAQ, concurrency 50", "saq_peer.py", ("saq[redis,hiredis]", "typing_extensions"), 0.5),
    Runner("arq, 50 jobs", "arq_peer.py", ("arq", "hiredis"), 0.25),
    Runner("Dramatiq, 50 threads", "dramatiq_peer.py", ("dramatiq[redis]", "hiredis"), 0.25),
    Runner("Celery, 50 threads", "celery_peer.py", ("celery[redis]", "hiredis"), 0.25),
    Runner("Huey, 50 threads", "huey_peer.py", ("huey", "redis", "hiredis"), 0.25),
    Runner("RQ SimpleWorker", "rq_stock.py", ("rq", "hiredis"), 0.1, "simple"),
    Runner("RQ Worker (forks)", "rq_stock.py", ("rq", "hiredis"), 0.02, "fork"),
)


@dataclass(frozen=True, slots=True)
class Result:
    """One run."""

    per_second: float
    #: microseconds of the worker's CPU a job
    cpu: float
    memory_mb: float
    #: microseconds of Redis' CPU a job
    redis_cpu: float


def run(runner: Runner, environment: Environment, jobs: int, folder: Path) -> Result:
    """Fills a fresh Redis, then starts the worker. Raises CalledProcessError, TimeoutExpired."""
    redis = start_redis(folder)
    try:
        report = folder / "report.json"
        env = os.environ | {"REDIS_URL": redis.url, "BENCH_JOBS": str(jobs), "BENCH_REPORT": str(report)}
        env["PYTHONPATH"] = f"{PEERS}{os.pathsep}{ROOT}" if not runner.requirements else str(PEERS)
        for verb in ("enqueue", runner.verb):
            before = _redis_cpu(redis.url)
            command = [*environment.command, verb]
            subprocess.run(command, env=env, cwd=folder, check=True, timeout=_TIMEOUT, stdout=subprocess.DEVNULL)
        used = _redis_cpu(redis.url) - before
        if runner.script == "ours.py":
            check(redis.url, jobs)
        told = json.loads(report.read_text()) | {"redis": used}
    finally:
        redis.stop()
    return Result(
        told["jobs"] / told["seconds"], told["cpu"] / told["jobs"] * 1e6, told["memory_mb"], told["redis"] / jobs * 1e6
    )


def _redis_cpu(url: str) -> float:
    with Redis.from_url(url) as redis:
        told = redis.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])


def check(url: str, jobs: int) -> None:
    """What our worker left, as stock RQ reads it."""
    with Redis.from_url(url) as redis:
        queue = Queue(DEFAULT_QUEUE, connection=redis, serializer=OrjsonSerializer)
        done = queue.finished_job_registry.get_job_ids(cleanup=False)
        assert (len(done), queue.count, queue.started_job_registry.get_job_count(cleanup=False)) == (jobs, 0, 0)
        values = sorted(CrawlJob.fetch(name, connection=redis).return_value() for name in done[:: max(jobs // 200, 1)])
        assert values == sorted(set(values))
        assert all(CrawlJob.fetch(name, connection=redis).get_status() == "finished" for name in done[:20])


def main() -> int:
    """Prints the table, each queue's best of the rounds; 1 when the ratio to BullMQ is below `--at-least`."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.queue")
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="queues whose names have this in them, beside ours")
    parser.add_argument("--at-least", type=float, default=0.0, help="least ratio to BullMQ")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "crawlyard-bench")
    given = parser.parse_args()
    wanted = [r for r in RUNNERS if given.only.lower() in r.name.lower() or r is RUNNERS[0]]
    environments = {r: r.environment(given.cache) for r in wanted}
    results: dict[Runner, list[Result]] = {r: [] for r in wanted}
    for _ in range(given.rounds):
        for runner in wanted:  # in turns, so that a busy minute of the machine meets all
            with tempfile.TemporaryDirectory() as folder:
                jobs = int(given.jobs * runner.share)
                results[runner].append(run(runner, environments[runner], jobs, Path(folder)))
    best = {runner: max(found, key=lambda r: r.per_second) for runner, found in results.items()}
    print(
        "| queue | version | jobs/s | ours / theirs | worker CPU µs a job | Redis CPU µs a job | memory MB |\n"
        "|---|---|---|---|---|---|---|"
    )
    ours = best[RUNNERS[0]]
    for runner, r in best.items():
        ratio = ours.per_second / r.per_second
        version = environments[runner].version or "this"
        print(
            f"| {runner.name} | {version} | {r.per_second:,.0f} | {ratio:.2f} "
            f"| {r.cpu:.0f} | {r.redis_cpu:.0f} | {r.memory_mb:.0f} |"
        )
    bull = next((r for runner, r in best.items() if runner.script == "bullmq.mjs"), None)
    return 1 if bull and ours.per_second / bull.per_second < given.at_least else 0


if __name__ == "__main__":
    sys.exit(main())
