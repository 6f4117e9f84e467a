"""`jobs`: crawls of a running system, and their pages."""

from typing import Any

import click

from api.cli.changes import compare_command
from api.cli.export import export_command
from api.cli.shapes import Answer, facts, listing, said
from api.cli.verbs import DefaultList, Verb, add_verbs, paging, path_argument

STATES = ("created", "running", "completed", "failed", "cancelled")
TASK_STATES = ("pending", "running", "completed", "failed", "skipped")


@click.group("jobs", cls=DefaultList)
def jobs_command() -> None:
    """List, show and steer crawls."""


def _pages(job: dict[str, Any]) -> str:
    counts = job.get("progress") or {}
    done = counts.get("completed_tasks", 0) + counts.get("failed_tasks", 0)
    return f"{done}/{counts.get('total_tasks', 0)} ({counts.get('percentage', 0)} %)"


_LIST = listing(
    {"ID": "id", "DOMAIN": "domain", "STATUS": "status", "PAGES": _pages, "CREATED": "created_at"}, "No jobs.", "jobs"
)
_TASKS = listing(
    {
        "STATUS": "status",
        "CODE": "status_code",
        "MS": "response_time",
        "CACHE": "cache_status",
        "ERROR": "error",
        "URL": "url",
    },
    "No pages.",
    "tasks",
)
_OFFSET = click.option("--offset", type=click.IntRange(0), help="Leave out that many; instead of --page.")


def _now(answer: Answer) -> list[str]:
    return [f"{answer['id']} is {'paused' if answer.get('paused_at') else answer['status']}"]


def _details(answer: Answer) -> list[str]:
    lines = facts(answer["task"])
    for no, attempt in enumerate(answer["attempts"], 1):
        second = attempt["second_request"]
        lines += ["", f"attempt {no}", *facts(_said(attempt) | {"second_request": second and _said(second)})]
    for hop in answer["redirects"]:
        lines += ["", f"redirect: {hop['status_code']} to {hop['url']}", *facts({"headers": _said(hop)["headers"]})]
    held = answer["linked_from"] or {"total": 0, "urls": []}
    lines += ["", f"linked from {held['total']} pages", *held["urls"]] if held["urls"] else []
    return lines


def _said(answer: Answer) -> Answer:
    """With its headers by name."""
    return answer | {"headers": {header["name"]: header["value"] for header in answer["headers"]}}


add_verbs(
    jobs_command,
    Verb(
        "list",
        "GET /v1/jobs",
        "List crawls, newest first.",
        _LIST,
        (
            click.option("--status", type=click.Choice(STATES), help="Only crawls in this state."),
            click.option("--range", metavar="N(d|h)", help="Only of the last days or hours, such as 7d."),
            click.option("--tz-offset", "tzOffset", type=int, help="Minutes that move the days of --range."),
            click.option("--include", default="progress", help="stats, progress, domain; with commas."),
            *paging(20, 100),
            _OFFSET,
        ),
    ),
    Verb("show", "GET /v1/jobs/<job_id>", "Show a crawl with its options, progress and warnings.", facts),
    Verb(
        "tasks",
        "GET /v1/jobs/<job_id>/tasks",
        "List the pages of a crawl.",
        _TASKS,
        (
            click.option("--status", type=click.Choice(TASK_STATES), help="Only pages in this state."),
            click.option("--cache", type=click.Choice(("hit", "miss")), help="Only what a cache had, or had not."),
            click.option("--path", help="Only where the path holds this."),
            click.option("--status-code", type=int, help="Only pages with this status code."),
            click.option("--sort", metavar="FIELD", help="Such as path or -response_time (slowest first)."),
            *paging(50, 200),
            _OFFSET,
        ),
    ),
    Verb(
        "task",
        "GET /v1/jobs/<job_id>/tasks/<task_id>",
        "Show a page of a crawl: its attempts with headers and phases, its redirects, who links to it.",
        _details,
    ),
    Verb("pause", "POST /v1/jobs/<job_id>/pause", "Fetch no more pages of a crawl.", _now),
    Verb("resume", "POST /v1/jobs/<job_id>/resume", "Let a paused crawl go on.", _now),
    Verb("cancel", "POST /v1/jobs/<job_id>/cancel", "Stop a crawl.", _now),
    Verb("delete", "DELETE /v1/jobs/<job_id>", "The same as cancel.", _now),
    Verb(
        "retry-failed",
        "POST /api/jobs/retry-failed",
        "Crawl the failed pages of a crawl again.",
        said("{retried} pages are crawled again"),
        (
            path_argument("job_id", "jobs"),
            click.option("--limit", type=click.IntRange(1, 10_000), default=1000, show_default=True),
        ),
        build=lambda given: {"jobId": given["job_id"], "limit": given["limit"]},
    ),
)
jobs_command.add_command(compare_command)
jobs_command.add_command(export_command)
