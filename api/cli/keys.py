"""`keys`: API keys, straight in the database."""

from typing import TYPE_CHECKING, Any

import click

from api.cli.processes import migrate
from api.cli.text import echo, echo_json, table
from shared.clock import SECOND, iso, now_us
from shared.errors import NotFound
from shared.models import ApiKey
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.store.engine import Store

SCOPES = ("read", "write", "admin")
DAY = 86_400 * SECOND

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def _store() -> "Store":
    from shared.store.engine import open_store

    return open_store(migrate(Settings.from_env()))


@click.group("keys")
def keys_command() -> None:
    """Create, list and revoke API keys."""


@keys_command.command("create")
@click.argument("name")
@click.option("--org", help="Organisation; default: the first one.")
@click.option("--scope", "scopes", type=click.Choice(SCOPES), multiple=True, help="Default: read and write.")
@click.option("--expires-in", type=click.IntRange(1), metavar="DAYS", help="Default: never.")
@_AS_JSON
def create(name: str, org: str | None, scopes: tuple[str, ...], expires_in: int | None, as_json: bool) -> None:
    """Create a key and show it, once."""
    from shared.store import keys

    expires_at = None if expires_in is None else now_us() + expires_in * DAY
    key, secret = keys.create(_store(), org, name, frozenset(scopes or ("read", "write")), expires_at)
    if as_json:
        echo_json({"data": _shown(key) | {"secret": secret}})
        return
    echo(secret)
    echo(f"key {key.id} ({', '.join(sorted(key.scopes))}): store it now, it is not shown again", err=True)


@keys_command.command("list")
@_AS_JSON
def list_keys(as_json: bool) -> None:
    """List all keys, without their secrets."""
    from shared.store import keys

    found = list(keys.list_all(_store()))
    if as_json:
        echo_json({"data": [_shown(key) for key in found]})
        return
    for line in key_lines(found):
        echo(line)


def _shown(key: ApiKey) -> dict[str, Any]:
    """In the manner of the `/api` family, which has no keys."""
    return {
        "id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "organisation": key.organisation,
        "scopes": sorted(key.scopes),
        "createdAt": iso(key.created_at),
        "lastUsedAt": iso(key.last_used_at),
        "expiresAt": iso(key.expires_at),
        "revokedAt": iso(key.revoked_at),
    }


def key_lines(found: list[ApiKey]) -> list[str]:
    """One line a key."""
    if not found:
        return ["No keys."]
    head = ["ID", "PREFIX", "NAME", "ORGANISATION", "SCOPES", "CREATED", "LAST USED", "STATE"]
    return table([head, *(_row(key) for key in found)], indent="")


def _row(key: ApiKey) -> list[object]:
    names = [key.id, key.prefix, key.name, key.organisation, ",".join(sorted(key.scopes))]
    return [*names, iso(key.created_at), iso(key.last_used_at), _state(key)]


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {iso(key.revoked_at)}"
    if key.expires_at is None:
        return "valid"
    return f"{'expired' if key.expires_at <= now_us() else 'valid until'} {iso(key.expires_at)}"


@keys_command.command("revoke")
@click.argument("id_or_prefix")
@_AS_JSON
def revoke(id_or_prefix: str, as_json: bool) -> None:
    """Make a key useless from now on."""
    from shared.store import keys

    if not keys.revoke(_store(), id_or_prefix):
        raise NotFound(f"no key {id_or_prefix}")
    if as_json:
        echo_json({"data": {"revoked": id_or_prefix}})
    else:
        echo(f"revoked {id_or_prefix}")
