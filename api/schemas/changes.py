"""`/api/changes` and what counts as a change."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from api.schemas.common import Body, CamelResult, Id, Moment, Paged, Text
from shared.change_settings import MAX_ENTRIES, MAX_LENGTH, ChangeSettings, wrong_pattern, wrong_selector

ChangeWord = Literal["new", "removed", "redirect", "status", "content", "title", "description", "canonical", "headings"]
_SINCE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?$"


def _moment(text: str) -> str:
    """Raises ValueError for a day that there is not."""
    datetime.fromisoformat(text)
    return text


class ListChanges(Paged):
    """Which changes."""

    domain_id: Id | None = Field(None, alias="domainId")
    page_id: Id | None = Field(None, alias="pageId")
    since: Annotated[str, Field(pattern=_SINCE), AfterValidator(_moment)] | None = Field(
        None, description="ISO 8601, UTC unless it names an offset", examples=["2024-01-15T10:30:00Z"]
    )
    type: ChangeWord | None = None

    @property
    def since_us(self) -> int | None:
        """`since` in microseconds."""
        if self.since is None:
            return None
        moment = datetime.fromisoformat(self.since)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1_000_000)


class ChangedFields(CamelResult):
    """Fields of a page on one side of a change: those that differ."""

    status_code: int | None = Field(default=None)
    redirect: str | None = Field(default=None)
    title: str | None = Field(default=None)
    description: str | None = Field(default=None)
    canonical: str | None = Field(default=None)
    headings: list[str] = Field(default=[])


class ChangeResult(CamelResult):
    """What differs between two crawls of a page."""

    id: str
    #: the most important of `types`
    type: ChangeWord
    types: list[ChangeWord]
    domain_id: str
    page_id: str
    url: str
    #: the queue job that found it
    job_id: str
    #: its crawl
    crawl_id: str
    #: of the texts, 0 to 1; null where the content did not change
    similarity: float | None
    before: ChangedFields
    after: ChangedFields
    created_at: Moment


class ChangeDetail(ChangeResult):
    """A change with its diff."""

    #: unified; null where the content did not change
    diff: str | None
    diff_truncated: bool


def _each(wrong: Callable[[str], str | None]) -> AfterValidator:
    """A check of a list whose error names its first wrong entry."""

    def check(entries: list[str]) -> list[str]:
        for entry in entries:
            if (why := wrong(entry)) is not None:
                raise ValueError(f"{entry!r} {why}")
        return entries

    return AfterValidator(check)


Entry = Annotated[Text, Field(min_length=1, max_length=MAX_LENGTH)]
Selectors = Annotated[list[Entry], Field(max_length=MAX_ENTRIES), _each(wrong_selector)]
Patterns = Annotated[list[Entry], Field(max_length=MAX_ENTRIES), _each(wrong_pattern)]
_SELECTORS = "CSS: tags, .classes, #ids, [attributes], joined by `>` and at most one space"


class PutChangeSettings(Body):
    """What counts as a change of a domain's pages. What is left out has its default."""

    include_selectors: Selectors = Field([], alias="includeSelectors", description=f"Compare only these. {_SELECTORS}")
    drop_selectors: Selectors = Field([], alias="dropSelectors", description=f"Leave these out. {_SELECTORS}")
    ignore_patterns: Patterns = Field(
        [], alias="ignorePatterns", description="RE2, line by line: what they match is left out"
    )
    ignore_clocks: bool = Field(
        True, alias="ignoreClocks", description='Times with seconds, timestamps, "5 minutes ago"'
    )
    ignore_tokens: bool = Field(
        True, alias="ignoreTokens", description="UUIDs, and mixed words of letters and digits from 20 characters on"
    )
    ignore_dates: bool = Field(False, alias="ignoreDates", description="Dates and times of day")
    ignore_numbers: bool = Field(False, alias="ignoreNumbers")
    min_change: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, alias="minChange", description="Share of the text that must differ for a change of content"
    )

    def settings(self) -> ChangeSettings:
        """As the store keeps them."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in self}
        return ChangeSettings(**values)


class ChangeProblem(CamelResult):
    """A page that could not be compared as configured."""

    page_id: str
    url: str
    note: str
    at: Moment


class ChangeSettingsResult(CamelResult):
    """What counts as a change of a domain's pages."""

    domain_id: str
    include_selectors: list[str]
    drop_selectors: list[str]
    ignore_patterns: list[str]
    ignore_clocks: bool
    ignore_tokens: bool
    ignore_dates: bool
    ignore_numbers: bool
    min_change: float
    #: the newest ten
    problems: list[ChangeProblem]
