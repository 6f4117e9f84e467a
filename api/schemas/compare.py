"""`/v1/jobs/{id}/compare`."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.common import DIGITS, Id, Moment, Offset, Query, Result

DifferenceWord = Literal["added", "removed", "changed", "newly_broken", "fixed", "slower"]


class CompareJobs(Query):
    """With which crawl, and which pages to show."""

    with_: Id | None = Field(
        None, alias="with", description="The earlier crawl; default: the domain's last completed one before this"
    )
    kind: DifferenceWord | None = Field(None, description="Only pages that differ in this way")
    limit: Annotated[int, Field(ge=1, le=1000), DIGITS] = 100
    offset: Offset = 0


class ComparedJob(Result):
    """One of the two crawls."""

    id: str
    status: str
    created_at: Moment
    completed_at: Moment | None


class ComparedSide(Result):
    """A page in one of them."""

    task_id: str
    #: skipped: it only redirects to another page
    status: Literal["completed", "failed", "skipped"]
    status_code: int | None
    response_time: int | None


class ComparedPage(Result):
    """A page that differs."""

    page_id: str
    url: str
    kinds: list[DifferenceWord]
    before: ComparedSide | None
    after: ComparedSide | None


class ComparisonSummary(Result):
    """How many pages differ in each way; one may count in several."""

    added: int
    removed: int
    changed: int
    newly_broken: int
    fixed: int
    slower: int
    unchanged: int


class ComparePagination(Result):
    """Which part of the pages."""

    limit: int
    offset: int
    total: int
    has_next: bool
    has_prev: bool


class ComparisonResult(Result):
    """Two crawls of a domain side by side."""

    before: ComparedJob
    after: ComparedJob
    summary: ComparisonSummary
    pages: list[ComparedPage]
    pagination: ComparePagination
