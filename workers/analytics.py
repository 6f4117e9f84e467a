"""Refreshes the page views of one domain, as a job that is no task."""

import logging
from collections import Counter
from typing import Any, ClassVar

import orjson

from shared import vault
from shared.analytics import tomorrow
from shared.clock import SECOND, now_us
from shared.errors import CrawlyardError
from shared.page_views import RANGES, Views, key_of
from shared.states import AnalyticsState
from shared.store import analytics, page_views
from shared.store.analytics import Begun, Ended
from workers.errors import one_line
from workers.ga4 import QuotaUsedUp, Reports
from workers.runtime import Runtime

log = logging.getLogger(__name__)

#: seconds to wait after an answer that failed, doubled with each further one
_FIRST_WAIT, _LONGEST_WAIT = 300, 6 * 3600


class Superseded(CrawlyardError):
    """The domain was configured anew, or removed, meanwhile."""


class Broken(CrawlyardError):
    """A fault of ours, or the time that RQ allows is over."""

    retryable: ClassVar[bool] = True


def refresh(ctx: Runtime, domain_id: int, run: int) -> dict[str, Any]:
    """Asks for a domain's page views and records how that ended, whatever went wrong. Raises StoreUnavailable."""
    begun = analytics.begin(ctx.store, domain_id, run, now_us())
    if begun is None:
        return {"state": "superseded"}
    try:
        ended = _refresh(ctx, begun)
    except Superseded:
        return {"state": "superseded"}
    except CrawlyardError as error:
        ended = held(error, begun.failures, now_us())
        log.warning("page views of %s: %s", begun.host, ended.error)
    except Exception as error:  # boundary: without an end it would begin again every five minutes, and use up the quota
        log.exception("page views of %s broke", begun.host)
        ended = held(Broken(f"Internal error: {type(error).__name__}"), begun.failures, now_us())
    counts = analytics.end(ctx.store, begun, ended, now_us())
    if ended.version is not None:
        delete = page_views.purge if counts else page_views.discard
        delete(ctx.store, domain_id, ended.version)
    if not counts:
        return {"state": "superseded"}
    return {"state": ended.state.name.lower(), "pages": ended.n_pages}


def _refresh(ctx: Runtime, begun: Begun) -> Ended:
    key = orjson.loads(vault.open_sealed(ctx.settings, begun.sealed))
    reports = Reports(ctx.fetcher, ctx.settings.ga4_endpoint, begun.property_id, key)
    found = _collected(ctx, begun, reports)
    version = now_us()
    page_views.write(ctx.store, begun.domain_id, version, found)
    return Ended(AnalyticsState.READY, tomorrow(version), quota=reports.quota, version=version, n_pages=len(found))


def _collected(ctx: Runtime, begun: Begun, reports: Reports) -> dict[int, Views]:
    """Views by URL key: www, scheme and spellings of one URL are one page, so their views are summed."""
    sums: list[Counter[int]] = []
    for days in RANGES:
        views: Counter[int] = Counter()
        for rows in reports.views(days):
            for row in rows:
                key = key_of(row.host, row.path, begun.host)
                if key is not None:
                    views[key] += row.views
            if not analytics.touch(ctx.store, begun, now_us()):
                raise Superseded
        sums.append(views)
    v7, v28, v180 = sums
    return {key: Views().plus(Views(v7[key], v28[key], v180[key])) for key in v7.keys() | v28.keys() | v180.keys()}


def held(error: CrawlyardError, failures: int, now: int) -> Ended:
    """What becomes of a refresh that failed: it waits for its quota, is tried again soon, or is tried tomorrow."""
    message = one_line(error.message)
    if isinstance(error, QuotaUsedUp):
        return Ended(AnalyticsState.WAITING, now + int(error.seconds * SECOND), message, quota=error.left)
    if error.retryable:
        wait = min(_FIRST_WAIT * 2 ** min(failures, 20), _LONGEST_WAIT)
        return Ended(AnalyticsState.RETRYING, now + wait * SECOND, message, failures + 1)
    return Ended(AnalyticsState.ERROR, tomorrow(now), message)
