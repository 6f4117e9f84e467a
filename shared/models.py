"""What the store keeps: one frozen record per entity."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from shared import ids
from shared.states import JobMode, JobState


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

    @property
    def ms(self) -> int:
        """Milliseconds of creation: the time in the ids of the job and its tasks."""
        return self.created_at // 1000

    @property
    def uid(self) -> str:
        """Public id."""
        return str(ids.encode(ids.Kind.JOB, self.ms, self.id))
