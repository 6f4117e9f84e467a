"""Use cases of page views that two sides call: configure a domain, refresh it now, refresh what is due."""

import logging
import random
from collections.abc import Mapping
from typing import Any

from shared import service_account, vault
from shared.clock import SECOND, iso, now_us
from shared.errors import Conflict, QueueUnavailable
from shared.models import Analytics, Domain
from shared.queue import TaskQueue
from shared.settings import Settings
from shared.states import AnalyticsState
from shared.store import Store, analytics

log = logging.getLogger(__name__)

DAY = 86_400 * SECOND
#: figures of the last hour are new enough for a crawl that starts
_FRESH = 3600 * SECOND


def configure(
    store: Store, queue: TaskQueue, settings: Settings, domain: Domain, property_id: str, key: Mapping[str, Any]
) -> Analytics:
    """Connects a domain to a property by a service account's key, and asks for its page views at once.

    Raises Invalid for a key that cannot be used, NoSecretKey where it cannot be kept.
    """
    kept = service_account.check(key, settings.ga4_endpoint)
    sealed = vault.seal(settings, kept)
    analytics.put(store, domain, property_id, str(key["client_email"]), sealed, now_us())
    enqueue(store, queue, domain)
    return analytics.get(store, domain)


def refresh(store: Store, queue: TaskQueue, domain: Domain) -> Analytics:
    """Asks for a domain's page views now. Raises NotFound, Conflict while the property's quota is used up."""
    found = analytics.get(store, domain)
    if found.state is AnalyticsState.WAITING:
        raise Conflict(f"{found.error or 'The quota is used up'}; asked again {iso(found.next_at)}")
    refresh_soon(store, queue, domain, unless_since=now_us())
    return analytics.get(store, domain)


def refresh_soon(store: Store, queue: TaskQueue, domain: Domain, unless_since: int | None = None) -> bool:
    """Asks for page views that are not of the last hour; whether a refresh is under way.

    Never waits, never fails for a domain without page views. Raises StoreUnavailable.
    """
    if not hasten(store, domain, unless_since):
        return False
    enqueue(store, queue, domain)
    return True


def hasten(store: Store, domain: Domain, unless_since: int | None = None) -> bool:
    """Before a crawl: makes a refresh due in the record, which the scheduler enqueues if nobody else does.

    Whether one is due. Raises StoreUnavailable.
    """
    now = now_us()
    return analytics.hasten(store, domain.id, now, now - _FRESH if unless_since is None else unless_since)


def enqueue(store: Store, queue: TaskQueue, domain: Domain) -> None:
    """Enqueues the refresh that is due, as far as Redis is there. Raises StoreUnavailable."""
    try:
        _claim(store, queue, domain.id)
    except QueueUnavailable:
        log.warning("page views of domain %d are refreshed later: Redis is away", domain.id)


def enqueue_due(store: Store, queue: TaskQueue) -> int:
    """Enqueues the refreshes that are due; how many. Raises StoreUnavailable, QueueUnavailable."""
    return sum(_claim(store, queue, domain_id) for domain_id in analytics.due(store, now_us()))


def tomorrow(now: int) -> int:
    """When to refresh again: in a day, some earlier and some later, so that not all ask Google at once."""
    return now + DAY + int(random.uniform(-0.02, 0.02) * DAY)


def _claim(store: Store, queue: TaskQueue, domain_id: int) -> bool:
    run = analytics.claim(store, domain_id, now_us())
    if run is None:
        return False
    queue.enqueue_refresh(domain_id, run)
    return True
