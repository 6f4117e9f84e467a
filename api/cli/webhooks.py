"""`webhooks`: who is told what happens in a running system."""

from collections.abc import Mapping
from typing import Any

import click

from api.cli.shapes import Answer, Column, facts, listing, said
from api.cli.verbs import DefaultList, Given, Verb, add_verbs, paging

TYPES = ("job.cancelled", "job.completed", "job.failed", "page.changed", "schedule.missed")
STATES = ("pending", "delivered", "failed")


@click.group("webhooks", cls=DefaultList)
def webhooks_command() -> None:
    """Tell others when a crawl ends or a page has changed."""


def _state(webhook: dict[str, Any]) -> str:
    if not webhook["isActive"]:
        return f"off: {webhook['disabledReason']}"
    return f"failing since {webhook['failingSince']}" if webhook["failingSince"] else "on"


_COLUMNS: Mapping[str, Column] = {"ID": "id", "URL": "url", "EVENTS": "events", "STATE": _state}
_DELIVERIES = {
    "ID": "id",
    "EVENT": "eventType",
    "STATUS": "status",
    "ATTEMPTS": "attempts",
    "CODE": "statusCode",
    "NEXT ATTEMPT": "nextAttemptAt",
    "ERROR": "error",
}


def _body(given: Given) -> Given:
    events = list(dict.fromkeys(given.pop("events"))) or [name for name in TYPES if name.startswith("job.")]
    return {"type": "apprise" if given.pop("apprise") else "http", **given, "events": events}


def _difference(given: Given) -> Given:
    return {**given, "events": list(dict.fromkeys(given["events"])) or None}


def _secret(answer: Answer) -> list[str]:
    return [answer["data"]["secret"] or answer["data"]["id"]]


def _keep(answer: Answer) -> list[str]:
    made = answer["data"]
    return [f"webhook {made['id']}: store the secret now, it is not shown again"] if made["secret"] else []


_DESCRIPTION = click.option("--description", help="For people.")
_ONE = "/api/webhooks/<id>"
_ONCE = said("delivery {id} is {status}")
add_verbs(
    webhooks_command,
    Verb("list", "GET /api/webhooks", "List them, newest first.", listing(_COLUMNS, "No webhooks."), paging(20, 100)),
    Verb(
        "create",
        "POST /api/webhooks",
        "Add a webhook and show its secret, once.",
        _secret,
        (
            click.argument("url"),
            click.option(
                "--event", "events", type=click.Choice(TYPES), multiple=True, help="Default: the three ends of a job."
            ),
            _DESCRIPTION,
            click.option("--apprise", is_flag=True, help="URL is an Apprise URL: e-mail and chat."),
        ),
        build=_body,
        note=_keep,
    ),
    Verb("show", f"GET {_ONE}", "Show one.", facts),
    Verb(
        "update",
        f"PATCH {_ONE}",
        "Change what is named.",
        facts,
        (
            click.option("--url"),
            click.option("--event", "events", type=click.Choice(TYPES), multiple=True, help="Instead of all before."),
            _DESCRIPTION,
        ),
        build=_difference,
    ),
    Verb("pause", f"PATCH {_ONE}", "Send it nothing more.", said("{id} is off"), fixed={"isActive": False}),
    Verb("resume", f"PATCH {_ONE}", "Send again, after a pause or 410.", said("{id} is on"), fixed={"isActive": True}),
    Verb("delete", f"DELETE {_ONE}", "Delete it with its log.", said("{id} is deleted")),
    Verb("rotate", f"POST {_ONE}/rotate", "Make a new secret; the old one signs for 24 hours.", _secret, note=_keep),
    Verb("test", f"POST {_ONE}/test", "Send it an event of type webhook.test.", _ONCE),
    Verb(
        "deliveries",
        f"GET {_ONE}/deliveries",
        "List what was sent, newest first.",
        listing(_DELIVERIES, "No deliveries."),
        (click.option("--status", type=click.Choice(STATES), help="Only these."), *paging(20, 100)),
    ),
    Verb(
        "redeliver",
        f"POST {_ONE}/deliveries/<delivery_id>/redeliver",
        "Send a delivery once more, under the same `webhook-id`.",
        _ONCE,
    ),
)
