"""Text for terminals and spreadsheets, from sources that may be hostile."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from shared.relay import CONTROLS, plain

#: characters to which a column is filled up: a site's longest URL would push the rest out of sight
_WIDEST = 60
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell(value: object) -> str:
    """A value for a CSV file that a spreadsheet will not run as a formula, without control characters."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    quoted = "'" if text.startswith(_FORMULA) else ""
    return quoted + plain(text.replace("\t", " "))


def echo(line: str = "", *, err: bool = False) -> None:
    """Writes one line without control characters."""
    click.echo(plain(line), err=err)


def echo_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """Writes one JSON document to stdout; ASCII only, so that it cannot steer a terminal."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=True))


def csv_line(line: str) -> str:
    """A line of the API's CSV as it is, without the control characters of crawled sites."""
    return plain(line) + ("\r" if line.endswith("\r") else "")


def json_line(line: str) -> str:
    """A line of JSON that says the same without control characters."""
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def table(rows: Sequence[Sequence[object]], indent: str = "  ", head: Sequence[str] = ()) -> list[str]:
    """Aligned columns: numbers to the right, text to the left; a cell over 60 characters moves its own row alone."""
    cells = [*([list(head)] if head else []), *([_show(value) for value in row] for row in rows)]
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*cells, strict=True)]
    numeric = [all(isinstance(v, int | float | None) for v in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in cells:
        aligned = [t.rjust(w) if n else t.ljust(w) for t, w, n in zip(row, widths, numeric, strict=True)]
        lines.append((indent + "  ".join(aligned)).rstrip())
    return lines


def _show(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else plain(str(value))


def size(count: float) -> str:
    """Bytes for people: 25.3 kB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def span(seconds: float) -> str:
    """Seconds for people: 1:02:03, 4:05, 0:07."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
