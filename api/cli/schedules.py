"""`schedules`: recurring crawls of a running system."""

import json
from collections.abc import Mapping
from typing import Any

import click

from api.cli.shapes import Answer, Column, listing
from api.cli.text import table
from api.cli.verbs import DefaultList, Given, Option, Verb, add_verbs, domain_option, paging, sent


@click.group("schedules", cls=DefaultList)
def schedules_command() -> None:
    """Crawl sites again and again."""


def when(schedule: dict[str, Any]) -> str:
    """The rule for people."""
    if schedule["cron"] is not None:
        return f"{schedule['cron']} ({schedule['timezone']})"
    return f"every {schedule['intervalHours']} h"


def _next(schedule: dict[str, Any]) -> str:
    return "paused" if schedule["paused"] else schedule["nextRuns"][0] if schedule["nextRuns"] else "-"


_COLUMNS: Mapping[str, Column] = {
    "ID": "id",
    "DOMAIN": "domain",
    "WHEN": when,
    "NEXT RUN": _next,
    "LAST RUN": "lastRunAt",
    "STATUS": "lastRunStatus",
}


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise click.UsageError("--options must be a JSON object")
    return found


def detail_lines(answer: Answer) -> list[str]:
    """All that is known of a schedule."""
    s = answer["data"]
    last = f"{s['lastRunStatus']} {s['lastRunAt']}" if s["lastRunAt"] else None
    job = f"{s['lastJobId']} ({s['lastJobStatus']})" if s["lastJobId"] else None
    policies = f"overlap {s['overlap']}, missed {s['missed']}, jitter {s['jitter']} s"
    rows = [
        ["id", s["id"]],
        ["domain", s["domain"]],
        ["when", when(s) + (", paused" if s["paused"] else "")],
        ["policies", policies],
        ["options", json.dumps(s["options"])],
        *[["next run" if n == 0 else "", text] for n, text in enumerate(s["nextRuns"])],
        ["last run", last],
        ["last job", job],
        ["last error", s["lastError"]],
    ]
    return table(rows, indent="")


def _body(given: Given) -> Given:
    crawl = _object(given.pop("options"))
    crawl |= sent({name: given.pop(name) for name in ("max_pages", "concurrency")})
    return {**given, **({"options": crawl} if crawl else {})}


_WHEN: tuple[Option, ...] = (
    click.option("--cron", help='Five fields, such as "30 6 * * MON-FRI".'),
    click.option("--every", "intervalHours", type=int, metavar="HOURS", help="Instead of --cron."),
    click.option("--timezone", help="IANA name, such as Europe/Berlin; default: UTC."),
    click.option("--overlap", help="When the last run still goes: skip (default), queue or cancel."),
    click.option("--missed", help="After an outage: one (default) or none."),
    click.option("--jitter", type=int, metavar="SECONDS", help="Start up to that late, by chance."),
    click.option("--paused", is_flag=True, default=None, help="Start no run until it is resumed."),
    click.option("--max-pages", type=int, help="Most pages of each crawl; 0: no limit."),
    click.option("--concurrency", type=int, help="Requests at the same time."),
    click.option("--options", metavar="JSON", help="Any options of a crawl, as in POST /v1/jobs."),
)
#: one line a schedule
schedule_lines = listing(_COLUMNS, "No schedules.")
_ONE = "/api/schedules/<id>"
add_verbs(
    schedules_command,
    Verb(
        "list",
        "GET /api/schedules",
        "List them, newest first.",
        schedule_lines,
        (domain_option, *paging(20, 100)),
    ),
    Verb(
        "create",
        "POST /api/schedules",
        "Crawl a domain again and again.",
        detail_lines,
        (click.argument("domain"), *_WHEN),
        build=_body,
    ),
    Verb("show", f"GET {_ONE}", "Show one, with its next five runs.", detail_lines),
    Verb("update", f"PATCH {_ONE}", "Change what is named; options as a whole.", detail_lines, _WHEN, build=_body),
    Verb("pause", f"PATCH {_ONE}", "Start no run until it is resumed.", detail_lines, fixed={"paused": True}),
    Verb("resume", f"PATCH {_ONE}", "Go on with the next run in the future.", detail_lines, fixed={"paused": False}),
    Verb("run", f"POST {_ONE}/run", "Start a crawl of it now.", detail_lines),
    Verb("delete", f"DELETE {_ONE}", "End it; its crawls stay.", detail_lines),
)
