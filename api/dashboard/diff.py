"""A unified diff as two columns. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest

#: a page of more lines than this helps nobody
MOST_ROWS = 2000
_HUNK = re.compile(r"@@ -(\d{1,9})(?:,\d{1,9})? \+(\d{1,9})(?:,\d{1,9})? @@").match


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one side."""

    number: int
    text: str
    is_changed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """What stands beside each other; both None: lines are left out here."""

    before: Line | None
    after: Line | None


def side_by_side(unified: str) -> list[Row]:
    """The rows of a unified diff, at most MOST_ROWS."""
    return list(islice(_rows(unified), MOST_ROWS))


def _rows(unified: str) -> Iterator[Row]:
    old = new = 0
    gone: list[Line] = []
    come: list[Line] = []
    is_first, in_hunk = True, False
    for text in unified.splitlines():
        hunk = _HUNK(text)
        if hunk is None and not in_hunk and text.startswith(("--- ", "+++ ")):
            continue
        if hunk is None and text[:1] == "-":
            old += 1
            gone.append(Line(old, text[1:], is_changed=True))
            continue
        if hunk is None and text[:1] == "+":
            new += 1
            come.append(Line(new, text[1:], is_changed=True))
            continue
        yield from _paired(gone, come)
        gone, come = [], []
        if hunk is not None:
            if not is_first:
                yield Row(None, None)
            is_first, in_hunk = False, True
            old, new = int(hunk[1]) - 1, int(hunk[2]) - 1
        elif text[:1] == " ":
            old, new = old + 1, new + 1
            yield Row(Line(old, text[1:], False), Line(new, text[1:], False))
    yield from _paired(gone, come)


def _paired(gone: list[Line], come: list[Line]) -> Iterator[Row]:
    return (Row(before, after) for before, after in zip_longest(gone, come))
