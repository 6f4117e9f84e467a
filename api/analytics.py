"""`/api/domains/{id}/analytics`: page views of a domain's pages from Google Analytics 4."""

from api import lookup
from api.context import Answer, Call
from api.schemas.analytics import AnalyticsResult, AnalyticsStateName, QuotaResult, SetAnalytics
from api.schemas.common import Data, NoBody, NoQuery
from shared import analytics as cases
from shared.clock import iso
from shared.models import Analytics, Domain
from shared.states import AnalyticsState
from shared.store import analytics

_NAMES: dict[AnalyticsState, AnalyticsStateName] = {
    AnalyticsState.ERROR: "error",
    AnalyticsState.PENDING: "pending",
    AnalyticsState.READY: "ready",
    AnalyticsState.REFRESHING: "refreshing",
    AnalyticsState.RETRYING: "retrying",
    AnalyticsState.WAITING: "waiting",
}


def get_analytics(call: Call, _given: NoQuery) -> Answer:
    """How a domain's page views stand: `error` with its reason when Google refuses, `waiting` for a quota."""
    return _answer(analytics.get(call.store, _here(call)))


def set_analytics(call: Call, given: SetAnalytics) -> Answer:
    """Connects a domain to a property, or to another one, and asks for its page views at once."""
    domain, key = _here(call), given.service_account.as_dict()
    settings = call.services.settings
    return _answer(cases.configure(call.store, call.queue, settings, domain, given.property_id, key))


def delete_analytics(call: Call, _given: NoQuery) -> Answer:
    """Forgets the key and the figures; what jobs show of them stays with the jobs."""
    domain = _here(call)
    found = analytics.get(call.store, domain)
    analytics.remove(call.store, domain.id)
    return _answer(found)


def refresh_analytics(call: Call, _given: NoBody) -> Answer:
    """Asks for a domain's page views now. 409 while the property's quota is used up."""
    domain = _here(call)
    call.queue.ping()
    return _answer(cases.refresh(call.store, call.queue, domain), status=202)


def _here(call: Call) -> Domain:
    return lookup.domain(call, call.path["id"])


def _answer(found: Analytics, status: int = 200) -> Answer:
    quota = [QuotaResult(name=n, consumed=used, remaining=left) for n, (used, left) in sorted(found.quota.items())]
    shown = AnalyticsResult(
        domain_id=found.domain.uid,
        property_id=found.property_id,
        client_email=found.client_email,
        state=_NAMES[found.state],
        error=found.error,
        pages=found.n_pages,
        quota=quota,
        created_at=iso(found.created_at) or "",
        refreshed_at=iso(found.refreshed_at),
        next_refresh_at=iso(found.next_at) or "",
    )
    return Answer(Data[AnalyticsResult](data=shown), status)
