"""Examples of changes and comparisons."""

from collections.abc import Mapping
from typing import Any

from api.examples.values import CREATED, DOMAIN, ENDED, JOB, PAGE, TASK

_CHANGE: dict[str, Any] = {
    "id": "018d0cb5-bf18-75e4-8000-000000000001",
    "type": "content",
    "types": ["content", "title"],
    "domainId": DOMAIN,
    "pageId": PAGE,
    "url": "https://competitor.com/pricing",
    "jobId": TASK,
    "crawlId": JOB,
    "similarity": 0.9731,
    "before": {"title": "Pricing"},
    "after": {"title": "Plans and pricing"},
    "createdAt": ENDED,
}
_SETTINGS = {
    "includeSelectors": ["main"],
    "dropSelectors": [".cookie-banner", "#ads > div"],
    "ignorePatterns": ["Visitors today: \\d+"],
    "ignoreClocks": True,
    "ignoreTokens": True,
    "ignoreDates": False,
    "ignoreNumbers": False,
    "minChange": 0.01,
}
_PROBLEM = {
    "pageId": PAGE,
    "url": "https://competitor.com/pricing",
    "note": "Nothing matches main: the whole page is compared",
    "at": ENDED,
}
_SHOWN = {"domainId": DOMAIN} | _SETTINGS | {"problems": [_PROBLEM]}
_COMPARED_JOB = {"id": JOB, "status": "completed", "created_at": CREATED, "completed_at": ENDED}
_SIDE = {"task_id": TASK, "status": "completed", "status_code": 200, "response_time": 120}
_BROKEN = {"task_id": TASK, "status": "failed", "status_code": 404, "response_time": 80}

#: by operation id
ANSWERS: Mapping[str, Any] = {
    "list_changes": {"data": [_CHANGE], "meta": {"total": 1, "page": 1, "pageSize": 20}},
    "get_change": {"data": _CHANGE | {"diff": "@@ -1,1 +1,1 @@\n-$10 a month\n+$12 a month", "diffTruncated": False}},
    "get_change_settings": {"data": _SHOWN},
    "put_change_settings": {"data": _SHOWN},
    "compare_jobs": {
        "before": _COMPARED_JOB,
        "after": _COMPARED_JOB | {"id": "018d0cb5-a3c0-71a0-8000-000000000002"},
        "summary": {
            "added": 0,
            "removed": 0,
            "changed": 1,
            "newly_broken": 1,
            "fixed": 0,
            "slower": 0,
            "unchanged": 98,
        },
        "pages": [
            {
                "page_id": PAGE,
                "url": "https://competitor.com/pricing",
                "kinds": ["changed", "newly_broken"],
                "before": _SIDE,
                "after": _BROKEN,
            }
        ],
        "pagination": {"limit": 100, "offset": 0, "total": 1, "has_next": False, "has_prev": False},
    },
}
BODIES: Mapping[str, Any] = {"put_change_settings": _SETTINGS}
