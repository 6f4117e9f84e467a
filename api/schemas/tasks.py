"""`/v1/jobs/{id}/tasks` and `/export` (seeds/v1-tasks.txt)."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from api.schemas.common import DIGITS, Moment, Offset, PageNo, Query, Result, Text

SORT_FIELDS = (
    "path",
    "status",
    "response_time",
    "cache_status",
    "second_response_time",
    "status_code",
    "page_views_7d",
    "page_views_28d",
    "page_views_180d",
    "created_at",
)
TaskStatus = Literal["pending", "running", "completed", "failed", "skipped"]


def _check_sort(value: str) -> str:
    if value.removeprefix("-") not in SORT_FIELDS:
        raise ValueError(f"must be one of {', '.join(SORT_FIELDS)}, with - for descending")
    return value


class ListTasks(Query):
    """Which tasks of a job."""

    limit: Annotated[int, Field(ge=1, le=200), DIGITS] = 50
    offset: Offset | None = None
    page: PageNo = 1
    status: TaskStatus | None = None
    cache: Literal["hit", "miss"] | None = Field(None, description="miss: MISS or EXPIRED, hit: HIT or DYNAMIC")
    path: Annotated[Text, Field(min_length=1, max_length=2048)] | None = Field(
        None, description="Part of the path, in any case"
    )
    status_code: Annotated[int, Field(ge=100, le=999), DIGITS] | None = None
    sort: Annotated[str, AfterValidator(_check_sort)] = Field(
        "created_at", json_schema_extra={"enum": [sign + name for name in SORT_FIELDS for sign in ("", "-")]}
    )

    @property
    def skip(self) -> int:
        """How many come before; `offset` wins over `page`."""
        return (self.page - 1) * self.limit if self.offset is None else self.offset


class TaskResult(Result):
    """One page crawl."""

    id: str
    job_id: str
    url: str
    path: str
    host: str = Field(default=None, validate_default=False, description="Where it differs from the job's domain")  # type: ignore[assignment]
    status: TaskStatus
    status_code: int | None
    response_time: int | None
    cache_status: str | None
    second_response_time: int | None
    second_cache_status: str | None
    content_type: str | None
    error: str | None
    source_type: str
    source_url: str | None
    retry_count: int
    page_views_7d: int | None
    page_views_28d: int | None
    page_views_180d: int | None
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None


class TasksPagination(Result):
    """Which part of the tasks."""

    limit: int
    offset: int
    total: int
    has_next: bool
    has_prev: bool


class Performance(Result):
    """Times in milliseconds over all fetched pages."""

    avg_response_time: int | None
    median_response_time: int | None
    p95_response_time: int | None
    p99_response_time: int | None
    slow_pages_count: int
    total_bytes: int
    cache_hit_ratio: float | None


class Summary(Result):
    """All tasks of the job, whatever the filter."""

    total_tasks: int
    by_status: dict[str, int]
    by_status_code: dict[str, int]
    performance: Performance


class TaskList(Result):
    """A page of a job's tasks."""

    tasks: list[TaskResult]
    pagination: TasksPagination
    summary: Summary


class ExportQuery(Query):
    """What to export, and how."""

    type: Literal["job", "broken-links", "broken-links-by-page", "slow-pages"] = Field(
        "job", description="broken-links-by-page: each broken link once for every page that links to it, 100 at most"
    )
    format: Literal["json", "csv", "jsonl"] = Field("json", description="csv and jsonl are streamed without a bound")


class Column(Result):
    """A column of an export."""

    key: str
    label: str


class Export(Result):
    """Exported tasks."""

    export_type: str
    export_time: Moment
    total_tasks: int
    columns: list[Column]
    tasks: list[dict[str, Any]]
