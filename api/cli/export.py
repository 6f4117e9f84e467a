"""`jobs export`: the pages of a crawl as a file."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import click

from api.cli.text import csv_line, echo, echo_json, json_line
from api.cli.verbs import calls, path_argument
from shared.errors import CrawlyardError
from shared.settings import Settings

_TYPES = ("job", "broken-links", "broken-links-by-page", "slow-pages")
_CLEAN: dict[str, Callable[[str], str]] = {"csv": csv_line, "jsonl": json_line, "json": json_line}


@calls("GET /v1/jobs/<job_id>/export")
@click.command("export")
@path_argument("job_id", "jobs")
@click.option("--type", "which", type=click.Choice(_TYPES), default="job", show_default=True)
@click.option("--format", type=click.Choice(tuple(_CLEAN)), help="Default: csv. csv and jsonl have every row.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer: at most 10,000 rows.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, not to stdout.")
def export_command(job_id: str, which: str, format: str | None, as_json: bool, output: Path | None) -> None:
    """Export the pages of a crawl, its broken links, or its slow pages."""
    from api.cli.home import connect

    if as_json and format not in (None, "json"):
        raise click.UsageError("--json and --format say different things")
    client, path = connect(Settings.from_env()), f"/v1/jobs/{job_id}/export"
    if as_json and output is None:
        echo_json(client.get(path, type=which, format="json"))
        return
    wanted = "json" if as_json else format or "csv"
    lines = client.lines(path, type=which, format=wanted)
    if output is None:
        _copy(lines, sys.stdout.buffer, _CLEAN[wanted])
    else:
        _write(lines, output, _CLEAN[wanted])


def _write(lines: Iterable[bytes], output: Path, clean: Callable[[str], str]) -> None:
    try:
        with output.open("wb") as file:
            count = _copy(lines, file, clean)
    except OSError as error:
        raise CrawlyardError(f"cannot write {output}: {error.strerror}") from None
    echo(f"{count} lines written to {output}", err=True)


def _copy(lines: Iterable[bytes], file: BinaryIO, clean: Callable[[str], str]) -> int:
    count = 0
    for line in lines:
        file.write(clean(line.decode(errors="replace")).encode() + b"\n")
        count += 1
    file.flush()
    return count
