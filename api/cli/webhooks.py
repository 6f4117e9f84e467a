"""`webhooks`: who is told what happens in a running system."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from api.cli.client import ApiError, Client
from api.cli.home import connect
from api.cli.text import echo, echo_json, table
from shared.relay import plain
from shared.settings import Settings

TYPES = ("job.cancelled", "job.completed", "job.failed", "page.changed", "schedule.missed")

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
_ID = click.argument("webhook_id", metavar="ID")
_LIMIT = click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)


@click.group("webhooks")
def webhooks_command() -> None:
    """Tell others when a crawl ends or a page has changed."""


@contextmanager
def running() -> Iterator[Client]:
    """The running system. What it calls invalid is bad usage, exit status 2."""
    try:
        yield connect(Settings.from_env())
    except ApiError as error:
        if error.status == 400:
            raise click.UsageError(plain(error.message)) from None
        raise


@webhooks_command.command("list")
@_LIMIT
@_AS_JSON
def list_webhooks(limit: int, as_json: bool) -> None:
    """List them, newest first."""
    with running() as api:
        answer = api.get("/api/webhooks", limit=limit)
    _show(answer, webhook_lines(answer["data"]), as_json)


def webhook_lines(found: list[dict[str, Any]]) -> list[str]:
    """One line a webhook."""
    if not found:
        return ["No webhooks."]
    head = ["ID", "URL", "EVENTS", "STATE"]
    return table([head, *([w["id"], w["url"], ",".join(w["events"]), _state(w)] for w in found)], indent="")


def _state(webhook: dict[str, Any]) -> str:
    if not webhook["isActive"]:
        return f"off: {webhook['disabledReason']}"
    return f"failing since {webhook['failingSince']}" if webhook["failingSince"] else "on"


@webhooks_command.command("create")
@click.argument("url")
@click.option("--event", "events", type=click.Choice(TYPES), multiple=True, help="Default: the three ends of a job.")
@click.option("--description", default="", help="For people.")
@click.option("--apprise", is_flag=True, help="URL is an Apprise URL: e-mail and chat.")
@_AS_JSON
def create(url: str, events: tuple[str, ...], description: str, apprise: bool, as_json: bool) -> None:
    """Add a webhook and show its secret, once."""
    wanted = list(dict.fromkeys(events)) or [name for name in TYPES if name.startswith("job.")]
    body = {"type": "apprise" if apprise else "http", "url": url, "events": wanted, "description": description}
    with running() as api:
        answer = api.post("/api/webhooks", body)
    _show_secret(answer, as_json)


def _show_secret(answer: dict[str, Any], as_json: bool) -> None:
    made = answer["data"]
    _show(answer, [made["secret"] or made["id"]], as_json)
    if made["secret"] and not as_json:
        echo(f"webhook {made['id']}: store the secret now, it is not shown again", err=True)


@webhooks_command.command("rotate")
@_ID
@_AS_JSON
def rotate(webhook_id: str, as_json: bool) -> None:
    """Make a new secret; the old one signs too for 24 hours."""
    with running() as api:
        answer = api.post(f"/api/webhooks/{webhook_id}/rotate")
    _show_secret(answer, as_json)


@webhooks_command.command("deliveries")
@_ID
@click.option("--status", type=click.Choice(("pending", "delivered", "failed")), help="Only these.")
@_LIMIT
@_AS_JSON
def deliveries(webhook_id: str, status: str | None, limit: int, as_json: bool) -> None:
    """List what was sent, newest first."""
    params: dict[str, str | int] = {"limit": limit} | ({"status": status} if status else {})
    with running() as api:
        answer = api.get(f"/api/webhooks/{webhook_id}/deliveries", **params)
    _show(answer, delivery_lines(answer["data"]), as_json)


def delivery_lines(found: list[dict[str, Any]]) -> list[str]:
    """One line a delivery."""
    if not found:
        return ["No deliveries."]
    head = ["ID", "EVENT", "STATUS", "ATTEMPTS", "CODE", "NEXT ATTEMPT", "ERROR"]
    rows = [
        [d["id"], d["eventType"], d["status"], str(d["attempts"]), d["statusCode"], d["nextAttemptAt"], d["error"]]
        for d in found
    ]
    return table([head, *rows], indent="")


@webhooks_command.command("redeliver")
@_ID
@click.argument("delivery_id", metavar="DELIVERY")
@_AS_JSON
def redeliver(webhook_id: str, delivery_id: str, as_json: bool) -> None:
    """Send a delivery once more, under the same `webhook-id`."""
    with running() as api:
        answer = api.post(f"/api/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver")
    _show(answer, delivery_lines([answer["data"]]), as_json)


def _verb(name: str, call: Callable[[Client, str], dict[str, Any]], help_text: str, told: str) -> None:
    """Adds a command that asks one thing of one webhook."""

    @webhooks_command.command(name, help=help_text)
    @_ID
    @_AS_JSON
    def command(webhook_id: str, as_json: bool) -> None:
        with running() as api:
            answer = call(api, f"/api/webhooks/{webhook_id}")
        _show(answer, [told.format(answer["data"]["id"])], as_json)


_verb("test", lambda api, path: api.post(f"{path}/test"), "Send it an event of type webhook.test.", "delivery {} is on")
_verb("pause", lambda api, path: api.patch(path, {"isActive": False}), "Send it nothing more.", "{} is off")
_verb("resume", lambda api, path: api.patch(path, {"isActive": True}), "Send again, after a pause or 410.", "{} is on")
_verb("delete", lambda api, path: api.delete(path), "Delete it with its log.", "{} is deleted")


def _show(answer: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        echo_json(answer)
        return
    for line in lines:
        echo(line)
