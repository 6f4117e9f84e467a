"""Examples of the `/api` family (seeds/api-jobs.txt)."""

from collections.abc import Mapping
from typing import Any

from api.examples.values import CREATED, DOMAIN, ENDED, JOB, PAGE, STARTED, TASK

_META = {"total": 1, "page": 1, "pageSize": 20}

_CRAWLED: dict[str, Any] = {
    "id": TASK,
    "name": "crawl.page",
    "type": "crawl",
    "url": "https://competitor.com/pricing",
    "domainId": DOMAIN,
    "pageId": PAGE,
    "state": "completed",
    "progress": 100,
    "attemptsMade": 1,
    "createdAt": CREATED,
    "processedAt": STARTED,
    "finishedAt": ENDED,
    "failedReason": None,
}
_DISCOVERED = _CRAWLED | {
    "name": "discover.pages",
    "type": "discover",
    "url": None,
    "pageId": None,
    "maxAttempts": 3,
    "finishedAt": "2024-01-15T10:30:45Z",
    "returnValue": {"pagesDiscovered": 8, "pagesAdded": 8},
}
_NOT_RUN = {"progress": 0, "attemptsMade": 0, "processedAt": None, "finishedAt": None}
_NO_RESULT: dict[str, Any] = {"maxAttempts": 3, "returnValue": None}
_WAITING = _CRAWLED | _NOT_RUN | _NO_RESULT | {"state": "waiting"}
_DISCOVERING = _DISCOVERED | _NOT_RUN | _NO_RESULT | {"state": "waiting"}
_CANCELLED = _WAITING | {"state": "cancelled", "finishedAt": ENDED}

_COUNTS = {"waiting": 5, "active": 2, "completed": 150, "failed": 3, "delayed": 0}
_QUEUE = {"name": "crawl", "paused": False} | _COUNTS
_WORKER = {
    "name": "7d1f0c9be3a44f0f8f3b0f6a2c1e5d77",
    "state": "busy",
    "queues": ["discover", "default", "crawl"],
    "hostname": "worker-1",
    "pid": 4711,
    "activeJobs": 8,
    "observedAt": ENDED,
    "current": [{"id": TASK, "name": "crawl.page", "url": "https://competitor.com/pricing", "since": CREATED}],
    "birth": CREATED,
    "lastHeartbeat": ENDED,
    "successfulJobs": 150,
    "failedJobs": 3,
    "totalWorkingTime": 412.5,
}
_SHOWN_DOMAIN = {"id": DOMAIN, "number": 1, "domain": "competitor.com", "createdAt": CREATED}
_SHOWN_PAGE = {
    "id": PAGE,
    "domainId": DOMAIN,
    "url": "https://competitor.com/pricing",
    "path": "/pricing",
    "title": "Pricing",
    "statusCode": 200,
    "createdAt": CREATED,
    "crawledAt": ENDED,
    "removedAt": None,
}

#: by operation id
ANSWERS: Mapping[str, Any] = {
    "list_queue_jobs": {"data": [_CRAWLED], "meta": _META},
    "get_queue_job": {"data": _DISCOVERED},
    "get_stats": {"data": _COUNTS | {"total": 7}},
    "create_queue_job": {"data": _WAITING},
    "retry_queue_job": {"data": _WAITING | {"attemptsMade": 3}},
    "promote_queue_job": {"data": _WAITING},
    "cancel_queue_job": {"data": _CANCELLED},
    "retry_failed": {"data": {"retried": 3}},
    "list_queues": {"data": [_QUEUE]},
    "pause_queue": {"data": _QUEUE | {"paused": True}},
    "resume_queue": {"data": _QUEUE},
    "list_workers": {"data": [_WORKER]},
    "list_domains": {"data": [_SHOWN_DOMAIN], "meta": _META},
    "create_domain": {"data": _SHOWN_DOMAIN, "job": {k: v for k, v in _DISCOVERING.items() if k not in _NO_RESULT}},
    "get_domain": {"data": _SHOWN_DOMAIN},
    "delete_domain": {"data": _SHOWN_DOMAIN},
    "list_pages": {"data": [_SHOWN_PAGE], "meta": _META},
    "create_page": {"data": _SHOWN_PAGE | {"title": None, "statusCode": None, "crawledAt": None}},
    "discover_domain": {"data": _DISCOVERING},
    "crawl_domain": {"data": _DISCOVERING},
    "crawl_page": {"data": _WAITING},
}
#: bodies to send
BODIES: Mapping[str, Any] = {
    "create_queue_job": {"name": "crawl.page", "url": "https://competitor.com/pricing"},
    "retry_failed": {"name": "crawl.page", "jobId": JOB, "limit": 100},
    "create_domain": {"domain": "competitor.com"},
    "create_page": {"url": "https://competitor.com/pricing"},
    "crawl_domain": {"max_pages": 100, "include": ["/blog/*"], "query": {"drop": ["utm_*", "gclid"]}},
}
