"""What `crawlyard top` shows: one look at a running system, as lines."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from api.cli.client import ApiError, Client
from api.cli.progress import Meter, Progress
from api.cli.queue import QUEUES, WORKERS
from api.cli.shapes import Column, listing
from api.cli.text import span, table

_MOST_JOBS = 100
_QUEUES: Mapping[str, Column] = {
    "NAME": lambda queue: queue["name"] + (" (paused)" if queue["paused"] else ""),
    **{head: field for head, field in QUEUES.items() if head not in ("NAME", "PAUSED")},
}
_WORKERS = {head: field for head, field in WORKERS.items() if head not in ("HEARTBEAT", "QUEUES", "HOST", "PID")}
#: ids last: they are cut off first
_CRAWLS = ("DOMAIN", "DONE", "OF", "FAILED", "PAGES/S", "ETA", "ID")


@dataclass(frozen=True, slots=True)
class Look:
    """The API's answers; None: the key may not ask for it."""

    stats: dict[str, Any]
    queues: dict[str, Any] | None
    workers: dict[str, Any] | None
    jobs: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """All of them by name."""
        return asdict(self)


def take(client: Client) -> Look:
    """Looks. Raises as Client does."""
    return Look(
        client.get("/api/jobs/stats"),
        _allowed(client, "/api/queues"),
        _allowed(client, "/api/workers"),
        client.get("/v1/jobs", status="running", include="progress", limit=_MOST_JOBS),
    )


def _allowed(client: Client, path: str) -> dict[str, Any] | None:
    try:
        return client.get(path)
    except ApiError as error:
        if error.status != 403:
            raise
        return None


class View:
    """Makes lines of looks; remembers the ones before, for the rates."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._meters: dict[str, Meter] = {}
        self._last: list[str] = []
        #: whether there is somebody who can press a key
        self.is_live = False

    def lines(self, look: Look, now: float) -> list[str]:
        """`now`: seconds of a monotonic clock."""
        jobs = look.jobs["jobs"]
        self._meters = {job["id"]: self._meters.get(job["id"], Meter()) for job in jobs}
        seen = [(job, self._meters[job["id"]].read(job, now)) for job in jobs]
        counts = look.stats["data"]
        total = ", ".join(f"{counts[name]} {name}" for name in ("waiting", "active", "delayed", "failed"))
        rate = f"; {sum(progress.rate for _, progress in seen):.1f} pages/s" if self.is_live else ""
        head = f"{'q ends; ' if self.is_live else ''}{total}{rate}  {self._url}"
        self._last = [
            head,
            *_part("Queues", look.queues, listing(_QUEUES, "No queues.")),
            *_part("Workers", look.workers, listing(_WORKERS, "No workers.")),
            *["", f"Running crawls ({look.jobs['pagination']['total']})", *_indent(self._crawls(seen))],
        ]
        return self._last

    def away(self, reason: str) -> list[str]:
        """The last look, and why there is no newer one."""
        return [reason, *self._last[1:]]

    def _crawls(self, seen: list[tuple[dict[str, Any], Progress]]) -> list[str]:
        rows = [[job["domain"], p.done, p.total, p.failed, *self._pace(p), job["id"]] for job, p in seen]
        return table(rows, indent="", head=_CRAWLS) if rows else ["No crawl is running."]

    def _pace(self, progress: Progress) -> list[object]:
        """Nothing is known of it at the first look."""
        eta = None if progress.eta is None else span(progress.eta)
        return [f"{progress.rate:.1f}" if self.is_live else None, eta]


def _part(title: str, answer: dict[str, Any] | None, lines: Any) -> list[str]:
    return ["", title, *_indent(["needs an admin key"] if answer is None else lines(answer))]


def _indent(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]
