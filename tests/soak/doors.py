"""What the API says at the end, against a recount of the rows: progress, statistics and summary."""

from collections import Counter
from typing import Any

from shared.states import V1_STATUS, TaskState
from tests.soak.report import Crawl, Report


def check(report: Report, crawl: Crawl, pages: list[Any]) -> None:
    """Compares."""
    job = crawl.witnesses.door.get(f"/v1/jobs/{crawl.uid}")
    by_status = Counter(V1_STATUS[TaskState(row.state)] for row in pages)
    wanted = {
        "total_tasks": len(pages),
        "completed_tasks": by_status["completed"],
        "failed_tasks": by_status["failed"],
        "skipped_tasks": by_status["skipped"],
    }
    told = {name: job["progress"][name] for name in wanted}
    report.expect(told == wanted, f"progress {told}, recounted {wanted}")
    report.expect(job["progress"]["percentage"] == 100.0, f"{job['progress']['percentage']} % of what has ended")
    n_bytes = sum(row.bytes or 0 for row in pages)
    report.expect(job["stats"]["total_bytes"] == n_bytes, f"{job['stats']['total_bytes']} bytes, recounted {n_bytes}")
    times = [row.response_time for row in pages if row.response_time is not None]
    mean, said = sum(times) / max(1, len(times)), job["stats"]["avg_response_time"] or 0
    report.expect(abs(mean - said) <= 1, f"mean time {said}, recounted {mean:.1f}")
    _check_summary(report, crawl, pages, by_status)


def _check_summary(report: Report, crawl: Crawl, pages: list[Any], by_status: "Counter[str]") -> None:
    listed = crawl.witnesses.door.get(f"/v1/jobs/{crawl.uid}/tasks?limit=1")
    summary = listed["summary"]
    told = Counter({name: n for name, n in summary["by_status"].items() if n})
    report.expect(told == by_status, f"summary {dict(told)}, recounted {dict(by_status)}")
    codes = Counter(str(row.status_code) for row in pages if row.status_code is not None)
    said = Counter({code: n for code, n in summary["by_status_code"].items() if n})
    report.expect(said == codes, f"by status code {dict(said)}, recounted {dict(codes)}")
    total = listed["pagination"]["total"]
    report.expect(total == len(pages), f"{total} tasks listed, {len(pages)} rows")
