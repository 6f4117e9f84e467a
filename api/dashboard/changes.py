"""`/changes`: what changed on pages, side by side."""

from typing import Any, cast

from flask import render_template, request
from flask.typing import ResponseReturnValue

from api import changes as handlers
from api.context import Call
from api.dashboard import diff, urls
from api.inputs import read_query
from api.lookup import domain, page
from api.schemas.changes import ChangeDetail, ChangeResult, ListChanges
from api.schemas.common import Data, DataPage, NoQuery
from shared.errors import Invalid

#: fields that are shown before and after, in this order
_FIELDS = ("status_code", "redirect", "title", "description", "canonical", "headings")


def show(call: Call) -> ResponseReturnValue:
    """Changes, with the API's filters."""
    return urls.without_empty() or _list(call)


def _list(call: Call) -> tuple[str, int]:
    errors: dict[str, str] = {}
    try:
        which = read_query(request, ListChanges)
    except Invalid as error:
        which, errors = ListChanges.model_validate({}), dict(error.details)
    found = cast(DataPage[ChangeResult], handlers.list_changes(call, which).body)
    html = render_template(
        "changes.html",
        found=found.data,
        meta=found.meta,
        which=which,
        errors=errors,
        domain=domain(call, which.domain_id).host if which.domain_id else None,
        page=page(call, which.page_id).url if which.page_id else None,
    )
    return html, 400 if errors else 200


def show_one(call: Call) -> ResponseReturnValue:
    """One change: what it was, what it is."""
    read_query(request, NoQuery)
    found = cast(Data[ChangeDetail], handlers.get_change(call, NoQuery()).body).data
    rows = diff.side_by_side(found.diff or "")
    return render_template("change.html", change=found, fields=_differing(found), rows=rows, most=diff.MOST_ROWS)


def _differing(change: ChangeDetail) -> list[tuple[str, Any, Any]]:
    pairs = [(name, getattr(change.before, name), getattr(change.after, name)) for name in _FIELDS]
    return [(name, _text(was), _text(now)) for name, was, now in pairs if was != now]


def _text(value: Any) -> Any:
    return "\n".join(value) if isinstance(value, list) else value
