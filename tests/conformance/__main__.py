"""`make conformance`: the crawler against material that nobody here wrote, and hosts made to hurt, with counts."""

import re
import sys
from collections.abc import Callable

import click

from tests.conformance import charsets, commons, links, redirects, robots, sitemaps, urls
from tests.conformance.cases import Result, Suite
from tests.conformance.fidelity import Comparison, compare
from tests.conformance.packages import PACKAGES, Missing
from tests.hostile.sites import Row, rows

_SHOWN = 20
#: another one in each run
_PORT = re.compile(r"(?<=127\.0\.0\.1):\d+")
_SUITES = (
    *robots.SUITES,
    *urls.SUITES,
    *sitemaps.SUITES,
    *links.SUITES,
    *charsets.SUITES,
    *redirects.SUITES,
)


@click.command()
@click.option("--only", help="Of the sections tables, hostile, sites; or the name of one site's package.")
@click.option("--crawler-commons", help="A checkout of crawler-commons, whose sitemaps no registry has.")
def main(only: str | None, crawler_commons: str | None) -> None:
    """Runs other projects' test cases, tries hostile hosts, and crawls documentation sites from Debian packages."""
    suites = (*_SUITES, *(commons.suites(crawler_commons) if crawler_commons else ()))
    sections: dict[str, Callable[[], int]] = {
        "tables": lambda: _tables(suites),
        "hostile": _hostile,
        "sites": lambda: _sites(None),
    }
    wanted = list(sections.values()) if only is None else [sections.get(only, lambda: _sites(only))]
    sys.exit(1 if sum(section() for section in wanted) else 0)


def _tables(suites: tuple[Suite, ...]) -> int:
    click.echo("\n| suite | source | cases | pass | fail | left out |\n| --- | --- | --- | --- | --- | --- |")
    wrong, results = 0, []
    for suite in suites:
        try:
            results.append(Result(suite, tuple(suite.cases())))
        except Missing as error:
            click.echo(f"| {suite.name} | not to be had here: {error} | | | | |")
            wrong += 1
        else:
            result = results[-1]
            counts = (len(result.cases) - result.count(None), *map(result.count, (True, False, None)))
            click.echo(f"| {suite.name} | {suite.source} | {' | '.join(f'{n:,}' for n in counts)} |")
    return wrong + sum(_reasons(result) for result in results)


def _reasons(result: Result) -> int:
    """Says why cases fail or are left out; how many fail without a reason, or have one and pass."""
    for kind, reasons in (("fail", result.named), ("left out", result.left_out)):
        if reasons:
            click.echo(f"\n{result.suite.name}, {kind}:")
        for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
            click.echo(f"- {count}: {reason}")
    for case in result.unnamed[:_SHOWN]:
        click.echo(f"    FAILED {case.name} {case.detail[:300]}")
    for name in result.stale:
        click.echo(f"    PASSES NOW {name}")
    return len(result.unnamed) + len(result.stale)


def _hostile() -> int:
    click.echo("\n| kind | trap | what the task says | s | CPU s | MB |\n| --- | --- | --- | --- | --- | --- |")
    return sum(_show_row(row) for row in rows())


def _show_row(row: Row) -> int:
    cost = row.cost
    said = _PORT.sub("", cost.error or f"completed, {cost.found} found").replace("|", "/")
    click.echo(f"| {cost.kind} | {cost.name} | {said[:100]} | {cost.wall:.2f} | {cost.cpu:.2f} | {cost.memory} |")
    if row.wrong:
        click.echo(f"    WRONG: {row.wrong}")
    return 1 if row.wrong else 0


def _sites(only: str | None) -> int:
    click.echo("\n| site | pages | broken links | seconds | differences |\n| --- | --- | --- | --- | --- |")
    wrong = 0
    for package in PACKAGES:
        if only in (None, package.name):
            try:
                wrong += _show(compare(package))
            except Missing as error:
                click.echo(f"| {package.name} | not to be had here: {error} | | | |")
                wrong += 1
    return wrong


def _show(found: Comparison) -> int:
    differences = len(found.differences)
    click.echo(f"| {found.name} | {found.pages:,} | {found.broken:,} | {found.seconds:.0f} | {differences or 'none'} |")
    for line in found.differences[:_SHOWN]:
        click.echo(f"    {line}")
    return differences


if __name__ == "__main__":
    main()
