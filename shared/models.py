"""What the store keeps: one frozen record per entity."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from shared import ids
from shared.recurrence import Recurrence
from shared.states import ACTIVE_JOB, AnalyticsState, DeliveryState, JobMode, JobState, Missed, Overlap, RunStatus


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
    #: rules on path and query of found links (shared/scope.py); () includes everything
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    #: links from the start to a page at most; None: no limit
    max_depth: int | None = None
    #: `keep` or `drop` the parameters of queries …
    query: str = "keep"
    #: … only these (`keep`), all but these (`drop`); () leaves none out
    query_names: tuple[str, ...] = ()
    user_agent: str | None = None
    #: the sitemap to start from instead of the home page: a URL, or a path of the domain
    sitemap_url: str | None = None
    #: the URLs to start from instead of the home page; a stored job's are read by `job_options.seeds` alone
    urls: tuple[str, ...] = ()
    url_count: int = 0
    #: headers, cookies and credentials to send, encrypted (shared/vault.py), and what may be shown of them
    sealed: str | None = field(default=None, repr=False)
    header_names: tuple[str, ...] = ()
    cookie_names: tuple[str, ...] = ()
    has_auth: bool = False
    #: pages known from earlier crawls are asked for only if they have changed
    conditional_requests: bool = True

    def as_dict(self) -> dict[str, Any]:
        """What differs from the defaults, ready for JSON. Secrets stay sealed."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "JobOptions":
        """The options that `as_dict` gave, lists for tuples. Raises TypeError for an unknown name."""
        values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in stored.items()}
        return cls(**values | {"mode": JobMode(values.get("mode", JobMode.CRAWL))})


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
    #: since when nothing of it is started, while it is paused
    paused_at: int | None = None

    @property
    def ms(self) -> int:
        """Milliseconds of creation: the time in the ids of the job and its tasks."""
        return self.created_at // 1000

    @property
    def uid(self) -> str:
        """Public id."""
        return ids.job_uid(self.ms, self.id)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Somebody who is told of events. Secrets are sealed (shared/vault.py)."""

    id: int
    uid: str
    organisation_id: int
    #: http or apprise
    type: str
    #: of an Apprise webhook only the scheme
    url: str
    sealed_url: str | None
    description: str
    events: tuple[str, ...]
    is_active: bool
    #: why nothing is sent any more
    disabled_reason: str | None
    #: since when every attempt has failed
    failing_since: int | None
    secret: str | None
    #: the one before, which signs too until then
    old_secret: str | None
    old_secret_until: int | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook."""

    id: int
    webhook_id: int
    #: the `webhook-id` header: the same for each repetition
    message_id: str
    event_type: str
    #: the body as it is sent
    payload: str
    state: DeliveryState
    attempts: int
    #: fencing token of the newest start
    run: int
    next_attempt_at: int | None
    attempted_at: int | None
    status_code: int | None
    #: milliseconds of the newest attempt
    duration: int | None
    error: str | None
    #: how the receiver's answer begins
    answer: str | None
    created_at: int
    completed_at: int | None

    @property
    def uid(self) -> str:
        """Public id."""
        return str(ids.encode(ids.Kind.DELIVERY, self.created_at // 1000, self.id))


@dataclass(frozen=True, slots=True)
class LastJob:
    """The newest job of a schedule."""

    id: int
    uid: str
    state: JobState


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurring crawl of a domain. Times in microseconds."""

    id: int
    uid: str
    domain: Domain
    rule: Recurrence
    #: JSON: the crawl's options as they were given, by name
    options: str
    overlap: Overlap
    missed: Missed
    #: seconds that a run may start late, by chance
    jitter: int
    is_paused: bool
    #: when the next run is due; None while paused
    next_run_at: int | None
    #: when it is started: that and its jitter
    fire_at: int | None
    #: the run that waits for the last one to end
    waiting_due: int | None
    last_run_at: int | None
    last_status: RunStatus | None
    #: why the last run was not started
    last_error: str | None
    last_job: LastJob | None
    created_at: int
    updated_at: int

    @property
    def is_busy(self) -> bool:
        """Whether the last run still goes."""
        return self.last_job is not None and self.last_job.state in ACTIVE_JOB

    @property
    def due(self) -> "Due | None":
        """The next run; None while there is none."""
        if self.next_run_at is None or self.fire_at is None:
            return None
        return Due(self.uid, self.next_run_at, self.fire_at)


@dataclass(frozen=True, slots=True)
class Due:
    """A run of a schedule that is to come. Times in microseconds."""

    schedule_uid: str
    #: when it is due, which names it
    due: int
    #: when it is started: that and its jitter
    fire_at: int


@dataclass(frozen=True, slots=True)
class Analytics:
    """A domain's connection to Google Analytics, without its key. Times in microseconds."""

    domain: Domain
    property_id: str
    #: name of the service account
    client_email: str
    state: AnalyticsState
    error: str | None
    #: pages with figures
    n_pages: int
    #: by name of a quota: (consumed by the last request, remaining)
    quota: Mapping[str, tuple[int, int]]
    created_at: int
    refreshed_at: int | None
    next_at: int
