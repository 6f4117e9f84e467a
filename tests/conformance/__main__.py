"""`make conformance`: the crawl against material that nobody here wrote, with counts."""

import sys

import click

from tests.conformance.fidelity import Comparison, compare
from tests.conformance.packages import PACKAGES, Missing

_SHOWN = 20


@click.command()
@click.option("--only", help="Name of one package.")
def main(only: str | None) -> None:
    """Crawls documentation sites from Debian packages and compares with their files."""
    click.echo(f"{'site':<20} {'pages':>7} {'broken':>7} {'seconds':>8}  differences")
    wrong = 0
    for package in PACKAGES:
        if only in (None, package.name):
            try:
                wrong += _show(compare(package))
            except Missing as error:
                click.echo(f"{package.name:<20} not to be had here: {error}")
                wrong += 1
    sys.exit(1 if wrong else 0)


def _show(found: Comparison) -> int:
    differences = len(found.differences)
    click.echo(f"{found.name:<20} {found.pages:>7} {found.broken:>7} {found.seconds:>8.1f}  {differences or 'none'}")
    for line in found.differences[:_SHOWN]:
        click.echo(f"    {line}")
    return differences


if __name__ == "__main__":
    main()
