"""`/keys`: the API keys of the organisation, for its admins."""

from collections.abc import Mapping
from typing import Annotated, Literal

from flask import g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import Field

from api.context import Call
from api.dashboard import forms
from api.inputs import read_query
from api.schemas.common import Body, NoQuery, Text
from shared.clock import SECOND, now_us
from shared.errors import Invalid, NotFound
from shared.store import keys

_DAY = 86_400 * SECOND
_EMPTY = {"name": "", "days": ""}


class NewKey(Body):
    """A key to make."""

    name: Annotated[Text, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Literal["read", "write", "admin"]], Field(min_length=1, max_length=3)]
    days: Annotated[int, Field(ge=1, le=3650)] | None = None


def show(call: Call) -> ResponseReturnValue:
    """The keys, and a form for a new one."""
    read_query(request, NoQuery)
    return _page(call, _EMPTY, ["read", "write"], {}, 200)


def create(call: Call) -> ResponseReturnValue:
    """Makes a key of the same organisation and shows it, this once."""
    typed, scopes = forms.typed(request.form, _EMPTY), request.form.getlist("scopes")
    try:
        texts = typed | {"scopes": " ".join(scopes)}
        given = forms.read(NewKey, texts, frozenset({"days"}), frozenset({"scopes"}))
    except Invalid as error:
        return _page(call, typed, scopes, forms.wrong(error, "name"), 400)
    expires_at = now_us() + given.days * _DAY if given.days else None
    _, secret = keys.create(call.store, call.key.organisation, given.name, given.scopes, expires_at)
    return render_template("secret.html", what="API key", secret=secret, back="/keys")


def revoke(call: Call) -> ResponseReturnValue:
    """A key is worth nothing from now on. Raises NotFound for one that is not valid any more or not ours."""
    mine = {key.id for key in keys.of_organisation(call.store, call.organisation_id)}
    if call.path["id"] not in mine or not keys.revoke(call.store, call.path["id"]):
        raise NotFound("Key not found")
    return redirect("/keys", 303)


def _page(
    call: Call, form: Mapping[str, str], scopes: list[str], errors: Mapping[str, str], status: int
) -> tuple[str, int]:
    page = render_template(
        "keys.html",
        found=keys.of_organisation(call.store, call.organisation_id),
        own=g.visitor.key.id,
        now=now_us(),
        form=form,
        scopes=scopes,
        errors=errors,
    )
    return page, status
