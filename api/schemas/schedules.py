"""`/api/schedules`: recurring crawls."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from api.schemas.common import WHOLE, Body, CamelResult, Id, Moment, Paged, Text
from api.schemas.jobs import JobStatus
from api.schemas.options import Options
from api.schemas.targets import DomainText
from shared.recurrence import MAX_INTERVAL, MAX_JITTER

OverlapName = Literal["skip", "queue", "cancel"]
MissedName = Literal["one", "none"]
RunStatusName = Literal["started", "skipped", "waiting", "missed", "failed"]
_OWN = ("source_type", "source_detail")


def _absent(**more: Any) -> Any:
    """A field that may be left out, and is never null."""
    return Field(default=None, validate_default=False, **more)


def _without_source(schema: dict[str, Any]) -> None:
    """What a scheduled crawl says of itself is not the client's to choose."""
    for name in _OWN:
        del schema["properties"][name]


class ScheduledOptions(Options):
    """What each crawl of a schedule is to do, as in `POST /v1/jobs`."""

    model_config = ConfigDict(json_schema_extra=_without_source)

    @model_validator(mode="after")
    def _has_no_source(self) -> Self:
        if self.model_fields_set.intersection(_OWN):
            raise ValueError("source_type and source_detail of a recurring crawl are `scheduler` and `recurring`")
        return self


_Cron = Annotated[
    Text,
    Field(
        min_length=9,
        max_length=100,
        description="Five fields as in Debian's crontab(5), with names, lists, ranges, steps, `L` and `#`",
        examples=["30 6 * * MON-FRI"],
    ),
]
_Zone = Annotated[Text, Field(min_length=1, max_length=64, description="IANA time zone", examples=["Europe/Berlin"])]
_Hours = Annotated[int, Field(ge=1, le=MAX_INTERVAL, description="Hours between two runs"), WHOLE]
_Jitter = Annotated[
    int,
    Field(ge=0, le=MAX_JITTER, description="Seconds that a run may start late, by chance; half the interval at most"),
    WHOLE,
]
_OVERLAP = "What happens when the last run still goes: leave this one out, start it afterwards, or cancel the last one"
_MISSED = "After an outage: one run makes up for all that were missed, or none does"


def _one_of_each(schema: dict[str, Any]) -> None:
    """Which domain, and when: two ways to say each."""
    pairs = (("domainId", "domain"), ("cron", "intervalHours"))
    schema["allOf"] = [{"oneOf": [{"required": [name]} for name in pair]} for pair in pairs]


class CreateSchedule(Body):
    """A recurring crawl of a domain: `cron` in a time zone, or every `intervalHours`."""

    model_config = ConfigDict(json_schema_extra=_one_of_each)

    domain_id: Id = _absent(alias="domainId")
    domain: DomainText = _absent()
    cron: _Cron = _absent()
    interval_hours: _Hours = _absent(alias="intervalHours")
    timezone: _Zone = "UTC"
    options: ScheduledOptions = ScheduledOptions()
    overlap: OverlapName = Field("skip", description=_OVERLAP)
    missed: MissedName = Field("one", description=_MISSED)
    jitter: _Jitter = 0
    paused: bool = False

    @model_validator(mode="after")
    def _names_one_domain(self) -> Self:
        if (self.domain_id is None) == (self.domain is None):
            raise ValueError("give either domainId or domain")
        return self


class ChangeSchedule(Body):
    """What is to be different; `cron` takes the place of `intervalHours`, and the other way round."""

    cron: _Cron = _absent()
    interval_hours: _Hours = _absent(alias="intervalHours")
    timezone: _Zone = _absent()
    options: ScheduledOptions = _absent()
    overlap: OverlapName = _absent(description=_OVERLAP)
    missed: MissedName = _absent(description=_MISSED)
    jitter: _Jitter = _absent()
    paused: bool = _absent()


class ListSchedules(Paged):
    """Which schedules."""

    domain_id: Id | None = Field(None, alias="domainId")


class ScheduleResult(CamelResult):
    """A recurring crawl."""

    id: str
    domain_id: str
    domain: str
    cron: str | None
    timezone: str
    interval_hours: int | None
    options: dict[str, Any] = Field(description="What differs from the defaults of a crawl")
    overlap: OverlapName
    missed: MissedName
    jitter: int
    paused: bool
    next_run_at: Moment | None = Field(description="null while paused")
    next_runs: list[Moment] = Field(description="The next five, in the schedule's own time zone, without jitter")
    last_run_at: Moment | None
    last_run_status: RunStatusName | None
    last_error: str | None = Field(description="Why the last run was not started")
    last_job_id: str | None
    last_job_status: JobStatus | None
    created_at: Moment
    updated_at: Moment
