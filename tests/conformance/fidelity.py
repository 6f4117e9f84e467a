"""Crawls real documentation sites through the HTTP API and compares with the truth of their files."""

import json
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.store.migrate import upgrade
from tests.acceptance.system import System
from tests.conformance import truth
from tests.conformance.packages import Package, unpacked
from tests.site import serve_folder


@dataclass(frozen=True, slots=True)
class Comparison:
    """One site: how many of what, and what differs."""

    name: str
    pages: int
    broken: int
    seconds: float
    #: what is wrong, one line each
    differences: tuple[str, ...]


def compare(package: Package) -> Comparison:
    """Crawls one package's site. Raises packages.Missing."""
    folder = unpacked(package)
    expected = truth.of_folder(folder)
    with tempfile.TemporaryDirectory(prefix="crawlyard-conformance-") as home, serve_folder(folder) as site:
        started = time.monotonic()
        tasks = _crawl(Path(home), site.host)
        seconds = time.monotonic() - started
    completed = [task["path"] for task in tasks if task["status"] == "completed"]
    failed = {task["path"] for task in tasks if task["status"] == "failed"}
    differences = (
        *_differing("page missing", expected.pages - set(completed)),
        *_differing("page that does not exist", set(completed) - expected.pages),
        *_differing("page twice", {path for path, n in Counter(completed).items() if n > 1}),
        *_differing("broken link missing", expected.broken - failed),
        *_differing("broken link that is none", failed - expected.broken),
    )
    return Comparison(package.name, len(expected.pages), len(expected.broken), seconds, differences)


def _differing(what: str, paths: set[str]) -> list[str]:
    return [f"{what}: {path}" for path in sorted(paths)]


def _crawl(home: Path, host: str) -> list[dict[str, Any]]:
    """All page tasks of a crawl of a site, by the processes of the Procfile."""
    database = f"sqlite:///{home / 'crawlyard.db'}"
    upgrade(database)
    with System(home, database, CRAWLYARD_ALLOW_PRIVATE=host, WORKER_THREADS="32") as system:
        system.start()
        job_id = system.crawl(f"http://{host}")
        job = system.ended(job_id, 900)
        assert job["status"] == "completed", job
        lines = system.call("GET", f"/v1/jobs/{job_id}/export?format=jsonl").text.splitlines()
        found = [json.loads(line) for line in lines]
        return [task for task in found if "path" in task]
