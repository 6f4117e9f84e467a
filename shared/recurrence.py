"""When a recurring crawl is due, and what is done when it is. Pure: no clock, no store, no chance.

Cron expressions are those of Debian's cron (crontab(5)) as `cronsim` reads them, in an IANA time zone. On the
day that clocks go forward, a run at a fixed time that does not exist comes right after the gap; on the day
that they go back it comes once. An interval counts hours that pass, whatever clocks say. Moments are
microseconds since the epoch, on whole seconds.
"""

import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from shared.clock import SECOND
from shared.errors import Invalid
from shared.states import Missed, Overlap, RunStatus

HOUR = 3600 * SECOND
#: a year
MAX_INTERVAL = 8760
#: seconds
MAX_JITTER = 3600
#: a run that starts no later than this is on time: the schedulers may have failed over
PUNCTUAL = 60 * SECOND
#: most missed runs that are counted: every minute of a week
_MOST_COUNTED = 10_080
#: names in the zone database that are no zones of IANA's
_NO_ZONES = {"Factory", "localtime", "posixrules"}


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A cron expression with its zone, or an interval."""

    cron: str | None
    #: IANA name; for an interval, the zone that its moments are shown in
    zone: str
    interval_hours: int | None


@cache
def zones() -> frozenset[str]:
    """The names of all time zones."""
    return frozenset(zoneinfo.available_timezones() - _NO_ZONES)


def check(rule: Recurrence, now: int) -> None:
    """Raises Invalid, naming the field, for a rule that no run follows from."""
    if (rule.cron is None) == (rule.interval_hours is None):
        raise _wrong("cron", "give either cron or intervalHours")
    if rule.interval_hours is not None and not 1 <= rule.interval_hours <= MAX_INTERVAL:
        raise _wrong("intervalHours", f"must be from 1 to {MAX_INTERVAL}")
    if rule.zone not in zones():
        raise _wrong("timezone", "is no IANA time zone, such as Europe/Berlin")
    if rule.cron is not None:
        _check_cron(rule.cron, rule, now)


def _check_cron(cron: str, rule: Recurrence, now: int) -> None:
    if len(cron.split()) != 5:
        raise _wrong("cron", "must have five fields: minute, hour, day of month, month, day of week")
    if next(moments(rule, now, now), None) is None:
        raise _wrong("cron", "never comes: no date fits it")


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(f"Not valid: {field}", [(field, message)])


def moments(rule: Recurrence, anchor: int, after: int) -> Iterator[int]:
    """When runs are due after a moment, in order. `anchor`: a moment from which an interval is counted.

    Raises Invalid for a rule that cannot be read.
    """
    if rule.interval_hours is not None:
        step = rule.interval_hours * HOUR
        due = anchor + (after - anchor) // step * step
        while True:
            due += step
            yield due
    for moment in _cron(rule, after):
        due = int(moment.timestamp()) * SECOND
        # in the repeated hour of a day that clocks go back, cronsim names the first one of two
        if due > after:
            yield due


def _cron(rule: Recurrence, after: int) -> Iterator[datetime]:
    try:
        zone = ZoneInfo(rule.zone)
    except (KeyError, ValueError, OSError):
        raise _wrong("timezone", "is no IANA time zone, such as Europe/Berlin") from None
    try:
        return CronSim(rule.cron or "", datetime.fromtimestamp(after // SECOND, zone))
    except (CronSimError, ValueError) as error:
        raise _wrong("cron", f"is no cron expression that ever comes: {str(error)[:100]}") from None


def first(rule: Recurrence, now: int) -> int | None:
    """When a rule that begins now is due first; None: never."""
    start = now if rule.cron is not None else -(-now // SECOND) * SECOND
    return next(moments(rule, start, start), None)


def following(rule: Recurrence, due: int, now: int) -> int | None:
    """When the run after the one of `due` is due: after an outage, in the future; None: never."""
    return next(moments(rule, due, now if is_late(due, now) else due), None)


def next_runs(rule: Recurrence, due: int | None, n: int) -> list[str]:
    """The next n runs, `due` the first: ISO 8601 with the offset of the rule's own zone then.

    None without one, and for a rule that cannot be read any more.
    """
    if due is None or rule.zone not in zones():
        return []
    return [shown(rule, moment) for moment in (due, *islice(moments(rule, due, due), n - 1))]


def shown(rule: Recurrence, moment: int) -> str:
    """A moment in the rule's own zone."""
    return datetime.fromtimestamp(moment // SECOND, ZoneInfo(rule.zone)).isoformat()


def passed(rule: Recurrence, due: int, now: int) -> int:
    """How many runs were due from `due` until now; a week of minutes at most."""
    count = 1
    for moment in islice(moments(rule, due, due), _MOST_COUNTED - 1):
        if moment > now:
            break
        count += 1
    return count


def jittered(rule: Recurrence, due: int, jitter: int, fraction: float) -> int:
    """When a run is started: up to `jitter` seconds late, and never later than half way to the next one."""
    after = next(moments(rule, due, due), None)
    most = jitter if after is None else min(jitter, (after - due) // SECOND // 2)
    return due + int(most * fraction) * SECOND


def is_late(fire_at: int, now: int) -> bool:
    """Whether a run was missed: what should have started it was away."""
    return now - fire_at > PUNCTUAL


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides about a run that is due."""

    #: due times that an outage has passed over, this one included; 0: it is on time
    missed: int
    #: the last run still goes
    is_busy: bool
    #: another run waits for that already
    is_waited_for: bool


def decide(now: Situation, missed: Missed, overlap: Overlap) -> RunStatus | None:
    """What becomes of a run; None: cancel the last one, then ask again."""
    if now.missed and missed is Missed.NONE:
        return RunStatus.MISSED
    if not now.is_busy:
        return RunStatus.STARTED
    if overlap is Overlap.CANCEL:
        return None
    if overlap is Overlap.QUEUE and not now.is_waited_for:
        return RunStatus.WAITING
    return RunStatus.SKIPPED
