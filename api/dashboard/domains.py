"""`/domains`: the hosts of the organisation, and what is known of each."""

from collections.abc import Mapping
from typing import Any, cast

import orjson
from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from api import analytics, changes, jobs, lookup
from api import domains as handlers
from api.context import Answer, Call
from api.dashboard import change_settings, forms
from api.inputs import read_query
from api.schemas.analytics import AnalyticsResult, SetAnalytics
from api.schemas.changes import ChangeSettingsResult, PutChangeSettings
from api.schemas.common import Data, DataPage, NoBody, NoQuery, Paged
from api.schemas.domains import CreateDomain, DomainCreated, DomainResult, PageResult
from api.schemas.jobs import JobResult
from api.schemas.options import Options
from api.schemas.queue_jobs import QueueJobDetail
from shared.errors import Conflict, Invalid, NotFound
from shared.models import Domain, Job
from shared.states import JobMode
from shared.store import jobs as jobs_store
from shared.store import progress

_EMPTY = {"domain": ""}
_SHOWN_CRAWLS = 10
_ANALYTICS = {"propertyId": "", "serviceAccount": ""}


def show(call: Call) -> ResponseReturnValue:
    """The domains, and a form for a new one."""
    return _list(call, _EMPTY, {}, read_query(request, Paged), 200)


def create(call: Call) -> ResponseReturnValue:
    """Adds a domain, whose pages are looked for at once."""
    typed = forms.typed(request.form, _EMPTY)
    try:
        made = cast(DomainCreated, _body(handlers.create_domain(call, forms.read(CreateDomain, typed))))
    except (Invalid, Conflict) as error:
        return _list(call, typed, forms.wrong(error, "domain"), Paged(), error.http_status)
    return redirect(f"/domains/{made.data.id}", 303)


def show_one(call: Call) -> ResponseReturnValue:
    """A domain with its pages."""
    return page(call, _EMPTY, {}, read_query(request, Paged), 200)


def page(call: Call, form: Mapping[str, str], errors: Mapping[str, str], which: Paged, status: int) -> tuple[str, int]:
    """The page of the domain that the path names; `form` is what is being typed into one of its forms."""
    domain = lookup.domain(call, call.path["id"])
    found = cast(DataPage[PageResult], _body(handlers.list_pages(call, which)))
    shown = cast(Data[DomainResult], _body(handlers.get_domain(call, NoQuery()))).data
    recent = _recent(call, domain)
    settings = cast(Data[ChangeSettingsResult], _body(changes.get_change_settings(call, NoQuery()))).data
    html = render_template(
        "domain.html",
        domain=shown,
        found=found.data,
        meta=found.meta,
        analytics=_analytics(call),
        crawls=_crawls(call, recent),
        last=next((job for job in recent if job.options.mode is JobMode.CRAWL), None),
        comparison=settings,
        form={"url": "", **_ANALYTICS, **change_settings.form_of(settings), **form},
        errors=errors,
    )
    return html, status


def configure(call: Call) -> ResponseReturnValue:
    """Says what counts as a change of the domain's pages."""
    lookup.domain(call, call.path["id"])
    typed = forms.typed(request.form, change_settings.EMPTY)
    try:
        given = forms.read(PutChangeSettings, {}, nested=change_settings.given(typed))
    except Invalid as error:
        return page(call, typed, forms.wrong(error, "minChange"), Paged(), 400)
    changes.put_change_settings(call, given)
    return redirect(f"/domains/{call.path['id']}#changes-settings", 303)


def discover(call: Call) -> ResponseReturnValue:
    """Looks for pages, and shows the job that does."""
    return _to_job(call, handlers.discover_domain(call, NoBody()))


def crawl(call: Call) -> ResponseReturnValue:
    """Crawls the domain, and shows the crawl."""
    return _to_job(call, handlers.crawl_domain(call, Options()))


def delete(call: Call) -> ResponseReturnValue:
    """Deletes the domain with its pages and crawls."""
    handlers.delete_domain(call, NoQuery())
    return redirect("/domains", 303)


def connect(call: Call) -> ResponseReturnValue:
    """Connects the domain to Google Analytics."""
    lookup.domain(call, call.path["id"])
    typed = forms.typed(request.form, _ANALYTICS)
    try:
        account = {"serviceAccount": _json(typed["serviceAccount"])}
        given = forms.read(SetAnalytics, {"propertyId": typed["propertyId"]}, nested=account)
        analytics.set_analytics(call, given)
    except (Invalid, Conflict) as error:
        # the key itself is not sent back
        kept = {"propertyId": typed["propertyId"]}
        return page(call, kept, forms.wrong(error, "serviceAccount"), Paged(), error.http_status)
    return redirect(f"/domains/{call.path['id']}", 303)


def refresh(call: Call) -> ResponseReturnValue:
    """Asks for page views now."""
    analytics.refresh_analytics(call, NoBody())
    return redirect(f"/domains/{call.path['id']}", 303)


def disconnect(call: Call) -> ResponseReturnValue:
    """Forgets the key and the figures."""
    analytics.delete_analytics(call, NoQuery())
    return redirect(f"/domains/{call.path['id']}", 303)


def _recent(call: Call, domain: Domain) -> list[Job]:
    which = jobs_store.JobFilter(call.organisation_id, domain_id=domain.id)
    return jobs_store.page(call.store, which, _SHOWN_CRAWLS, 0)[0]


def _crawls(call: Call, found: list[Job]) -> list[JobResult]:
    known = progress.read(call.store, [job.id for job in found])
    return [jobs.job_result(job, known.get(job.id), jobs.EVERYTHING) for job in found]


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Invalid("Not valid", [("serviceAccount", "must be the whole JSON key file")]) from None


def _analytics(call: Call) -> AnalyticsResult | None:
    try:
        return cast(Data[AnalyticsResult], _body(analytics.get_analytics(call, NoQuery()))).data
    except NotFound:
        return None


def _list(call: Call, form: Mapping[str, str], errors: Mapping[str, str], which: Paged, status: int) -> tuple[str, int]:
    found = cast(DataPage[DomainResult], _body(handlers.list_domains(call, which)))
    return render_template("domains.html", found=found.data, meta=found.meta, form=form, errors=errors), status


def _to_job(call: Call, answer: Any) -> ResponseReturnValue:
    task = lookup.task(call, cast(Data[QueueJobDetail], answer.body).data.id)
    return redirect(f"/jobs/{task.job.uid}", 303)


def _body(answer: Answer) -> Any:
    return answer.body
