"""Between a form that people understand and a rule: "Mondays at 06:30" and `30 6 * * 1`. Pure."""

import re
from collections.abc import Mapping

from api.schemas.schedules import ScheduleResult
from shared.errors import Invalid

#: what can be chosen, and the last fields of its cron expression
DAYS = {
    "day": "* * *",
    "weekdays": "* * 1-5",
    "monday": "* * 1",
    "tuesday": "* * 2",
    "wednesday": "* * 3",
    "thursday": "* * 4",
    "friday": "* * 5",
    "saturday": "* * 6",
    "sunday": "* * 0",
    "month": "1 * *",
}
_CHOICES = {fields: name for name, fields in DAYS.items()}
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])").fullmatch
_FIXED = re.compile(r"([0-9]{1,2}) ([0-9]{1,2}) (.+)").fullmatch

#: the form of a new recurring crawl
EMPTY = {
    "domain": "",
    "every": "monday",
    "at": "06:00",
    "cron": "",
    "intervalHours": "",
    "timezone": "UTC",
    "overlap": "skip",
    "missed": "one",
    "jitter": "0",
}


def rule_of(form: Mapping[str, str]) -> dict[str, str]:
    """The API's fields for what was chosen. Raises Invalid, naming the field of the form."""
    every = form["every"]
    if every in ("cron", "hours"):
        field = {"cron": "cron", "hours": "intervalHours"}[every]
        if not form[field].strip():
            raise Invalid(f"Not valid: {field}", [(field, "is required")])
        return {field: form[field]}
    if every not in DAYS:
        raise Invalid("Not valid: every", [("every", "is none of the choices")])
    time = _TIME(form["at"].strip())
    if time is None:
        raise Invalid("Not valid: at", [("at", "must be a time of day, such as 06:30")])
    return {"cron": f"{int(time[2])} {int(time[1])} {DAYS[every]}"}


def form_of(s: ScheduleResult) -> dict[str, str]:
    """The form for a schedule."""
    form = EMPTY | {"timezone": s.timezone, "overlap": s.overlap, "missed": s.missed, "jitter": str(s.jitter)}
    if s.interval_hours is not None:
        return form | {"every": "hours", "intervalHours": str(s.interval_hours)}
    return form | _simple(s.cron or "")


def _simple(cron: str) -> dict[str, str]:
    fixed = _FIXED(cron)
    if fixed is None or fixed[3] not in _CHOICES:
        return {"every": "cron", "cron": cron}
    return {"every": _CHOICES[fixed[3]], "at": f"{int(fixed[2]):02}:{int(fixed[1]):02}", "cron": cron}


def words(s: ScheduleResult) -> str:
    """When it runs, to people."""
    if s.interval_hours is not None:
        return "every hour" if s.interval_hours == 1 else f"every {s.interval_hours} hours"
    simple = _simple(s.cron or "")
    if "at" not in simple:
        return simple["cron"]
    day = {"day": "every day", "weekdays": "Monday to Friday", "month": "on the 1st of each month"}
    return f"{day.get(simple['every'], simple['every'].title() + 's')} at {simple['at']}"
