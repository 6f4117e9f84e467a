"""What the tests of deliveries share."""

from collections.abc import Callable

from shared.clock import SECOND, now_us
from shared.models import Delivery, Webhook
from shared.store import Store, deliveries, events, webhooks
from workers.runtime import Runtime
from workers.webhooks import deliver

ORGANISATION = 1
MADE = Callable[..., tuple[Webhook, str]]


def told(store: Store, n: int = 1) -> None:
    store.write(lambda conn: events.emit(conn, ORGANISATION, "job.completed", {"n": n}))


def log_of(store: Store, webhook: Webhook) -> list[Delivery]:
    """Its deliveries, oldest first."""
    return deliveries.page(store, webhook, None, 100, 0)[0][::-1]


def only(store: Store, webhook: Webhook) -> Delivery:
    (delivery,) = log_of(store, webhook)
    return delivery


def again(store: Store, webhook: Webhook) -> Webhook:
    return webhooks.get(store, webhook.uid, ORGANISATION)


def run_due(ctx: Runtime, later: int = 0) -> list[str]:
    """Makes what is due, as a worker would; `later` in seconds."""
    return [deliver(ctx, delivery) for delivery in deliveries.due(ctx.store, now_us() + later * SECOND)]


def make_due(store: Store) -> None:
    store.write(lambda conn: conn.exec_driver_sql("UPDATE webhook_deliveries SET next_attempt_at = 1 WHERE state = 3"))
