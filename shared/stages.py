"""The stages of a task between store, queue and worker: one frozen record each, renamed when its meaning changes."""

import builtins
from collections.abc import Collection, Mapping
from dataclasses import field

from shared import ids
from shared.changes import Sighting, Watch
from shared.models import Job
from shared.records import record
from shared.states import CacheStatus, SourceType, TaskKind, TaskState, WarningKind
from shared.validators import KeptPage


@record(frozen=True, slots=True)
class Fetched:
    """Measurements of one fetch."""

    status_code: int | None = None
    response_time: int | None = None
    bytes: int | None = None
    content_type: str | None = None
    cache_status: CacheStatus | None = None
    #: headers and phases (shared/answers.py)
    answer: builtins.bytes | None = None


@record(frozen=True, slots=True)
class FirstRequest:
    """What the first request of a page brought, when the second one is due."""

    fetched: Fetched
    #: links on the page
    found: int


@record(frozen=True, slots=True)
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
    #: links from the start
    depth: int = 0
    #: named by a person, not found: no rule applies to it
    is_start: bool = False
    #: set when only the second (cache) request is left to do
    first: FirstRequest | None = None
    #: what the page looked like the last time
    watch: Watch = field(default_factory=Watch)
    #: microseconds by the worker's clock: since when it is held
    held_since: int = 0


@record(frozen=True, slots=True)
class NewLink:
    """A URL to admit to a job. Parts of one canonical URL."""

    url_hash: int
    origin: str
    path: str
    #: readable reason why it is recorded but not crawled
    skip: str | None = None
    #: on no host of the job: recorded, but no page of its domain
    is_foreign: bool = False


@record(frozen=True, slots=True)
class PageFacts:
    """What a crawl learnt about a page, kept across crawls."""

    title: str | None = None
    content_hash: str | None = None
    etag: str | None = None
    last_modified: str | None = None


@record(frozen=True, slots=True)
class JobWarning:
    """Something about a job that its owner should know."""

    kind: WarningKind
    #: the host, or a trap's kind of URL
    subject: str
    message: str
    #: times it was met
    n: int = 1


@record(frozen=True, slots=True)
class Redirect:
    """One redirect on the way to a page: its status code and where it led."""

    status_code: int
    url: str
    #: its headers (shared/answers.py)
    answer: builtins.bytes | None = None


@record(frozen=True, slots=True)
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
    #: what is new about the page since the last crawl
    sighting: Sighting | None = None
    #: discovery: the origin it settled on
    origin: str | None = None
    #: set when nothing of the job can be crawled
    job_error: str | None = None
    #: links found on the page, or by the whole discovery
    found: int = 0
    #: documents fetched (the page; robots.txt and sitemaps)
    documents: int = 0
    warnings: tuple[JobWarning, ...] = ()
    #: those followed, in order
    redirects: tuple[Redirect, ...] = ()
    #: to ask for the page only if it has changed, the next time
    kept: KeptPage | None = None
    #: the server said that the page is as it was
    is_unmodified: bool = False
    #: URL hashes of what the page links to (i64, little-endian), found before or not
    targets: bytes = b""

    @property
    def depth(self) -> int:
        """Of the URLs that it found. A redirect is no link: its target is as far from the start as the page."""
        return self.work.depth + (self.state is not TaskState.SKIPPED)

    def return_value(self, added: int, changed: bool) -> dict[str, object]:
        """What the queue keeps as the result of the job (API.md, `returnValue`)."""
        if self.work.kind is TaskKind.DISCOVER_PAGES:
            return {"pagesDiscovered": self.found, "pagesAdded": added}
        return {
            "statusCode": self.fetched.status_code,
            "responseTime": self.fetched.response_time,
            "changed": changed,
            "linksFound": self.found,
        }


@record(frozen=True, slots=True)
class Found:
    """URLs that a running task found so far; discovery hands them over in parts, so that crawling starts."""

    work: Work
    links: tuple[NewLink, ...]
    source: SourceType
    #: the origin that discovery settled on
    origin: str | None = None
    #: of these URLs: links from the start
    depth: int = 0
    #: URLs found so far: what a discovery that is cancelled had met
    found: int = 0


@record(frozen=True, slots=True)
class Delay:
    """A task goes on later: a retry (spends an attempt) or a snooze (does not)."""

    work: Work
    at: int
    reason: str
    spends_attempt: bool
    fetched: Fetched = field(default_factory=Fetched)
    #: its host is to be left alone for a while: where too many wait for that, it gives its slot back
    yields: bool = False


@record(frozen=True, slots=True)
class Recheck:
    """A page missed the cache: what it brought is recorded, and a second request follows as a step of its own."""

    first: Finish
    #: microseconds
    at: int

    @property
    def work(self) -> Work:
        """The task."""
        return self.first.work


@record(frozen=True, slots=True)
class Release:
    """A task goes back to the front of the queue untouched: its worker is stopping."""

    work: Work


Outcome = Finish | Found | Recheck | Delay | Release


@record(frozen=True, slots=True)
class Admission:
    """A worker asks to run a task that it took from the queue."""

    task_id: int
    #: an operator put a failed task back (`rq requeue`): run it again with fresh attempts
    requeued: bool = False


@record(frozen=True, slots=True)
class Hands:
    """What a worker process can take on beside what it tells of."""

    #: tasks that it starts at once, in the places of pages that end
    free: int = 0
    #: whether some of a job's pages go through the queue all the same, for workers that have less to do
    shares: bool = True
    #: by job: the tasks promised to it on which it counts
    kept: Mapping[int, Collection[int]] = field(default_factory=dict)
    #: by job: how many promises it would like to have
    wanted: Mapping[int, int] = field(default_factory=dict)
    #: by ended page: the promised one that it has begun in that one's place
    followed: Mapping[int, Work] = field(default_factory=dict)


@record(frozen=True, slots=True)
class Dispatch:
    """A task to put into its queue."""

    task_id: int
    kind: TaskKind
    job_ms: int
    at_front: bool = False

    @property
    def rq_id(self) -> str:
        """Id of the RQ job: the task's public id in hex."""
        return ids.rq_id(self.job_ms, self.task_id)


@record(frozen=True, slots=True)
class Verdict:
    """What became of an outcome: recorded or not (a duplicate, a cancelled task), and what it added."""

    recorded: bool
    #: links that were new to the job (in a discovery-only job: to the domain)
    added: int = 0
    #: whether max_pages leaves no room for more
    full: bool = False
    #: a change of the page was recorded
    changed: bool = False
    #: a delayed task gave its slot back: it waits in the record, not in the queue
    put_back: bool = False
