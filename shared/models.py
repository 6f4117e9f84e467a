"""What the store keeps and the sides exchange: states, and one frozen record per entity and stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from shared import ids


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


class SourceType(IntEnum):
    """How a URL was found, in the alphabetical order of the names."""

    LINK_CRAWL = 1
    MANUAL = 2
    SITEMAP = 3


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of an organisation, without its secret."""

    id: str
    organisation_id: int
    #: the organisation's public id, a UUID
    organisation_uid: str
    organisation: str
    name: str
    #: first characters of the secret, for people to tell keys apart
    prefix: str
    scopes: frozenset[str]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None


@dataclass(frozen=True, slots=True)
class Domain:
    """One host of an organisation."""

    id: int
    uid: str
    #: milliseconds of creation, unique among domains: the time in the ids of its pages
    ms: int
    organisation_id: int
    host: str
    created_at: int

    def page_uuid(self, url_hash: int) -> str:
        """Public id of a page of this domain."""
        return str(ids.encode(ids.Kind.PAGE, self.ms, url_hash))


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What a crawl job was asked to do."""

    use_sitemap: bool = True
    find_links: bool = True
    allow_cross_subdomain_links: bool = True
    #: False only for organisations' admins: their own sites
    respect_robots: bool = True
    #: 0: unlimited
    max_pages: int = 0
    #: most tasks of this job in the queue at once
    concurrency: int = 20
    source_type: str = "api"
    source_detail: str = "create_job"
    mode: JobMode = JobMode.CRAWL


@dataclass(frozen=True, slots=True)
class Job:
    """One crawl of a domain."""

    id: int
    organisation_id: int
    organisation_uid: str
    domain: Domain
    #: scheme://host[:port] that task paths are relative to; None until discovery has settled the scheme
    origin: str | None
    options: JobOptions
    state: JobState
    error: str | None
    created_at: int
    started_at: int | None
    completed_at: int | None
    cancelled_at: int | None

    @property
    def ms(self) -> int:
        """Milliseconds of creation: the time in the ids of the job and its tasks."""
        return self.created_at // 1000

    @property
    def uid(self) -> str:
        """Public id."""
        return str(ids.encode(ids.Kind.JOB, self.ms, self.id))


@dataclass(frozen=True, slots=True)
class Fetched:
    """Measurements of one fetch."""

    status_code: int | None = None
    response_time: int | None = None
    bytes: int | None = None
    content_type: str | None = None
    cache_status: CacheStatus | None = None


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """What the first request of a page brought, when the second one is due."""

    fetched: Fetched
    #: links on the page
    found: int


@dataclass(frozen=True, slots=True)
class Work:
    """A task that this worker has been admitted to run."""

    id: int
    kind: TaskKind
    url: str
    #: number of this attempt, from 1
    attempt: int
    max_attempts: int
    #: fencing token: only the outcome with the row's newest run is recorded
    run: int
    job: Job
    #: set when only the second (cache) request is left to do
    first: FirstRequest | None = None


@dataclass(frozen=True, slots=True)
class NewLink:
    """A URL to admit to a job. Parts of one canonical URL."""

    url_hash: int
    origin: str
    path: str
    #: readable reason why it is recorded but not crawled
    skip: str | None = None


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What a crawl learnt about a page, kept across crawls."""

    title: str | None = None
    content_hash: str | None = None
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """A task ended: completed, failed or skipped."""

    work: Work
    state: TaskState
    fetched: Fetched = field(default_factory=Fetched)
    #: what the second (cache) request brought, where there was one
    second: Fetched | None = None
    error: str | None = None
    links: tuple[NewLink, ...] = ()
    source: SourceType = SourceType.LINK_CRAWL
    facts: PageFacts | None = None
    #: discovery: the origin it settled on
    origin: str | None = None
    #: set when nothing of the job can be crawled
    job_error: str | None = None
    #: links found on the page, or by the whole discovery
    found: int = 0
    #: documents fetched (the page; robots.txt and sitemaps)
    documents: int = 0

    def return_value(self, added: int) -> dict[str, object]:
        """What the queue keeps as the result of the job (API.md, `returnValue`)."""
        if self.work.kind is TaskKind.DISCOVER_PAGES:
            return {"pagesDiscovered": self.found, "pagesAdded": added}
        return {
            "statusCode": self.fetched.status_code,
            "responseTime": self.fetched.response_time,
            "changed": False,
            "linksFound": self.found,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """URLs that a running task found so far; discovery hands them over in parts, so that crawling starts."""

    work: Work
    links: tuple[NewLink, ...]
    source: SourceType
    #: the origin that discovery settled on
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """A task goes on later: a retry (spends an attempt) or a snooze (does not)."""

    work: Work
    at: int
    reason: str
    spends_attempt: bool
    fetched: Fetched = field(default_factory=Fetched)


@dataclass(frozen=True, slots=True)
class Recheck:
    """A page missed the cache: what it brought is recorded, and a second request follows as a step of its own."""

    first: Finish
    #: microseconds
    at: int

    @property
    def work(self) -> Work:
        """The task."""
        return self.first.work


@dataclass(frozen=True, slots=True)
class Release:
    """A task goes back to the front of the queue untouched: its worker is stopping."""

    work: Work


Outcome = Finish | Found | Recheck | Delay | Release


@dataclass(frozen=True, slots=True)
class Admission:
    """A worker asks to run a task that it took from the queue."""

    task_id: int
    #: an operator put a failed task back (`rq requeue`): run it again with fresh attempts
    requeued: bool = False


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A task to put into its queue."""

    task_id: int
    kind: TaskKind
    job_ms: int
    at_front: bool = False

    @property
    def rq_id(self) -> str:
        """Id of the RQ job: the task's public id in hex."""
        return ids.task_uuid(self.job_ms, self.task_id).hex


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an outcome: recorded or not (a duplicate, a cancelled task), and what it added."""

    recorded: bool
    #: links that were new to the job (in a discovery-only job: to the domain)
    added: int = 0
    #: whether max_pages leaves no room for more
    full: bool = False
