"""`changes` and `compare`: what differs between crawls."""

from typing import Any

import click

from api.cli.shapes import Answer, facts, listing
from api.cli.text import table
from api.cli.verbs import Verb, add_verbs, command_of, domain_option, paging

KINDS = ("added", "removed", "changed", "newly_broken", "fixed", "slower")
TYPES = ("new", "removed", "redirect", "status", "content", "title", "description", "canonical", "headings")
_COLUMNS = {"ID": "id", "AT": "createdAt", "TYPES": "types", "URL": "url"}


@click.group("changes")
def changes_command() -> None:
    """Show what changed on pages between crawls."""


def detail_lines(answer: Answer) -> list[str]:
    """A change with its fields before and after, and its diff."""
    change = answer["data"]
    lines = [change["url"], f"{', '.join(change['types'])} at {change['createdAt']}"]
    for name in sorted({*change["before"], *change["after"]}):
        lines.append(f"{name}: {change['before'].get(name)} -> {change['after'].get(name)}")
    if change["similarity"] is not None:
        lines.append(f"similarity: {change['similarity']:.2%}")
    lines += (change["diff"] or "").splitlines()
    return [*lines, "(the diff was cut)"] if change["diffTruncated"] else lines


def _many(option: str, name: str, what: str) -> Any:
    return click.option(option, name, multiple=True, help=f"{what}; may be repeated.")


def _flag(option: str, name: str, what: str) -> Any:
    return click.option(option, name, default=None, help=what)


add_verbs(
    changes_command,
    Verb(
        "list",
        "GET /api/changes",
        "List changes, newest first.",
        listing(_COLUMNS, "No changes."),
        (
            domain_option,
            click.option("--page-id", "pageId", metavar="PAGE", help="Only of the page with this id."),
            click.option("--since", help="Only since this moment (ISO 8601)."),
            click.option("--type", "type", type=click.Choice(TYPES), help="Only changes of this type."),
            *paging(20, 100),
        ),
    ),
    Verb("show", "GET /api/changes/<id>", "Show one change with its diff.", detail_lines),
    Verb("settings", "GET /api/domains/<id>/changes-settings", "Show what counts as a change of a domain.", facts),
    Verb(
        "configure",
        "PUT /api/domains/<id>/changes-settings",
        "Say what counts as a change of a domain; what is not named gets its default.",
        facts,
        (
            _many("--include-selector", "includeSelectors", "Compare only what this CSS selector finds"),
            _many("--drop-selector", "dropSelectors", "Leave out what this CSS selector finds"),
            _many("--ignore", "ignorePatterns", "Leave out what this RE2 expression matches, line by line"),
            _flag("--ignore-clocks/--see-clocks", "ignoreClocks", "Times with seconds, timestamps; default: ignored."),
            _flag("--ignore-tokens/--see-tokens", "ignoreTokens", "UUIDs and long random words; default: ignored."),
            _flag("--ignore-dates/--see-dates", "ignoreDates", "Dates and times of day; default: seen."),
            _flag("--ignore-numbers/--see-numbers", "ignoreNumbers", "All numbers; default: seen."),
            click.option("--min-change", "minChange", type=float, help="Share of the text that must differ, 0 to 1."),
        ),
    ),
)


def comparison_lines(answer: Answer) -> list[str]:
    """The counts, then a line a page."""
    lines = table([[name.replace("_", " "), n] for name, n in answer["summary"].items()], indent="")
    pages = [[",".join(page["kinds"]), page["url"]] for page in answer["pages"]]
    more = answer["pagination"]["total"] - answer["pagination"]["offset"] - len(pages)
    return [*lines, *(["", *table(pages, indent="")] if pages else []), *([f"and {more} more"] if more > 0 else [])]


compare_command = command_of(
    Verb(
        "compare",
        "GET /v1/jobs/<job_id>/compare",
        "Compare a crawl with an earlier one of its domain.",
        comparison_lines,
        (
            click.option("--with", "with", metavar="JOB", help="Default: the last completed crawl before it."),
            click.option("--kind", type=click.Choice(KINDS), help="Only pages that differ in this way."),
            click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True),
            click.option("--offset", type=click.IntRange(0), default=0, show_default=True),
        ),
    )
)
