"""`/schedules`: recurring crawls."""

from collections.abc import Mapping
from typing import Any, cast

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from api import schedules as handlers
from api.context import Answer, Call
from api.dashboard import crawl_options, forms
from api.dashboard.recurring import EMPTY, form_of, rule_of
from api.inputs import read_query
from api.schemas.common import Data, DataPage, NoBody, NoQuery
from api.schemas.schedules import ChangeSchedule, CreateSchedule, ListSchedules, ScheduleResult
from shared import recurrence
from shared.clock import now_us
from shared.errors import Conflict, Forbidden, Invalid
from shared.recurrence import Recurrence
from shared.store import schedules

#: the form of a recurring crawl: when it runs, and what each crawl does
_FORM = EMPTY | dict(crawl_options.EMPTY)
_NUMBERS = frozenset({"intervalHours", "jitter"})
_SHOWN_RUNS = 5


def show(call: Call) -> ResponseReturnValue:
    """The recurring crawls, and a form for a new one. `domain` fills it in."""
    domain = request.args.get("domain", "")[:300]
    return _list(call, _FORM | {"domain": domain}, {}, [], 200)


def create(call: Call) -> ResponseReturnValue:
    """Makes a recurring crawl; `preview` only shows when it would run."""
    typed = forms.typed(request.form, _FORM)
    try:
        given = _read(CreateSchedule, typed, {"domain": typed["domain"]}, crawl_options.given(typed))
        if "preview" in request.form:
            return _list(call, typed, {}, _preview(given), 200)
        made = _one(handlers.create_schedule(call, given))
    except (Invalid, Conflict, Forbidden) as error:
        return _list(call, typed, crawl_options.wrong(error, "domain"), [], error.http_status)
    return redirect(f"/schedules/{made.id}", 303)


def show_one(call: Call) -> ResponseReturnValue:
    """One recurring crawl, with its next runs."""
    read_query(request, NoQuery)
    return _page(call, None, {}, 200)


def change(call: Call) -> ResponseReturnValue:
    """Changes when it runs, and what happens then."""
    typed = forms.typed(request.form, _FORM)
    try:
        # a page from before a rolling deploy has no options to choose from
        options = crawl_options.given(typed) if "max_pages" in request.form else None
        given = _read(ChangeSchedule, typed, {}, options)
        handlers.change_schedule(call, given, crawl_options.kept(typed))
    except (Invalid, Conflict, Forbidden) as error:
        return _page(call, typed, crawl_options.wrong(error, "every"), error.http_status)
    return _back(call)


def pause(call: Call) -> ResponseReturnValue:
    """No run starts any more."""
    handlers.change_schedule(call, ChangeSchedule(paused=True))
    return _back(call)


def resume(call: Call) -> ResponseReturnValue:
    """Runs start again."""
    handlers.change_schedule(call, ChangeSchedule(paused=False))
    return _back(call)


def run(call: Call) -> ResponseReturnValue:
    """Starts one crawl now, and shows it."""
    made = _one(handlers.run_schedule(call, NoBody()))
    return redirect(f"/jobs/{made.last_job_id}", 303) if made.last_job_id else _back(call)


def delete(call: Call) -> ResponseReturnValue:
    """Ends it."""
    handlers.delete_schedule(call, NoQuery())
    return redirect("/schedules", 303)


def _read(model: Any, typed: Mapping[str, str], more: Mapping[str, str], options: Mapping[str, Any] | None) -> Any:
    fields = {name: typed[name] for name in ("timezone", "overlap", "missed", "jitter")}
    return forms.read(model, {**fields, **rule_of(typed), **more}, _NUMBERS, nested={"options": options})


def _preview(given: CreateSchedule) -> list[str]:
    rule, now = Recurrence(given.cron, given.timezone, given.interval_hours), now_us()
    recurrence.check(rule, now)
    return recurrence.next_runs(rule, recurrence.first(rule, now), _SHOWN_RUNS)


def _list(
    call: Call, form: Mapping[str, str], errors: Mapping[str, str], preview: list[str], status: int
) -> tuple[str, int]:
    args = {name: value for name, value in request.args.items() if name in ("limit", "page", "domainId")}
    which = forms.query(ListSchedules, args)
    found = cast(DataPage[ScheduleResult], handlers.list_schedules(call, which).body)
    page = render_template(
        "schedules.html",
        found=found.data,
        meta=found.meta,
        form=form,
        errors=errors,
        preview=preview,
        zones=sorted(recurrence.zones()),
    )
    return page, status


def _page(call: Call, typed: Mapping[str, str] | None, errors: Mapping[str, str], status: int) -> tuple[str, int]:
    record = schedules.get(call.store, call.path["id"], call.organisation_id)
    found, options = handlers.schedule_result(record), handlers.crawl_options(record)
    page = render_template(
        "schedule.html",
        s=found,
        form=typed or form_of(found) | crawl_options.form_of(options),
        known=crawl_options.unseen(options),
        errors=errors,
        zones=sorted(recurrence.zones()),
    )
    return page, status


def _one(answer: Answer) -> ScheduleResult:
    return cast(Data[ScheduleResult], answer.body).data


def _back(call: Call) -> ResponseReturnValue:
    return redirect(f"/schedules/{call.path['id']}", 303)
