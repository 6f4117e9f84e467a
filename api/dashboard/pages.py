"""`/pages/{id}`: one page across crawls."""

from typing import cast

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from api import changes, lookup
from api import domains as handlers
from api.context import Call
from api.dashboard import domains, forms
from api.inputs import read_query
from api.schemas.changes import ChangeResult, ListChanges
from api.schemas.common import Data, DataPage, NoBody, NoQuery, Paged
from api.schemas.domains import CreatePage
from api.schemas.queue_jobs import QueueJobDetail
from shared.errors import Conflict, Invalid
from shared.store import executions

_EMPTY = {"url": ""}
_SHOWN = 20


def create(call: Call) -> ResponseReturnValue:
    """Adds a page to the domain of the path."""
    typed = forms.typed(request.form, _EMPTY)
    try:
        handlers.create_page(call, forms.read(CreatePage, typed))
    except (Invalid, Conflict) as error:
        return domains.page(call, typed, forms.wrong(error, "url"), Paged(), error.http_status)
    return redirect(f"/domains/{call.path['id']}", 303)


def show(call: Call) -> ResponseReturnValue:
    """What is known of the page, and what changed on it."""
    read_query(request, NoQuery)
    page = lookup.page(call, call.path["id"])
    which = ListChanges.model_validate({"pageId": page.uid, "limit": str(_SHOWN)})
    found = cast(DataPage[ChangeResult], changes.list_changes(call, which).body)
    return render_template(
        "page.html",
        page=page,
        shown=handlers.page_result(page),
        newest=executions.newest_of_page(call.store, page.domain, page.url_hash),
        changes=found.data,
        total=found.meta.total,
    )


def crawl(call: Call) -> ResponseReturnValue:
    """Crawls the page now, and shows the task."""
    answer = handlers.crawl_page(call, NoBody())
    task = lookup.task(call, cast(Data[QueueJobDetail], answer.body).data.id)
    return redirect(f"/jobs/{task.job.uid}/tasks/{task.uid}", 303)
