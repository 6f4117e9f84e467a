"""`analytics`: page views of a domain from Google Analytics 4."""

import json
from typing import Any

import click

from api.cli.shapes import Answer, said
from api.cli.text import table
from api.cli.verbs import Given, Verb, add_verbs
from shared.errors import SettingsError


@click.group("analytics")
def analytics_command() -> None:
    """Connect a domain to Google Analytics 4, for page views."""


def _account(given: Given) -> Given:
    key = given.pop("key")
    try:
        return {**given, "serviceAccount": json.load(key)}
    except ValueError:
        raise SettingsError(f"{key.name} is not a JSON key file") from None


def analytics_lines(answer: Answer) -> list[str]:
    """One line a fact."""
    found: dict[str, Any] = answer["data"]
    rows = [
        ["property", found["propertyId"]],
        ["account", found["clientEmail"]],
        ["state", f"{found['state']}: {found['error']}" if found["error"] else found["state"]],
        ["pages", str(found["pages"])],
        ["refreshed", found["refreshedAt"]],
        ["next", found["nextRefreshAt"]],
    ]
    left = [[q["name"], f"{q['remaining']} left"] for q in found["quota"]]
    return table(rows + left, indent="")


_AT = "/api/domains/<id>/analytics"
add_verbs(
    analytics_command,
    Verb(
        "set",
        f"PUT {_AT}",
        "Connect a domain to a property, and ask for its page views.",
        analytics_lines,
        (
            click.option("--property", "propertyId", required=True, help="The property's number."),
            click.option(
                "--key", type=click.File(), required=True, help="JSON key file of the service account; - reads stdin."
            ),
        ),
        build=_account,
    ),
    Verb("show", f"GET {_AT}", "Show how a domain's page views stand.", analytics_lines),
    Verb("refresh", f"POST {_AT}/refresh", "Ask for a domain's page views now.", analytics_lines),
    Verb("remove", f"DELETE {_AT}", "Forget a domain's key and figures.", said("removed the page views of {domainId}")),
)
