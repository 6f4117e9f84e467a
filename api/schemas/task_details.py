"""`/v1/jobs/{id}/tasks/{id}`."""

from typing import Literal

from pydantic import Field

from api.schemas.common import Moment, Result
from api.schemas.tasks import TaskResult


class PhasesResult(Result):
    """Milliseconds of the attempt's last request; the first three are null where a kept connection was used."""

    dns: float | None
    connect: float | None
    tls: float | None
    first_byte: float
    download: float


class HeaderResult(Result):
    """A header of the answer, its value cut at 400 characters."""

    name: str
    value: str = Field(description="`(not kept)` where it may be a secret")


class SecondRequestResult(Result):
    """The answer of the second (cache) request that followed an attempt; its time and cache status are the task's."""

    status_code: int | None
    phases: PhasesResult | None
    headers: list[HeaderResult]


class AttemptResult(Result):
    """A finished attempt."""

    outcome: Literal["completed", "retried", "failed", "skipped"]
    started_at: Moment | None
    ended_at: Moment
    status_code: int | None
    response_time: int | None
    error: str | None
    phases: PhasesResult | None
    headers: list[HeaderResult]
    worker: str | None = Field(description="Name of the process that made it, as `/api/workers` lists it")
    second_request: SecondRequestResult | None


class RedirectResult(Result):
    """A redirect that was followed."""

    status_code: int
    url: str
    headers: list[HeaderResult] = Field(description="Of the answer that redirected; none of crawls by older versions")


class HolderResult(Result):
    """The pages that link to a broken one."""

    total: int
    urls: list[str] = Field(description="The first 100")


class TaskDetails(Result):
    """All that is kept of one page crawl."""

    task: TaskResult
    attempts: list[AttemptResult] = Field(description="The newest 50, in the order in which they were made")
    redirects: list[RedirectResult]
    linked_from: HolderResult | None = Field(description="Of a failed page, once its crawl has ended")
