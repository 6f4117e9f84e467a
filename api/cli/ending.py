"""How `crawl`, `watch` and `report` end: the summary, files, and what a pipeline is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from api.cli.client import Client
from api.cli.conditions import Condition, Found, fail_on_option, judge
from api.cli.summary import collect, render, write_csv
from api.cli.text import echo, echo_json

_FILE = click.Path(dir_okay=False, path_type=Path)
#: as decorators, in the order of `--help`
ending_options = (
    click.option("--csv", type=_FILE, metavar="FILE", help="Write all pages to a file."),
    click.option("--html", type=_FILE, metavar="FILE", help="Write a report for people: one file, complete in itself."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, all else on stderr."),
    fail_on_option,
)


@dataclass(frozen=True, slots=True)
class Ending:
    """What is to become of an ended crawl; fields as the options."""

    csv: Path | None = None
    html: Path | None = None
    as_json: bool = False
    fail_on: tuple[Condition, ...] = ()


def conclude(client: Client, job: dict[str, Any], ending: Ending) -> int:
    """Shows and writes what was found; exit status 0, or 3 where a condition of `--fail-on` holds.

    Raises as Client does, CrawlyardError where a file cannot be written.
    """
    report = collect(client, job)
    if ending.as_json:
        echo_json(report.document())
    else:
        for line in render(report):
            echo(line)
    if ending.csv is not None:
        count = write_csv(ending.csv, client.all_tasks(job["id"]))
        echo(f"{count} pages written to {ending.csv}", err=ending.as_json)
    if ending.html is not None:
        from api.cli.html import write_html

        write_html(client, job, ending.html)
        echo(f"report written to {ending.html}", err=ending.as_json)
    return judge(Found(client, job, report.summary), ending.fail_on)


def blame(job: dict[str, Any]) -> int:
    """The exit status of a crawl by how it ended: 0 completed, else 1 with the reason on stderr."""
    if job["status"] == "completed":
        return 0
    echo(f"crawlyard: the crawl {job['status']}: {job.get('error') or 'no reason given'}", err=True)
    return 1
