"""The pages of the dashboard that a crawl's size could make slow, and the others beside them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from tests.bench.queries import BOTH_WAYS

_FILTERS: tuple[dict[str, str], ...] = (
    *({"status": word} for word in ("completed", "failed", "skipped", "pending", "running")),
    {"cache": "hit"},
    {"cache": "miss"},
    {"status_code": "404"},
    {"status_code": "503"},
    {"path": "shop"},
    {"path": "nowhere"},
    {"status": "completed", "cache": "miss", "path": "garden"},
)
_STATES = ("active", "waiting", "completed", "failed", "delayed")
_LIMIT = 50


@dataclass(frozen=True, slots=True)
class View:
    """A page."""

    group: str
    path: str
    #: only its first look is of interest
    is_first: bool = False


def views(uid: Mapping[str, str], n: int) -> Iterator[View]:
    """All pages, of crawls of n tasks; `uid` has the ids: first, ended, running, domain, page, task."""
    yield from _crawl("ended", f"/jobs/{uid['ended']}", n)
    yield from _crawl("running", f"/jobs/{uid['running']}", n)
    for name in ("ended", "running"):
        yield View(f"{name}: compare, first look", f"/jobs/{uid[name]}/compare", is_first=True)
        for kind in ("", "?kind=added", "?kind=slower", "?offset=10000"):
            yield View(f"{name}: compare, next look", f"/jobs/{uid[name]}/compare{kind}")
    yield View("task", f"/jobs/{uid['ended']}/tasks/{uid['task']}")
    yield View("page", f"/pages/{uid['page']}")
    yield View("start", "/")
    for path in ("/domains", f"/domains/{uid['domain']}", f"/domains/{uid['domain']}?page={n // _LIMIT}"):
        yield View("domains", path)
    for path in ("/changes", "/changes?page=20", f"/changes?pageId={uid['page']}", "/schedules", "/webhooks", "/keys"):
        yield View("other lists", path)
    yield from _queues(n)


def _crawl(name: str, path: str, n: int) -> Iterator[View]:
    last = n - _LIMIT if name == "ended" else n * 9 // 10
    for sort in BOTH_WAYS:
        for part, offset in (("first", 0), ("middle", n // 2), ("last", last)):
            yield View(f"{name}: tasks, {part} page of a sort", f"{path}?{urlencode({'sort': sort, 'offset': offset})}")
    for one in _FILTERS:
        for sort in ("created_at", "-response_time", "path"):
            yield View(f"{name}: tasks, filters", f"{path}?{urlencode(one | {'sort': sort})}")
    for offset in (0, n // 50, n // 26):
        yield View(f"{name}: broken by target", f"{path}/broken?offset={offset}")
    for page in (1, 20):
        yield View(f"{name}: broken by page", f"{path}/broken/pages?page={page}")
    yield View(f"{name}: slow", f"{path}/slow")
    for page in (1, 20):
        yield View(f"{name}: changes", f"{path}/changes?page={page}")


def _queues(n: int) -> Iterator[View]:
    yield View("queues", "/queues")
    for query in ("", *(f"?status={state}" for state in _STATES), f"?status=completed&page={n // _LIMIT}", "?page=100"):
        yield View("queue jobs", f"/queues/jobs{query}")
    for text in ("shop-garden", "nowhere at all", "could not be fetched"):
        yield View("queue jobs, search", f"/queues/jobs?{urlencode({'q': text})}")
