"""What the scheduler does for pages' histories."""

from scheduler.loop import Step
from shared.clock import now_us
from shared.settings import Settings
from shared.store import Store, change_retention


def steps(store: Store, settings: Settings) -> list[Step]:
    """Deletes what is too old."""
    return [
        Step(
            "histories",
            600.0,
            lambda: change_retention.apply(store, now_us(), settings.snapshot_days, settings.change_days),
        ),
        Step("texts", 6 * 3600.0, lambda: change_retention.delete_texts(store, now_us())),
    ]
