"""How fast a crawl goes and when it may end. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from api.dashboard.text import moment
from api.schemas.jobs import JobResult

ACTIVE = ("created", "running")


@dataclass(frozen=True, slots=True)
class Pace:
    """Pages a second over the whole crawl, and seconds."""

    rate: float | None
    elapsed: float | None
    #: for the pages known so far: links still to be found come on top
    eta: float | None


def pace(job: JobResult, now: datetime | None = None) -> Pace:
    """The pace of a job that was read with its progress."""
    begun = moment(job.started_at)
    if begun is None:
        return Pace(None, None, None)
    ended = moment(job.completed_at or job.cancelled_at)
    elapsed = ((ended or now or datetime.now(UTC)) - begun).total_seconds()
    done = job.progress.completed_tasks + job.progress.failed_tasks
    rate = done / elapsed if elapsed > 0 and done else None
    left = job.progress.total_tasks - job.progress.skipped_tasks - done
    is_open = job.status in ACTIVE and rate is not None and left > 0
    return Pace(rate, elapsed, left / rate if is_open and rate else None)
