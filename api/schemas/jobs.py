"""`/v1/jobs`: crawl jobs (seeds/v1-jobs.txt)."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas.common import DIGITS, WHOLE, Body, Moment, Offset, PageNo, Query, Result, Text
from api.schemas.targets import DomainText
from shared.models import JobOptions

MAX_PAGES = 100_000_000
JobStatus = Literal["created", "running", "completed", "failed", "cancelled"]
_INCLUDE = "(stats|progress|domain)"
_RANGE = re.compile(r"([1-9][0-9]{0,4})([dh])")


class Options(Body):
    """What a crawl is to do."""

    use_sitemap: bool = Field(default=True, description="Discover pages from sitemaps")
    find_links: bool = Field(default=True, description="Discover pages by following internal links")
    allow_cross_subdomain_links: bool = Field(default=True, description="Follow links across subdomains")
    respect_robots: bool = Field(default=True, description="Obey robots.txt; false needs the `admin` scope")
    max_pages: Annotated[int, Field(ge=0, le=MAX_PAGES), WHOLE] = Field(
        default=0, description="Most pages to crawl; 0: unlimited"
    )
    concurrency: Annotated[int, Field(ge=1, le=100), WHOLE] = Field(default=20, description="Most requests at once")
    source_type: Text = Field(default="api", min_length=1, max_length=64, description="What created the job")
    source_detail: Text = Field(default="create_job", min_length=1, max_length=200)

    def given(self) -> dict[str, Any]:
        """The options that were sent, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set & set(Options.model_fields)}


class CreateJob(Options):
    """A new crawl; its options flat, under `options`, or both: flat wins."""

    domain: Annotated[DomainText, Field(examples=["example.com"])]
    options: Options = Options()

    def job_options(self) -> JobOptions:
        """The options that hold."""
        return JobOptions(**(self.options.given() | self.given()))


class ListJobs(Query):
    """Which crawl jobs."""

    limit: Annotated[int, Field(ge=1, le=100), DIGITS] = 10
    offset: Offset | None = None
    page: PageNo = 1
    status: JobStatus | None = None
    range: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}[dh]$")] | None = Field(
        None, description="Created within the last `<n>d` or `<n>h`", examples=["7d"]
    )
    tz_offset: Annotated[int, Field(ge=-900, le=900), DIGITS] = Field(
        0, alias="tzOffset", description="Minutes, as JavaScript's getTimezoneOffset(); moves the day edges of `range`"
    )
    include: Annotated[str, Field(pattern=f"^{_INCLUDE}(,{_INCLUDE})*$")] | None = Field(
        None, description="Comma-separated: stats, progress, domain", examples=["stats,progress"]
    )

    @property
    def skip(self) -> int:
        """How many come before; `offset` wins over `page`."""
        return (self.page - 1) * self.limit if self.offset is None else self.offset

    @property
    def included(self) -> frozenset[str]:
        """The objects to add to each job."""
        return frozenset(self.include.split(",") if self.include else ())

    @property
    def span(self) -> tuple[int, str] | None:
        """The range as number and unit, `d` or `h`."""
        match = _RANGE.fullmatch(self.range) if self.range else None
        return (int(match[1]), match[2]) if match else None


class ProgressResult(Result):
    """How far a job is."""

    total_tasks: int
    completed_tasks: int
    failed_tasks: int
    skipped_tasks: int
    percentage: float


class StatsResult(Result):
    """What a job measured."""

    avg_response_time: int | None
    cache_hit_ratio: float | None
    total_bytes: int


class DomainInfo(Result):
    """The job's domain; `uid` names it in the `/api` family."""

    id: int
    uid: str
    host: str
    created_at: Moment


class JobResult(Result):
    """A crawl job."""

    id: str
    domain: str
    domain_id: int
    status: JobStatus
    organisation_id: str
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None
    cancelled_at: Moment | None
    error: str | None
    use_sitemap: bool
    find_links: bool
    allow_cross_subdomain_links: bool
    respect_robots: bool
    max_pages: int
    concurrency: int
    source_type: str
    source_detail: str
    progress: ProgressResult = Field(default=None, validate_default=False)  # type: ignore[assignment]
    stats: StatsResult = Field(default=None, validate_default=False)  # type: ignore[assignment]
    domain_info: DomainInfo = Field(default=None, validate_default=False)  # type: ignore[assignment]


class JobsPagination(Result):
    """Which part of the jobs."""

    limit: int
    offset: int
    total: int
    has_next: bool


class JobList(Result):
    """A page of crawl jobs."""

    jobs: list[JobResult]
    pagination: JobsPagination
