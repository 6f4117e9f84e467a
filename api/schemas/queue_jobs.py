"""`/api/jobs`, `/api/queues`, `/api/workers` (seeds/api-jobs.txt)."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from api.schemas.common import WHOLE, Body, CamelResult, Id, Moment, Paged
from api.schemas.targets import DomainText, UrlText

QueueState = Literal["waiting", "active", "completed", "failed", "delayed"]
JobName = Literal["crawl.page", "discover.pages"]


class ListQueueJobs(Paged):
    """Which queue jobs."""

    status: QueueState | None = None
    name: JobName | None = None
    domain_id: Id | None = Field(None, alias="domainId")


def _one_target(schema: dict[str, Any]) -> None:
    """Which of the two targets belongs to which name; neither has a default."""
    for target in ("url", "domain"):
        del schema["properties"][target]["default"]
    schema["oneOf"] = [
        {
            "properties": {"name": {"const": name}},
            "required": ["name", wanted],
            "not": {"required": [other]},
        }
        for name, wanted, other in (("crawl.page", "url", "domain"), ("discover.pages", "domain", "url"))
    ]


class CreateQueueJob(Body):
    """A job to enqueue: `url` for crawl.page, `domain` for discover.pages."""

    model_config = ConfigDict(json_schema_extra=_one_target)

    name: JobName
    url: Annotated[UrlText, Field(examples=["https://competitor.com/pricing"])] = ""
    domain: Annotated[DomainText, Field(examples=["competitor.com"])] = ""
    delay: Annotated[int, Field(ge=0, le=31_536_000), WHOLE] = Field(0, description="Seconds")
    max_attempts: Annotated[int, Field(ge=1, le=20), WHOLE] = Field(3, alias="maxAttempts")
    priority: Annotated[int, Field(ge=-1000, le=1000), WHOLE] = Field(0, description="Higher is earlier")

    @model_validator(mode="after")
    def _names_its_target(self) -> Self:
        wanted, other = ("url", "domain") if self.name == "crawl.page" else ("domain", "url")
        if not getattr(self, wanted) or getattr(self, other):
            raise ValueError(f"{self.name} takes {wanted}, not {other}")
        return self


class RetryFailed(Body):
    """Which failed jobs to run again."""

    name: JobName | None = None
    domain_id: Id | None = Field(None, alias="domainId")
    #: a crawl
    job_id: Id | None = Field(None, alias="jobId")
    limit: Annotated[int, Field(ge=1, le=10_000), WHOLE] = 1000


class ReturnValue(CamelResult):
    """What a completed job found: the first two of discover.pages, the others of crawl.page."""

    pages_discovered: int = Field(default=0)
    pages_added: int = Field(default=0)
    status_code: int | None = Field(default=None)
    response_time: int | None = Field(default=None)
    changed: bool = Field(default=False)
    links_found: int = Field(default=0)


class QueueJob(CamelResult):
    """A queue job. `cancelled` is only seen in the answer to a cancel."""

    id: str
    name: JobName
    type: Literal["crawl", "discover"]
    url: str | None
    domain_id: str
    page_id: str | None
    state: Literal["waiting", "active", "completed", "failed", "delayed", "cancelled"]
    progress: int
    attempts_made: int
    created_at: Moment
    processed_at: Moment | None
    finished_at: Moment | None
    failed_reason: str | None


class RedirectResult(CamelResult):
    """A redirect on the way to the page."""

    status_code: int
    #: where it led
    url: str


class QueueJobDetail(QueueJob):
    """A queue job with its result; `redirects`, those followed in order, only where there were any."""

    max_attempts: int
    return_value: ReturnValue | None
    redirects: list[RedirectResult] = Field(default=None, validate_default=False)  # type: ignore[call-overload]


class QueueStats(CamelResult):
    """Jobs by state over all queues; total = waiting + active + delayed."""

    waiting: int
    active: int
    completed: int
    failed: int
    delayed: int
    total: int


class Retried(CamelResult):
    """How many jobs run again."""

    retried: int


class QueueResult(CamelResult):
    """One queue."""

    name: str
    paused: bool
    waiting: int
    active: int
    completed: int
    failed: int
    delayed: int


class QueueList(CamelResult):
    """All queues."""

    data: list[QueueResult]


class CurrentJob(CamelResult):
    """A queue job that a worker runs."""

    id: str
    name: JobName
    url: str
    since: Moment | None


class WorkerResult(CamelResult):
    """One worker process."""

    name: str
    state: str
    queues: list[str]
    hostname: str | None
    pid: int | None
    active_jobs: int
    observed_at: Moment | None = Field(description="When it last told what it runs; within a second while it is busy")
    current: list[CurrentJob] = Field(description="Some of what it ran then: the oldest 32, your organisation's only")
    birth: str | None
    last_heartbeat: str | None
    successful_jobs: int
    failed_jobs: int
    total_working_time: float


class WorkerList(CamelResult):
    """All workers."""

    data: list[WorkerResult]
