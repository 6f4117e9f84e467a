"""Links that keep the filters of the page that they stand on."""

from urllib.parse import urlencode

from flask import redirect, request
from werkzeug.wrappers import Response


def here(**changes: str | int | None) -> str:
    """This page's URL with some query parameters changed, or left out (None)."""
    return _url({name: value for name, value in (request.args.to_dict() | changes).items() if value is not None})


def without_empty() -> Response | None:
    """A redirect to the same filters without a form's empty fields, so that what is shared is short."""
    kept = {name: value for name, value in request.args.items(multi=True) if value.strip()}
    return redirect(_url(kept), 303) if len(kept) < len(request.args) else None


def _url(query: dict[str, str | int] | dict[str, str]) -> str:
    return f"{request.path}?{urlencode(query)}" if query else request.path


def next_sort(current: str, field: str) -> str:
    """What a click on a column's head sorts by."""
    return f"-{field}" if current == field else field


def direction(current: str, field: str) -> str | None:
    """`aria-sort` of a column."""
    if current.removeprefix("-") != field:
        return None
    return "descending" if current.startswith("-") else "ascending"
