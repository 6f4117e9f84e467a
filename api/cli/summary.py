"""What a finished crawl found."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from api.cli.client import Client
from api.cli.text import cell, size, table
from shared.errors import CrawlyardError

COLUMNS = (
    *("url", "status", "status_code", "response_time", "cache_status", "content_type"),
    *("error", "source_type", "source_url", "retry_count", "started_at", "completed_at"),
)
SLOWEST = 5
BROKEN = 10


@dataclass(frozen=True, slots=True)
class Report:
    """The job, the summary of its tasks, the slowest and the first broken ones, as the API gives them."""

    job: dict[str, Any]
    summary: dict[str, Any]
    slowest: list[dict[str, Any]]
    broken: list[dict[str, Any]]

    def document(self) -> dict[str, Any]:
        """The same as one JSON document."""
        return asdict(self)


def collect(client: Client, job: dict[str, Any]) -> Report:
    """Asks the API for everything that the summary shows. Raises as Client does."""
    slowest = client.tasks(job["id"], limit=SLOWEST, sort="-response_time")
    broken = client.tasks(job["id"], limit=BROKEN, status="failed")
    timed = [t for t in slowest["tasks"] if t.get("response_time") is not None]
    return Report(job, slowest["summary"], timed, broken["tasks"])


def render(report: Report) -> list[str]:
    """The summary in lines."""
    job, summary = report.job, report.summary
    speed = summary.get("performance") or {}
    lines = ["", f"{job.get('domain')}: {job['status']}{_took(job)}", ""]
    lines += table(
        [
            ["Pages", _pages(summary)],
            ["By status", _counts(summary.get("by_status") or {})],
            ["By status code", _counts(summary.get("by_status_code") or {})],
            ["Response time", _times(speed)],
            ["Slow pages", speed.get("slow_pages_count", 0)],
            ["Bytes", size(speed.get("total_bytes") or 0)],
            ["Cache", _cache(speed.get("cache_hit_ratio"))],
        ]
    )
    return lines + _slowest(report) + _broken(report) + _warnings(job)


def _took(job: Mapping[str, Any]) -> str:
    try:
        seconds = datetime.fromisoformat(job["completed_at"]) - datetime.fromisoformat(job["created_at"])
    except (KeyError, TypeError, ValueError):  # it goes on, or was never started
        return ""
    return f" in {seconds.total_seconds():.1f} s"


def _pages(summary: dict[str, Any]) -> int:
    """What is skipped has its row under another URL, or was not to be crawled."""
    skipped = (summary.get("by_status") or {}).get("skipped", 0)
    return int(summary.get("total_tasks", 0)) - int(skipped)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()) if count) or "none"


def _times(speed: Mapping[str, Any]) -> str:
    names = {"avg": "average", "median": "median", "p95": "p95", "p99": "p99"}
    known = {label: speed.get(f"{name}_response_time") for name, label in names.items()}
    return ", ".join(f"{label} {value:.0f} ms" for label, value in known.items() if value is not None) or "-"


def _cache(ratio: float | None) -> str:
    return "no cache headers seen" if ratio is None else f"{ratio:.0%} hits"


def _slowest(report: Report) -> list[str]:
    rows = [[t["response_time"], t.get("status_code"), t["url"]] for t in report.slowest]
    return ["", "Slowest, in ms", *table(rows)] if rows else []


def _broken(report: Report) -> list[str]:
    count = (report.summary.get("by_status") or {}).get("failed", len(report.broken))
    if not report.broken:
        return []
    rows = [[t.get("status_code") or t.get("error"), t["url"], _found_on(t)] for t in report.broken]
    more = [f"  and {count - len(rows)} more"] if count > len(rows) else []
    return ["", f"Broken ({count})", *table(rows), *more]


def _warnings(job: Mapping[str, Any]) -> list[str]:
    told = [f"  {warning['message']}" for warning in job.get("warnings") or []]
    return ["", "Warnings", *told] if told else []


def _found_on(task: Mapping[str, Any]) -> str:
    return f"on {task['source_url']}" if task.get("source_url") else ""


def write_csv(path: Path, tasks: Iterable[Mapping[str, Any]]) -> int:
    """Writes all tasks, safe for a spreadsheet; returns their number. Raises CrawlyardError without the right to."""
    count = 0
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for task in tasks:
                writer.writerow([cell(task.get(name)) for name in COLUMNS])
                count += 1
    except OSError as error:
        raise CrawlyardError(f"cannot write {path}: {error.strerror}") from None
    return count
