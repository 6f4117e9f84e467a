"""`schedules`: recurring crawls of a running system."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from api.cli.client import ApiError, Client
from api.cli.home import connect
from api.cli.text import echo, echo_json, table
from shared.relay import plain
from shared.settings import Settings

_PAGE = 100
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")


@click.group("schedules")
def schedules_command() -> None:
    """Crawl sites again and again."""


@contextmanager
def _api() -> Iterator[Client]:
    """The running system. What it calls invalid is bad usage, exit status 2."""
    try:
        yield connect(Settings.from_env())
    except ApiError as error:
        if error.status == 400:
            raise click.UsageError(plain(error.message)) from None
        raise


@schedules_command.command("list")
@_AS_JSON
def list_schedules(as_json: bool) -> None:
    """List all, newest first."""
    with _api() as api:
        found = list(_all(api))
    if as_json:
        echo_json({"data": found})
        return
    for line in schedule_lines(found):
        echo(line)


def _all(api: Client) -> Iterator[dict[str, Any]]:
    page, more = 1, True
    while more:
        answer = api.get("/api/schedules", limit=_PAGE, page=page)
        yield from answer["data"]
        more = page * _PAGE < answer["meta"]["total"]
        page += 1


def schedule_lines(found: list[dict[str, Any]]) -> list[str]:
    """One line a schedule."""
    if not found:
        return ["No schedules."]
    head = ["ID", "DOMAIN", "WHEN", "NEXT RUN", "LAST RUN", "STATUS"]
    rows = [[s["id"], s["domain"], when(s), _next(s), s["lastRunAt"], s["lastRunStatus"]] for s in found]
    return table([head, *rows], indent="")


def when(schedule: dict[str, Any]) -> str:
    """The rule for people."""
    if schedule["cron"] is not None:
        return f"{schedule['cron']} ({schedule['timezone']})"
    return f"every {schedule['intervalHours']} h"


def _next(schedule: dict[str, Any]) -> str:
    return "paused" if schedule["paused"] else schedule["nextRuns"][0] if schedule["nextRuns"] else "-"


@schedules_command.command("create")
@click.argument("domain")
@click.option("--cron", help='Five fields, such as "30 6 * * MON-FRI".')
@click.option("--every", type=int, metavar="HOURS", help="Instead of --cron.")
@click.option("--timezone", help="IANA name, such as Europe/Berlin; default: UTC.")
@click.option("--overlap", help="When the last run still goes: skip (default), queue or cancel.")
@click.option("--missed", help="After an outage: one (default) or none.")
@click.option("--jitter", type=int, metavar="SECONDS", help="Start up to that late, by chance.")
@click.option("--paused", is_flag=True, default=None, help="Create it without starting it.")
@click.option("--max-pages", type=int, help="Most pages of each crawl; 0: no limit.")
@click.option("--concurrency", type=int, help="Requests at the same time.")
@click.option("--options", metavar="JSON", help="Any options of a crawl, as in POST /v1/jobs.")
@_AS_JSON
def create(domain: str, options: str | None, as_json: bool, **given: Any) -> None:
    """Crawl a domain again and again."""
    crawl = _object(options) | _sent(given, {"max_pages": "max_pages", "concurrency": "concurrency"})
    names = {name: name for name in ("cron", "timezone", "overlap", "missed", "jitter", "paused")}
    body = {"domain": domain, "options": crawl} | _sent(given, names | {"every": "intervalHours"})
    with _api() as api:
        _tell(api.post("/api/schedules", body), as_json)


def _sent(given: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {theirs: given[ours] for ours, theirs in names.items() if given[ours] is not None}


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise click.UsageError("--options must be a JSON object")
    return found


def _verb(name: str, call: Callable[[Client, str], dict[str, Any]], help_text: str) -> None:
    """Adds a command that asks one thing of one schedule."""

    @schedules_command.command(name, help=help_text)
    @click.argument("schedule_id", metavar="ID")
    @_AS_JSON
    def command(schedule_id: str, as_json: bool) -> None:
        with _api() as api:
            _tell(call(api, f"/api/schedules/{schedule_id}"), as_json)


_verb("show", lambda api, path: api.get(path), "Show one, with its next five runs.")
_verb("pause", lambda api, path: api.patch(path, {"paused": True}), "Start no run until it is resumed.")
_verb("resume", lambda api, path: api.patch(path, {"paused": False}), "Go on with the next run in the future.")
_verb("run", lambda api, path: api.post(f"{path}/run"), "Start a crawl of it now.")
_verb("delete", lambda api, path: api.delete(path), "End it; its crawls stay.")


def _tell(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        echo_json(answer)
        return
    for line in detail_lines(answer["data"]):
        echo(line)


def detail_lines(s: dict[str, Any]) -> list[str]:
    """All that is known of a schedule."""
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
