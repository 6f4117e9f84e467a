"""`changes` and `compare`: what differs between crawls."""

from typing import Any

import click

from api.cli.home import connect
from api.cli.text import echo, echo_json, table
from shared.settings import Settings

KINDS = ("added", "removed", "changed", "newly_broken", "fixed", "slower")
TYPES = ("new", "removed", "redirect", "status", "content", "title", "description", "canonical", "headings")


@click.group("changes")
def changes_command() -> None:
    """Show what changed on pages between crawls."""


@changes_command.command("list")
@click.option("--domain", help="Only of the domain with this id.")
@click.option("--page", "page_id", help="Only of the page with this id.")
@click.option("--since", help="Only since this moment (ISO 8601).")
@click.option("--type", "kind", type=click.Choice(TYPES), help="Only changes of this type.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
def list_command(
    domain: str | None, page_id: str | None, since: str | None, kind: str | None, limit: int, as_json: bool
) -> None:
    """List changes, newest first."""
    wanted = {"domainId": domain, "pageId": page_id, "since": since, "type": kind}
    params = {name: value for name, value in wanted.items() if value}
    answer = connect(Settings.from_env()).get("/api/changes", limit=limit, **params)
    if as_json:
        echo_json(answer)
        return
    for line in change_lines(answer["data"]):
        echo(line)


def change_lines(changes: list[dict[str, Any]]) -> list[str]:
    """One line a change: id, moment, types, URL."""
    if not changes:
        return ["No changes."]
    return table([[c["id"], c["createdAt"], ",".join(c["types"]), c["url"]] for c in changes], indent="")


@changes_command.command("show")
@click.argument("change")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
def show_command(change: str, as_json: bool) -> None:
    """Show one change with its diff."""
    answer = connect(Settings.from_env()).get(f"/api/changes/{change}")
    if as_json:
        echo_json(answer)
        return
    for line in detail_lines(answer["data"]):
        echo(line)


def detail_lines(change: dict[str, Any]) -> list[str]:
    """A change with its fields before and after, and its diff."""
    lines = [change["url"], f"{', '.join(change['types'])} at {change['createdAt']}"]
    for name in sorted({*change["before"], *change["after"]}):
        lines.append(f"{name}: {change['before'].get(name)} -> {change['after'].get(name)}")
    if change["similarity"] is not None:
        lines.append(f"similarity: {change['similarity']:.2%}")
    lines += (change["diff"] or "").splitlines()
    return [*lines, "(the diff was cut)"] if change["diffTruncated"] else lines


@click.command("compare")
@click.argument("job")
@click.option("--with", "other", help="The earlier crawl; default: the last completed one before it.")
@click.option("--kind", type=click.Choice(KINDS), help="Only pages that differ in this way.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
def compare_command(job: str, other: str | None, kind: str | None, limit: int, offset: int, as_json: bool) -> None:
    """Compare a crawl with an earlier one of its domain."""
    params = {name: value for name, value in (("with", other), ("kind", kind)) if value}
    answer = connect(Settings.from_env()).get(f"/v1/jobs/{job}/compare", limit=limit, offset=offset, **params)
    if as_json:
        echo_json(answer)
        return
    for line in comparison_lines(answer):
        echo(line)


def comparison_lines(answer: dict[str, Any]) -> list[str]:
    """The counts, then a line a page."""
    lines = table([[name.replace("_", " "), n] for name, n in answer["summary"].items()], indent="")
    pages = [[",".join(page["kinds"]), page["url"]] for page in answer["pages"]]
    more = answer["pagination"]["total"] - answer["pagination"]["offset"] - len(pages)
    return [*lines, *(["", *table(pages, indent="")] if pages else []), *([f"and {more} more"] if more > 0 else [])]
