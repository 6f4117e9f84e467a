"""`jobs` and `stats`: what a running system does."""

from typing import Any

import click

from api.cli.home import connect
from api.cli.text import echo, echo_json, table
from shared.settings import Settings

STATES = ("created", "running", "completed", "failed", "cancelled")
COUNTS = ("waiting", "active", "completed", "failed", "delayed", "total")


@click.command("jobs")
@click.option("--status", type=click.Choice(STATES), help="Only jobs in this state.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
def jobs_command(status: str | None, limit: int, as_json: bool) -> None:
    """List crawl jobs, newest first."""
    params: dict[str, str | int] = {"include": "progress", "limit": limit}
    if status:
        params["status"] = status
    answer = connect(Settings.from_env()).get("/v1/jobs", **params)
    if as_json:
        echo_json(answer)
        return
    for line in job_lines(answer["jobs"]):
        echo(line)


def job_lines(jobs: list[dict[str, Any]]) -> list[str]:
    """One line a job: id, domain, state, pages, creation."""
    if not jobs:
        return ["No jobs."]
    rows = [[job["id"], job["domain"], job["status"], _pages(job), job["created_at"]] for job in jobs]
    return table(rows, indent="")


def _pages(job: dict[str, Any]) -> str:
    counts = job.get("progress") or {}
    done = counts.get("completed_tasks", 0) + counts.get("failed_tasks", 0)
    return f"{done}/{counts.get('total_tasks', 0)} ({counts.get('percentage', 0)} %)"


@click.command("stats")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
def stats_command(as_json: bool) -> None:
    """Show how full the queue is."""
    answer = connect(Settings.from_env()).get("/api/jobs/stats")
    if as_json:
        echo_json(answer)
        return
    for line in table([[name, answer["data"].get(name)] for name in COUNTS], indent=""):
        echo(line)
