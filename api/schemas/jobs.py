"""`/v1/jobs`: crawl jobs (seeds/v1-jobs.txt)."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas.common import DIGITS, Moment, Offset, PageNo, Query, Result
from api.schemas.options import Options, OptionsShown
from api.schemas.targets import DomainText

JobStatus = Literal["created", "running", "completed", "failed", "cancelled"]
_INCLUDE = "(stats|progress|domain)"
_RANGE = re.compile(r"([1-9][0-9]{0,4})([dh])")


class CreateJob(Options):
    """A new crawl; its options flat, under `options`, or both: flat wins."""

    domain: Annotated[DomainText, Field(examples=["example.com"])]
    options: Options = Options()

    def chosen(self) -> dict[str, Any]:
        """The options that were sent and hold, by name."""
        return self.options.given() | self.given()


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


class WarningResult(Result):
    """Something about a crawl that its owner should know.

    A host that blocks it, URLs without end that it left out, a sitemap that could not be read.
    """

    kind: Literal["blocked", "trap", "sitemap"]
    message: str
    count: int


class JobRecord(Result):
    """What a crawl job is and was."""

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


class JobResult(OptionsShown, JobRecord):
    """A crawl job."""

    paused_at: Moment = Field(
        default=None, validate_default=False, description="Only while the job is paused: since when"
    )  # type: ignore[assignment]
    progress: ProgressResult = Field(default=None, validate_default=False)  # type: ignore[assignment]
    stats: StatsResult = Field(default=None, validate_default=False)  # type: ignore[assignment]
    domain_info: DomainInfo = Field(default=None, validate_default=False)  # type: ignore[assignment]
    warnings: list[WarningResult] = Field(default=None, validate_default=False)  # type: ignore[call-overload]


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
