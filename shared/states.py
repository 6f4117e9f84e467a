"""The states and kinds of jobs and tasks, as the store keeps them and as each dialect of the API shows them."""

from collections.abc import Mapping
from enum import IntEnum


class TaskState(IntEnum):
    """Stored state of a task. Numbered so that ordering by code orders by the `/v1` word (STORE.md)."""

    COMPLETED = 1
    FAILED = 2
    PENDING = 3
    QUEUED = 4
    DELAYED = 5
    RUNNING = 6
    SKIPPED = 7
    CANCELLED = 8


#: states in which a task holds one of its job's slots in the queue
IN_FLIGHT = (TaskState.QUEUED, TaskState.DELAYED, TaskState.RUNNING)
#: states that nothing but an operator's retry leaves
FINAL = (TaskState.COMPLETED, TaskState.FAILED, TaskState.SKIPPED, TaskState.CANCELLED)

#: API.md, "States": the stored state in each dialect
V1_STATUS: Mapping[TaskState, str] = {
    TaskState.COMPLETED: "completed",
    TaskState.FAILED: "failed",
    TaskState.PENDING: "pending",
    TaskState.QUEUED: "pending",
    TaskState.DELAYED: "pending",
    TaskState.RUNNING: "running",
    TaskState.SKIPPED: "skipped",
    TaskState.CANCELLED: "skipped",
}
QUEUE_STATE: Mapping[TaskState, str] = {
    TaskState.QUEUED: "waiting",
    TaskState.RUNNING: "active",
    TaskState.COMPLETED: "completed",
    TaskState.FAILED: "failed",
    TaskState.DELAYED: "delayed",
}


class JobState(IntEnum):
    """Stored state of a job, in the alphabetical order of the names."""

    CANCELLED = 1
    COMPLETED = 2
    CREATED = 3
    FAILED = 4
    RUNNING = 5


ACTIVE_JOB = (JobState.CREATED, JobState.RUNNING)


class JobMode(IntEnum):
    """What a job does."""

    #: discover, then crawl what is found
    CRAWL = 1
    #: one page by request, no discovery, no links
    PAGE = 2
    #: only record the domain's pages
    DISCOVER = 3


class TaskKind(IntEnum):
    """The two kinds of work; the number is the `module` of the task-hash dialect."""

    CRAWL_PAGE = 1
    DISCOVER_PAGES = 2


class WarningKind(IntEnum):
    """What a job is warned of."""

    #: a host's firewall refuses us
    BLOCKED = 1
    #: URLs without end, left out
    TRAP = 2
    #: a sitemap, or a part of it, that could not be read
    SITEMAP = 3


class CacheStatus(IntEnum):
    """Normalised cache status, in the alphabetical order of the names."""

    BYPASS = 1
    DYNAMIC = 2
    EXPIRED = 3
    HIT = 4
    MISS = 5
    REVALIDATED = 6
    STALE = 7


#: the first request could have been a hit: a second one tells
UNCACHED = (CacheStatus.MISS, CacheStatus.EXPIRED)


class AnalyticsState(IntEnum):
    """How a domain's page views stand."""

    #: the key or the property was refused; asked again each day
    ERROR = 1
    #: configured, not yet asked
    PENDING = 2
    #: the last refresh succeeded
    READY = 3
    REFRESHING = 4
    #: Google did not answer, or not as documented; asked again soon
    RETRYING = 5
    #: the property's quota is used up; asked again when it is there again
    WAITING = 6


class SourceType(IntEnum):
    """How a URL was found, in the alphabetical order of the names."""

    LINK_CRAWL = 1
    MANUAL = 2
    SITEMAP = 3


class DeliveryState(IntEnum):
    """What became of telling a webhook, in the alphabetical order of the names."""

    DELIVERED = 1
    FAILED = 2
    PENDING = 3


class Overlap(IntEnum):
    """What a recurring crawl does when its last run still goes."""

    #: leave this run out
    SKIP = 1
    #: start when the last one has ended; one run waits at most
    QUEUE = 2
    #: cancel the last one
    CANCEL = 3


class Missed(IntEnum):
    """What becomes of runs that were due in an outage."""

    #: one run makes up for all of them
    ONE = 1
    NONE = 2


class RunStatus(IntEnum):
    """What became of a run of a schedule."""

    STARTED = 1
    #: the last run still went
    SKIPPED = 2
    #: it starts when the last run has ended
    WAITING = 3
    #: it was due in an outage
    MISSED = 4
    #: it could not be started
    FAILED = 5
