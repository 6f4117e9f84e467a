"""`analytics`: page views of a domain from Google Analytics 4."""

import json
from typing import Any, TextIO

import click

from api.cli.client import Client
from api.cli.home import connect
from api.cli.text import echo, echo_json, table
from shared.errors import SettingsError
from shared.settings import Settings

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")


@click.group("analytics")
def analytics_command() -> None:
    """Connect a domain to Google Analytics 4, for page views."""


@analytics_command.command("set")
@click.argument("domain")
@click.option("--property", "property_id", required=True, help="The property's number.")
@click.option("--key", type=click.File(), required=True, help="JSON key file of the service account; - reads stdin.")
@_JSON
def set_analytics(domain: str, property_id: str, key: TextIO, as_json: bool) -> None:
    """Connect DOMAIN to a property, and ask for its page views."""
    try:
        account = json.load(key)
    except ValueError:
        raise SettingsError(f"{key.name} is not a JSON key file") from None
    client, path = _at(domain)
    _show(client.put(path, {"propertyId": property_id, "serviceAccount": account}), as_json)


@analytics_command.command("show")
@click.argument("domain")
@_JSON
def show(domain: str, as_json: bool) -> None:
    """Show how DOMAIN's page views stand."""
    client, path = _at(domain)
    _show(client.get(path), as_json)


@analytics_command.command("refresh")
@click.argument("domain")
@_JSON
def refresh(domain: str, as_json: bool) -> None:
    """Ask for DOMAIN's page views now."""
    client, path = _at(domain)
    _show(client.post(f"{path}/refresh"), as_json)


@analytics_command.command("remove")
@click.argument("domain")
def remove(domain: str) -> None:
    """Forget DOMAIN's key and figures."""
    client, path = _at(domain)
    client.delete(path)
    echo(f"removed the page views of {domain}")


def _at(domain: str) -> tuple[Client, str]:
    client = connect(Settings.from_env())
    return client, f"/api/domains/{client.domain_id(domain)}/analytics"


def _show(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        echo_json(answer)
        return
    for line in analytics_lines(answer["data"]):
        echo(line)


def analytics_lines(found: dict[str, Any]) -> list[str]:
    """One line a fact."""
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
