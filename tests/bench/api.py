"""`make bench ARGS="api"`: requests to our API, beside plain Flask routes that return the same bytes."""

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from shared.ports import free_port
from tests.acceptance.system import KEY
from tests.bench import gauge, ours, sites
from tests.bench.reads import share

_CLIENTS, _PAGES = 8, 300
_HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of request; `body` makes that of a POST."""

    name: str
    path: str
    body: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did with it. Milliseconds; CPU in microseconds a request."""

    per_second: float
    p50: float
    p99: float
    cpu: float


def calls(job: str) -> list[Call]:
    """The main reads, and submit."""
    numbers = count(1)
    reads = {
        "jobs": "/v1/jobs",
        "job": f"/v1/jobs/{job}",
        "tasks": f"/v1/jobs/{job}/tasks?limit=50",
        "tasks, filtered": f"/v1/jobs/{job}/tasks?status=completed&sort=-response_time&limit=50",
        "queue jobs": "/api/jobs?status=completed",
        "stats": "/api/jobs/stats",
    }
    submit = Call("submit", "/v1/jobs", lambda: json.dumps({"domain": f"s{next(numbers)}.test"}))
    return [*(Call(name, path) for name, path in reads.items()), submit]


def load(port: int, pid: int, call: Call, seconds: float) -> Load:
    """Eight clients, one connection each."""
    times: list[float] = []
    deadline = time.monotonic() + seconds

    def client() -> None:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while time.monotonic() < deadline:
            body = call.body() if call.body else None
            began = time.perf_counter()
            link.request("POST" if call.body else "GET", call.path, body, _HEADERS)
            answer = link.getresponse()
            answer.read()
            times.append(time.perf_counter() - began)
            assert answer.status in (200, 201), (call.path, answer.status)
        link.close()

    before, began = gauge.usage(pid), time.monotonic()
    threads = [threading.Thread(target=client) for _ in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, used = time.monotonic() - began, gauge.usage(pid).since(before)
    n = len(times)
    return Load(n / took, 1000 * share(times, 0.5), 1000 * share(times, 0.99), used.cpu / n * 1e6)


def plain(bodies: dict[str, str], call: Call, seconds: float) -> Load:
    """The same bytes by a plain route, under the same gunicorn settings."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bodies.json"
        file.write_text(json.dumps(bodies))
        options = ("--worker-class", "gthread", "--threads", "16", "--workers", "1", "--keep-alive", "75")
        command = [sys.executable, "-m", "gunicorn", "--no-control-socket", *options, "--bind", f"127.0.0.1:{port}"]
        command += ["--log-level", "error", "--env", f"BENCH_PLAIN={file}", "tests.bench.plain:make_app()"]
        process = subprocess.Popen(command)
        try:
            sites.listening(port)
            load(port, process.pid, call, 0.3)
            return load(port, process.pid, call, seconds)
        finally:
            process.terminate()
            process.wait(30)


def _figures(found: Load) -> tuple[float, ...]:
    return found.per_second, found.p50, found.p99, found.cpu


def measure(cache: Path, database: str, seconds: float) -> list[list[object]]:
    """Rows of the table."""
    rows: list[list[object]] = []
    with sites.nginx(cache, _PAGES) as host, ours.running(cache, database, host) as rig:
        job = rig.system.crawl(f"http://{host}/", use_sitemap=False)
        rig.system.ended(job)
        for process in rig.system.workers:  # what is submitted now is to be queued only
            process.terminate()
            process.wait(60)
        for call in calls(job):
            load(rig.system.port, rig.system.web.pid, call, 0.3)
            mine = load(rig.system.port, rig.system.web.pid, call, seconds)
            body = rig.system.call("GET", call.path).text
            least = plain({call.path.partition("?")[0]: body}, call, seconds)
            rows.append([f"{call.name}, {database}", *_figures(mine), *_figures(least), mine.cpu / least.cpu])
    return rows


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.api")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each kind of request")
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "crawlyard-bench")
    given = parser.parse_args()
    names = ("sqlite", "postgres") if given.database == "both" else (given.database,)
    rows = [row for name in names for row in measure(given.cache, name, given.seconds)]
    head = ["request", "a second", "p50 ms", "p99 ms", "CPU µs"]
    head += ["plain: a second", "p50 ms", "p99 ms", "CPU µs", "CPU, ours / plain"]
    gauge.table(f"{_CLIENTS} clients, one process of gunicorn with 16 threads", head, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
