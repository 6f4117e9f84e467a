"""Examples of recurring crawls."""

from collections.abc import Mapping
from typing import Any

from api.examples.values import CREATED, DOMAIN, JOB

_SCHEDULE: dict[str, Any] = {
    "id": "018d0cb5-a3c0-7000-8000-000000000007",
    "domainId": DOMAIN,
    "domain": "competitor.com",
    "cron": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "intervalHours": None,
    "options": {"max_pages": 100},
    "overlap": "skip",
    "missed": "one",
    "jitter": 0,
    "paused": False,
    "nextRunAt": "2024-03-30T01:30:00Z",
    # clocks go forward on the 31st, from 02:00 to 03:00
    "nextRuns": [
        "2024-03-30T02:30:00+01:00",
        "2024-03-31T03:00:00+02:00",
        "2024-04-01T02:30:00+02:00",
        "2024-04-02T02:30:00+02:00",
        "2024-04-03T02:30:00+02:00",
    ],
    "lastRunAt": "2024-03-29T01:30:00.412805Z",
    "lastRunStatus": "started",
    "lastError": None,
    "lastJobId": JOB,
    "lastJobStatus": "completed",
    "createdAt": CREATED,
    "updatedAt": CREATED,
}
_NEVER_RUN = {"lastRunAt": None, "lastRunStatus": None, "lastJobId": None, "lastJobStatus": None}
_PAUSED: dict[str, Any] = {"paused": True, "nextRunAt": None, "nextRuns": []}

#: by operation id
ANSWERS: Mapping[str, Any] = {
    "list_schedules": {"data": [_SCHEDULE], "meta": {"total": 1, "page": 1, "pageSize": 20}},
    "create_schedule": {"data": _SCHEDULE | _NEVER_RUN},
    "get_schedule": {"data": _SCHEDULE},
    "change_schedule": {"data": _SCHEDULE | _PAUSED},
    "delete_schedule": {"data": _SCHEDULE},
    "run_schedule": {"data": _SCHEDULE | {"lastJobStatus": "created"}},
}
#: bodies to send
BODIES: Mapping[str, Any] = {
    "create_schedule": {
        "domainId": DOMAIN,
        "cron": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "options": {"max_pages": 100},
    },
    "change_schedule": {"paused": True},
}
