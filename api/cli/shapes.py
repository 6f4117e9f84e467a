"""Answers of the API as lines for people: lists as tables, single things as facts."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from api.cli.text import table

#: a field's name, with dots into objects, or what makes a cell of a row
Column = str | Callable[[dict[str, Any]], object]
Answer = dict[str, Any]


def listing(columns: Mapping[str, Column], none: str, key: str = "data") -> Callable[[Answer], list[str]]:
    """Makes lines of a list: a table with a head, and how many more there are; `none`: said of an empty one."""

    def lines(answer: Answer) -> list[str]:
        rows = [[_cell(row, column) for column in columns.values()] for row in answer[key]]
        return [*table(rows, indent="", head=list(columns)), *_more(answer, len(rows))] if rows else [none]

    return lines


def facts(answer: Answer) -> list[str]:
    """One line a field, `data` and other objects unfolded."""
    return table(list(_unfold(answer.get("data", answer))), indent="")


def said(text: str) -> Callable[[Answer], list[str]]:
    """Makes one line of an answer's `data`, or of the answer: `text` with fields in braces."""
    return lambda answer: [text.format_map(answer.get("data", answer))]


def _cell(row: dict[str, Any], column: Column) -> object:
    if callable(column):
        return column(row)
    value: Any = row
    for name in column.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _unfold(thing: Mapping[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in thing.items():
        if isinstance(value, dict) and value:
            found += _unfold(value, f"{prefix}{name}.")
        else:
            found.append((prefix + name, _flat(value)))
    return found


def _flat(value: object) -> object:
    """What fits on a line, its numbers to the left like the texts around them."""
    if isinstance(value, list):
        return ", ".join(item if isinstance(item, str) else json.dumps(item) for item in value) or None
    if isinstance(value, dict):
        return None
    return value if value is None or isinstance(value, bool) else str(value)


def _more(answer: Answer, shown: int) -> Sequence[str]:
    pages = answer.get("meta") or answer.get("pagination") or {}
    total = pages.get("total") or answer.get("total_results") or shown
    return [f"{shown} of {total}; see --limit and --page"] if total > shown else []
