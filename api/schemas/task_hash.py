"""`/v1/tasks/{task_hash}` and `/v1/runtasks` (seeds/v1-task-get.txt, seeds/v1-runtasks.txt)."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.common import DIGITS, Id, Moment, PageNo, Query, Result

DoneReason = Literal["completed", "run_aborted", "error", "skipped"]


class Params(Result):
    """What a task was given."""

    url: str


class Execution(Result):
    """How the execution of a task went."""

    status: Literal["pending", "running", "completed", "aborted", "failed"]
    started_at: Moment | None
    ended_at: Moment | None
    is_done: bool
    total_results: int = Field(description="Results collected")
    total_pages: int = Field(description="Documents fetched")
    done_reason: DoneReason | None
    has_errors: bool
    errors: str | None


class TaskDefinition(Result):
    """A task by its hash."""

    object: Literal["task"]
    hash_value: str
    created_at: Moment
    is_active: bool
    params: Params
    module: int = Field(description="1: crawl.page, 2: discover.pages")
    status: Execution


class RunTasksQuery(Query):
    """Which run, which page."""

    run: Id
    page: PageNo = 1
    limit: Annotated[int, Field(ge=1, le=100), DIGITS] = 50


class RunTask(Result):
    """One task executed in a run."""

    object: Literal["runtask"]
    id: str
    task: str
    run: str
    status: Literal["pending", "running", "completed", "aborted", "error"]
    params: Params
    started_at: Moment | None
    ended_at: Moment | None
    total_results: int = Field(description="Results expected")
    last_result: int = Field(description="Results collected")
    total_pages: int = Field(description="Documents fetched")
    last_page: int
    last_collection_at: Moment | None
    done_reason: DoneReason | None
    done_reason_desc: str | None


class RunTasks(Result):
    """A page of a run's tasks."""

    total_results: int
    limit: int
    page: int
    total_pages: int
    result_from: int
    result_to: int
    data: list[RunTask]
    next: str | None
    previous: str | None
