"""`/webhooks`: who is told of events, and how that went."""

from collections.abc import Mapping
from typing import Any, cast, get_args

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from api import webhooks as handlers
from api.context import Answer, Call
from api.dashboard import forms, urls
from api.inputs import read_query
from api.schemas.common import Data, DataPage, NoBody, NoQuery, Paged
from api.schemas.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    DeliveryResult,
    EventType,
    ListDeliveries,
    WebhookResult,
    WebhookWithSecret,
    is_apprise,
)
from shared.errors import Conflict, Invalid

_EMPTY = {"url": "", "description": ""}
_EVENTS = get_args(EventType)
_FIRST = ("job.completed", "job.failed")


def show(call: Call) -> ResponseReturnValue:
    """The webhooks, and a form for a new one."""
    return _list(call, _EMPTY, _FIRST, {}, read_query(request, Paged), 200)


def create(call: Call) -> ResponseReturnValue:
    """Adds a webhook and shows its secret, this once."""
    typed, events = forms.typed(request.form, _EMPTY), request.form.getlist("events")
    kind = "apprise" if is_apprise(typed["url"].strip()) else "http"
    try:
        texts = typed | {"type": kind, "events": " ".join(events)}
        made = handlers.create_webhook(call, forms.read(CreateWebhook, texts, lists=frozenset({"events"})))
    except (Invalid, Conflict) as error:
        return _list(call, typed, events, forms.wrong(error, "url"), Paged(), error.http_status)
    return _secret(made)


def show_one(call: Call) -> ResponseReturnValue:
    """A webhook with its log."""
    emptied = urls.without_empty()
    if emptied:
        return emptied
    which = read_query(request, ListDeliveries)
    log = cast(DataPage[DeliveryResult], _body(handlers.list_deliveries(call, which)))
    hook = cast(Data[WebhookResult], _body(handlers.get_webhook(call, NoQuery()))).data
    return render_template("webhook.html", hook=hook, found=log.data, meta=log.meta, which=which)


def enable(call: Call) -> ResponseReturnValue:
    """Sends again."""
    return _switch(call, is_on=True)


def disable(call: Call) -> ResponseReturnValue:
    """Sends nothing more."""
    return _switch(call, is_on=False)


def _switch(call: Call, is_on: bool) -> ResponseReturnValue:
    handlers.change_webhook(call, ChangeWebhook(isActive=is_on))
    return _back(call)


def test(call: Call) -> ResponseReturnValue:
    """Sends an event of type `webhook.test`."""
    handlers.try_webhook(call, NoBody())
    return _back(call)


def rotate(call: Call) -> ResponseReturnValue:
    """Makes a new secret and shows it, this once."""
    return _secret(handlers.rotate_webhook(call, NoBody()))


def redeliver(call: Call) -> ResponseReturnValue:
    """Sends one again."""
    handlers.redeliver(call, NoBody())
    return _back(call)


def delete(call: Call) -> ResponseReturnValue:
    """Deletes a webhook with its log."""
    handlers.delete_webhook(call, NoQuery())
    return redirect("/webhooks", 303)


def _list(
    call: Call, form: Mapping[str, str], events: Any, errors: Mapping[str, str], which: Paged, status: int
) -> tuple[str, int]:
    found = cast(DataPage[WebhookResult], _body(handlers.list_webhooks(call, which)))
    page = render_template(
        "webhooks.html",
        found=found.data,
        meta=found.meta,
        form=form,
        events=_EVENTS,
        chosen=events,
        errors=errors,
    )
    return page, status


def _secret(answer: Answer) -> ResponseReturnValue:
    hook = cast(Data[WebhookWithSecret], answer.body).data
    if hook.secret is None:
        return redirect(f"/webhooks/{hook.id}", 303)
    return render_template("secret.html", what="webhook", secret=hook.secret, back=f"/webhooks/{hook.id}")


def _body(answer: Answer) -> Any:
    return answer.body


def _back(call: Call) -> ResponseReturnValue:
    return redirect(f"/webhooks/{call.path['id']}", 303)
