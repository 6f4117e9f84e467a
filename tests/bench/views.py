"""`make bench ARGS="views"`: how long each page of the dashboard takes to open, of crawls of 100,000 tasks.

Asked over HTTP as a browser asks, of the Procfile's web process. `cpu` is what it used, `database` what
PostgreSQL's server did: on a machine that does nothing else a page opens in the sum of the two.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from shared import ids
from shared.store import jobs, keys, open_store, order_builds, tasks
from tests.acceptance.system import System
from tests.bench import view_data
from tests.bench.dataset import Dataset, postgres_dataset, sqlite_dataset
from tests.bench.gauge import running_ms, table
from tests.bench.reads import share
from tests.bench.servers import KeptServer
from tests.bench.view_list import views
from tests.postgres import find_binaries
from tests.waiting import until

LIMIT_MS = 300.0
_TASKS, _SHORT = 100_000, 25_000
_HEAD = ["view", "pages", "wall p50", "wall p95", "cpu p50", "cpu p95", "database p95", "slowest page's cpu + database"]


@dataclass(frozen=True, slots=True)
class Look:
    """One answer. Milliseconds."""

    wall: float
    cpu: float
    database: float


class Browser:
    """Signed in to the dashboard of a system that serves a dataset."""

    def __init__(self, system: System, server: KeptServer | None, secret: str) -> None:
        self._system, self._server = system, server
        self._session = requests.Session()
        form = self._session.get(system.url("/login"), timeout=60).text
        token = form.partition('name="csrf" value="')[2].partition('"')[0]
        given = {"csrf": token, "key": secret, "next": "/keys"}
        assert self._session.post(system.url("/login"), given, timeout=60).ok

    def look(self, path: str) -> Look:
        """Opens a page."""
        before, began = self._used(), time.perf_counter()
        answer = self._session.get(self._system.url(path), timeout=60)
        wall = (time.perf_counter() - began) * 1000
        assert (answer.status_code, answer.history) == (200, []), (path, answer.status_code, answer.url)
        cpu, database = (now - then for now, then in zip(self._used(), before, strict=True))
        return Look(wall, cpu, database)

    def _used(self) -> tuple[float, float]:
        return running_ms(self._system.web.pid), running_ms(self._server.pid) if self._server else 0.0


@contextlib.contextmanager
def _browsing(dataset: Dataset, server: KeptServer | None) -> Iterator[Browser]:
    """A web process over the data. Nothing else runs: no scheduler, no worker."""
    store = open_store(dataset.url)
    order_builds.tend(store)
    secret = keys.create(store, view_data.ORGANISATION, "views")[1]
    store.close()
    with tempfile.TemporaryDirectory(prefix="crawlyard-bench-") as home, System(Path(home), dataset.url) as system:
        system.web = system.run("web")
        until(system._is_ready, 60, "the API is not ready")
        yield Browser(system, server, secret)


def _uids(dataset: Dataset) -> dict[str, str]:
    """What stands in the views' paths."""
    store = open_store(dataset.url)
    found = {}
    for name in ("first", "ended", "running"):
        job = jobs.get(store, getattr(view_data, name.upper()))
        found[name] = str(job.uid)
    job = jobs.get(store, view_data.ENDED)
    found |= {"domain": job.domain.uid}
    some = tasks.some(store, job.organisation_id, [ids.pack(job.id, 1001)])[0]
    store.close()
    return found | {"task": some.uid, "page": some.page_uid or ""}


def measure(dataset: Dataset, server: KeptServer | None, rounds: int, every: bool, only: str = "") -> list[str]:
    """Prints the table of a dataset; the views that are over the limit."""
    looks: dict[str, dict[str, list[Look]]] = {}
    with _browsing(dataset, server) as browser:
        for view in (view for view in views(_uids(dataset), _total(dataset)) if only in view.group):
            if not view.is_first:
                browser.look(view.path)  # compiles statements, fills what is kept
            found = [browser.look(view.path) for _ in range(1 if view.is_first else rounds)]
            looks.setdefault(view.group, {})[view.path] = found
            if every:
                print(f"  {view.group:30}{_used(found):8.1f}  {view.path}", flush=True)
    table(f"{dataset.name}, {_total(dataset):,} tasks a crawl, ms", _HEAD, [_row(name, looks[name]) for name in looks])
    return [f"{dataset.name}: {name}" for name in looks if share(_walls(looks[name]), 0.95) > LIMIT_MS]


def _total(dataset: Dataset) -> int:
    return int(dataset.url.rpartition("_")[2].removesuffix(".db"))


def _walls(pages: dict[str, list[Look]]) -> list[float]:
    return [look.wall for looks in pages.values() for look in looks]


def _used(looks: list[Look]) -> float:
    """Milliseconds of CPU at the median, of both."""
    return share([look.cpu + look.database for look in looks], 0.5)


def _row(name: str, pages: dict[str, list[Look]]) -> list[object]:
    all_looks = [look for looks in pages.values() for look in looks]
    walls, cpus = _walls(pages), [look.cpu for look in all_looks]
    database = share([look.database for look in all_looks], 0.95)
    slowest = max(pages, key=lambda path: _used(pages[path]))
    shown = f"{_used(pages[slowest]):.0f} {slowest.partition('?')[2]}"
    return [
        name,
        len(pages),
        share(walls, 0.5),
        share(walls, 0.95),
        share(cpus, 0.5),
        share(cpus, 0.95),
        database,
        shown,
    ]


def _run(given: argparse.Namespace) -> list[str]:
    n = given.tasks or (_SHORT if given.short else _TASKS)
    given.cache.mkdir(parents=True, exist_ok=True)
    given.cache.chmod(0o755)
    late: list[str] = []
    if given.database != "postgres":
        made = sqlite_dataset(given.cache, n, view_data.plan())
        late += measure(made, None, given.rounds, given.every, given.only)
    binaries = find_binaries() if given.database != "sqlite" else None
    if binaries is not None:
        server = KeptServer(binaries, given.cache / "postgres")
        try:
            made = postgres_dataset(server, n, view_data.plan())
            late += measure(made, server, given.rounds, given.every, given.only)
        finally:
            server.stop()
    return late


def main() -> int:
    """The exit code: 1 when a view is over the limit."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.views")
    parser.add_argument("--tasks", type=int, help="of each of the three crawls")
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--short", action="store_true", help=f"{_SHORT} tasks")
    parser.add_argument("--rounds", type=int, default=5, help="times that each page is opened")
    parser.add_argument("--only", default="", help="views whose names have this in them")
    parser.add_argument("--every", action="store_true", help="print every page")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "crawlyard-bench")
    late = _run(parser.parse_args())
    print(f"over {LIMIT_MS:.0f} ms: {', '.join(late)}" if late else "every view opens in time")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
