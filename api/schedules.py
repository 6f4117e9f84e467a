"""`/api/schedules`: recurring crawls."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import orjson

from api import lookup
from api.context import Answer, Call
from api.inputs import naming
from api.options import job_options
from api.schemas.common import Data, DataPage, Meta, NoBody, NoQuery
from api.schemas.options import shown_difference
from api.schemas.schedules import ChangeSchedule, CreateSchedule, ListSchedules, ScheduledOptions, ScheduleResult
from shared import recurrence, urls
from shared import schedules as cases
from shared.clock import iso, now_us
from shared.models import Domain, JobOptions, Schedule
from shared.recurrence import Recurrence
from shared.states import Missed, Overlap
from shared.store import domains, schedules

_SHOWN_RUNS = 5


def list_schedules(call: Call, given: ListSchedules) -> Answer:
    """Recurring crawls, newest first."""
    domain_no = lookup.domain_in_query(call, given.domain_id)
    found, total = schedules.page(call.store, call.organisation_id, domain_no, given.limit, given.skip)
    meta = Meta(total=total, page=given.page, page_size=given.limit)
    return Answer(DataPage[ScheduleResult](data=[schedule_result(schedule) for schedule in found], meta=meta))


def create_schedule(call: Call, given: CreateSchedule) -> Answer:
    """Crawls a domain again and again. A `domain` that is new is added."""
    rule = Recurrence(_normal(given.cron), given.timezone, given.interval_hours)
    recurrence.check(rule, now_us())
    options = _options(call, given.options)
    made = replace(
        cases.new(_domain(call, given), rule, options),
        overlap=Overlap[given.overlap.upper()],
        missed=Missed[given.missed.upper()],
        jitter=given.jitter,
        is_paused=given.paused,
    )
    return _one(cases.create(call.store, call.queue, made, call.claim), 201)


def get_schedule(call: Call, _given: NoQuery) -> Answer:
    """One recurring crawl, with its next five runs."""
    return _one(schedules.get(call.store, call.path["id"], call.organisation_id))


def change_schedule(call: Call, given: ChangeSchedule, kept: Collection[str] = ()) -> Answer:
    """Changes, pauses or resumes a recurring crawl; a crawl that goes is left alone.

    `kept` names fields of JobOptions that stay as they are whatever `given` has for options.
    """
    wishes = _wishes(call, given)

    def edit(before: Schedule) -> Schedule:
        after = replace(before, rule=_rule(before.rule, given), **wishes)
        return replace(after, options=_keeping(before.options, after.options, kept)) if kept else after

    return _one(cases.change(call.store, call.queue, call.organisation_id, call.path["id"], edit))


def delete_schedule(call: Call, _given: NoQuery) -> Answer:
    """Ends a recurring crawl; its crawls stay."""
    return _one(cases.remove(call.store, call.queue, call.organisation_id, call.path["id"]))


def run_schedule(call: Call, _given: NoBody) -> Answer:
    """Starts a crawl of the schedule now, also while it is paused; `lastJobId` names it."""
    return _one(cases.run_now(call.store, call.queue, call.organisation_id, call.path["id"], call.claim), 202)


def _domain(call: Call, given: CreateSchedule) -> Domain:
    if given.domain_id is not None:
        return lookup.domain(call, given.domain_id)
    with naming("domain"):
        host = urls.parse_domain(given.domain).host
    return call.store.write(lambda conn: domains.ensure(conn, call.organisation_id, host, now_us()))


def _options(call: Call, given: ScheduledOptions) -> str:
    return orjson.dumps(job_options(call, given.given()).as_dict()).decode()


def _keeping(before: str, after: str, kept: Collection[str]) -> str:
    old: dict[str, Any] = orjson.loads(before)
    return orjson.dumps(orjson.loads(after) | {name: old[name] for name in kept if name in old}).decode()


def _wishes(call: Call, given: ChangeSchedule) -> dict[str, Any]:
    """The fields to change, beside the rule."""
    readers: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "options": ("options", lambda value: _options(call, value)),
        "overlap": ("overlap", lambda value: Overlap[value.upper()]),
        "missed": ("missed", lambda value: Missed[value.upper()]),
        "jitter": ("jitter", int),
        "paused": ("is_paused", bool),
    }
    sent = [name for name in readers if name in given.model_fields_set]
    return {readers[name][0]: readers[name][1](getattr(given, name)) for name in sent}


def _rule(before: Recurrence, given: ChangeSchedule) -> Recurrence:
    """The rule with what was sent of it; two at once are left for the check to refuse."""
    zone = before.zone if given.timezone is None else given.timezone
    if given.cron is None and given.interval_hours is None:
        return replace(before, zone=zone)
    return Recurrence(_normal(given.cron), zone, given.interval_hours)


def _normal(cron: str | None) -> str | None:
    return None if cron is None else " ".join(cron.split())


def _one(schedule: Schedule, status: int = 200) -> Answer:
    return Answer(Data[ScheduleResult](data=schedule_result(schedule)), status=status)


def schedule_result(s: Schedule) -> ScheduleResult:
    """A recurring crawl as `/api` shows it."""
    return ScheduleResult(
        id=s.uid,
        domain_id=s.domain.uid,
        domain=s.domain.host,
        cron=s.rule.cron,
        timezone=s.rule.zone,
        interval_hours=s.rule.interval_hours,
        options=shown_difference(crawl_options(s)),
        overlap=_word(s.overlap),
        missed=_word(s.missed),
        jitter=s.jitter,
        paused=s.is_paused,
        next_run_at=iso(s.next_run_at),
        next_runs=recurrence.next_runs(s.rule, s.next_run_at, _SHOWN_RUNS),
        last_run_at=iso(s.last_run_at),
        last_run_status=_word(s.last_status),
        last_error=s.last_error,
        last_job_id=s.last_job.uid if s.last_job else None,
        last_job_status=_word(s.last_job.state) if s.last_job else None,
        created_at=iso(s.created_at) or "",
        updated_at=iso(s.updated_at) or "",
    )


def crawl_options(s: Schedule) -> JobOptions:
    """What each crawl of a schedule is to do."""
    return JobOptions.from_dict(orjson.loads(s.options))


def _word(code: Any) -> Any:
    return None if code is None else code.name.lower()
