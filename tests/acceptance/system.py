"""The processes of the Procfile, started as it says, and a client for their API."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import requests

from shared.embedded import EmbeddedRedis, start_redis
from shared.ports import free_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]
KEY = "acceptance-key-0123456789"


def procfile() -> dict[str, list[str]]:
    """Name to command, `crawlyard` being this interpreter's."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    entries = dict(line.split(":", 1) for line in lines if line.strip())
    return {name: [sys.executable, "-m", "api.cli", *command.split()[1:]] for name, command in entries.items()}


class System:
    """Redis, a database, and any number of the Procfile's processes."""

    def __init__(self, home: Path, database_url: str, redis: EmbeddedRedis | None = None, **env: str) -> None:
        """Starts a Redis unless one is given, and stops either."""
        self.home = home
        self.redis = redis or start_redis(home)
        #: seconds for an answer of the API
        self.patience = 15.0
        self.port = free_port()
        self._commands = procfile()
        self._processes: list[subprocess.Popen[bytes]] = []
        self.env = os.environ | {
            "CRAWLYARD_HOME": str(home),
            "REDIS_URL": self.redis.url,
            "DATABASE_URL": database_url,
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "1",
            "WORKER_PROCESSES": "1",
            "WORKER_THREADS": "8",
            "CRAWLYARD_BOOTSTRAP_KEY": KEY,
            "CRAWLYARD_BIND": "127.0.0.1",
            "CRAWLYARD_RATE_LIMIT": "0",
            "PYTHONPATH": str(ROOT),
            **env,
        }

    def __enter__(self) -> Self:
        self.run("release").wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
        for process in self._processes:
            process.wait(10)
        self.redis.stop()

    def run(self, name: str, command: list[str] | None = None, **env: str) -> "subprocess.Popen[bytes]":
        """Starts one process of the Procfile, or `command` in its place. Its output goes to `<home>/<name>.log`."""
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command or self._commands[name],
                env=self.env | env,
                cwd=self.home,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def start(self, workers: int = 1) -> None:
        """Starts web, scheduler and some worker dynos; returns when the API is ready."""
        self.web = self.run("web")
        self.run("scheduler")
        self.workers = [self.run("worker") for _ in range(workers)]
        until(self._is_ready, 30, "the API is not ready: " + str(self.home))

    def _is_ready(self) -> bool:
        try:
            return requests.get(self.url("/readyz"), timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def refusal(self, path: str) -> tuple[int, str | None]:
        """Status and `Retry-After` of an answer; 0 while nobody listens."""
        try:
            answer = self.call("GET", path)
        except requests.ConnectionError:
            return 0, None
        return answer.status_code, answer.headers.get("Retry-After")

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request with the key."""
        return requests.request(
            method, self.url(path), headers={"Authorization": f"Bearer {KEY}"}, timeout=self.patience, **options
        )

    def get(self, path: str) -> Any:
        """The JSON of an answer that must be a success."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def crawl(self, domain: str, **options: Any) -> str:
        """Submits a crawl; the job's id."""
        answer = self.call("POST", "/v1/jobs", json={"domain": domain, **options})
        assert answer.status_code == 201, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    def job(self, job_id: str) -> Any:
        return self.get(f"/v1/jobs/{job_id}")

    def ended(self, job_id: str, seconds: float = 60, every: float = 0.01) -> Any:
        """The job, when it has ended; looked for `every` so many seconds."""
        said = f"job {job_id} has not ended"
        until(lambda: self.job(job_id)["status"] not in ("created", "running"), seconds, said, every)
        return self.job(job_id)

    def finished(self, queue_job: str, seconds: float = 30) -> Any:
        """The queue job, when it is completed or failed."""
        look = f"/api/jobs/{queue_job}"
        until(lambda: self.get(look)["data"]["state"] in ("completed", "failed"), seconds)
        return self.get(look)["data"]

    def tasks(self, job_id: str) -> list[Any]:
        """All page tasks of a job."""
        found: list[Any] = []
        while True:
            page = self.get(f"/v1/jobs/{job_id}/tasks?limit=200&offset={len(found)}")
            found += page["tasks"]
            if not page["pagination"]["has_next"]:
                return found

    def pages_done(self, job_id: str) -> int:
        """How many pages are completed."""
        done: int = self.job(job_id)["progress"]["completed_tasks"]
        return done

    def rq(self, *args: str) -> str:
        """The output of a stock `rq` command on this Redis."""
        command = [sys.executable, "-m", "rq.cli", *args, "--url", self.redis.url]
        done = subprocess.run(command, env=self.env, cwd=self.home, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text()


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """kill -9 of a dyno: the process and all its children at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
