"""Examples of the `/v1` family (seeds/v1-*.txt)."""

from collections.abc import Mapping
from typing import Any

from api.examples.values import CREATED, ENDED, JOB, STARTED, TASK

_RUN = "300e9c5c127d421c90f431478d9a2cfb"

_CRAWL: dict[str, Any] = {
    "id": JOB,
    "domain": "example.com",
    "domain_id": 1,
    "status": "running",
    "organisation_id": "018d0cb5-0000-7000-8000-000000000001",
    "created_at": CREATED,
    "started_at": STARTED,
    "completed_at": None,
    "cancelled_at": None,
    "error": None,
    "use_sitemap": True,
    "find_links": True,
    "allow_cross_subdomain_links": True,
    "respect_robots": True,
    "max_pages": 100,
    "concurrency": 20,
    "source_type": "api",
    "source_detail": "create_job",
    "include": [],
    "exclude": [],
    "max_depth": None,
    "query": "keep",
    "user_agent": None,
    "headers": [],
    "cookies": [],
    "auth": False,
    "sitemap_url": None,
    "url_count": 0,
    "conditional_requests": True,
}
_NARROW = _CRAWL | {
    "include": ["/blog/*"],
    "exclude": ["*.pdf", "re:[?&]sort="],
    "max_depth": 5,
    "query": {"drop": ["utm_*", "gclid"]},
    "headers": ["x-preview"],
    "auth": True,
}
_PROGRESS = {"total_tasks": 100, "completed_tasks": 40, "failed_tasks": 2, "skipped_tasks": 4, "percentage": 43.8}
_NO_PROGRESS = {"total_tasks": 0, "completed_tasks": 0, "failed_tasks": 0, "skipped_tasks": 0, "percentage": 0.0}
_STATS = {"avg_response_time": 182, "cache_hit_ratio": 0.75, "total_bytes": 1843200}
_NO_STATS = {"avg_response_time": None, "cache_hit_ratio": None, "total_bytes": 0}
_PAUSED = _CRAWL | {"paused_at": ENDED, "progress": _PROGRESS, "stats": _STATS}
_STOPPED = _CRAWL | {"status": "cancelled", "cancelled_at": ENDED, "progress": _PROGRESS, "stats": _STATS}

_BROKEN = {
    "url": "https://example.com/old",
    "status": "failed",
    "status_code": 404,
    "error": "HTTP 404",
    "source_type": "link_crawl",
    "source_url": "https://example.com/",
    "created_at": CREATED,
}
_BROKEN_TASK = _BROKEN | {
    "id": TASK,
    "job_id": JOB,
    "path": "/old",
    "response_time": 87,
    "cache_status": "MISS",
    "second_response_time": None,
    "second_cache_status": None,
    "content_type": "text/html",
    "retry_count": 0,
    "page_views_7d": None,
    "page_views_28d": None,
    "page_views_180d": None,
    "started_at": STARTED,
    "completed_at": ENDED,
}
_SUMMARY = {
    "total_tasks": 100,
    "by_status": {"pending": 54, "running": 0, "completed": 40, "failed": 2, "skipped": 4},
    "by_status_code": {"200": 40, "404": 2},
    "performance": {
        "avg_response_time": 182,
        "median_response_time": 150,
        "p95_response_time": 410,
        "p99_response_time": 900,
        "slow_pages_count": 0,
        "total_bytes": 1843200,
        "cache_hit_ratio": 0.75,
    },
}
_COLUMNS = {
    "source_url": "Found on",
    "url": "Broken link",
    "status": "Status",
    "status_code": "Status code",
    "error": "Error",
    "created_at": "Created at",
    "source_type": "Source type",
}
_EXPORT = {
    "export_type": "broken-links",
    "export_time": "2024-01-15T11:00:00Z",
    "total_tasks": 1,
    "columns": [{"key": key, "label": label} for key, label in _COLUMNS.items()],
    "tasks": [{key: _BROKEN[key] for key in _COLUMNS}],
}
_TASK_DEFINITION = {
    "object": "task",
    "hash_value": "c5e29d2aba8b77cdc56391e7405302de",
    "created_at": "2024-12-24T10:57:55.045567Z",
    "is_active": True,
    "params": {"url": "https://competitor.com/"},
    "module": 2,
    "status": {
        "status": "completed",
        "started_at": "2025-02-04T10:25:47.278419Z",
        "ended_at": "2025-02-04T10:26:52.310738Z",
        "is_done": True,
        "total_results": 156,
        "total_pages": 1,
        "done_reason": "completed",
        "has_errors": False,
        "errors": None,
    },
}
_RUN_TASK = {
    "object": "runtask",
    "id": "1262f6f99dac7dffb05a513fff0ded77",
    "started_at": "2025-02-10T14:30:58Z",
    "ended_at": "2025-02-10T14:31:10Z",
    "total_results": 138,
    "last_result": 6,
    "total_pages": 1,
    "done_reason": "run_aborted",
    "last_page": 0,
    "status": "aborted",
    "run": _RUN,
    "task": "d30334cd8d21ab16048c5e2e7136a9f1",
    "params": {"url": "https://www.google.com/maps/search/restaurant/@43.2928346,5.3662584,17z"},
    "last_collection_at": "2025-02-10T14:31:10Z",
    "done_reason_desc": None,
}
_RUN_PAGE = {"limit": 50, "page": 1, "total_pages": 1, "result_from": 1, "result_to": 1, "next": None, "previous": None}

_TASK_LIST = {
    "tasks": [_BROKEN_TASK],
    "pagination": {"limit": 50, "offset": 0, "total": 2, "has_next": True, "has_prev": False},
    "summary": _SUMMARY,
}
_DETAILS = {
    "task": _BROKEN_TASK,
    "attempts": [
        {
            "outcome": "failed",
            "started_at": STARTED,
            "ended_at": ENDED,
            "status_code": 404,
            "response_time": 87,
            "error": "HTTP 404",
            "phases": {"dns": 2.1, "connect": 11.4, "tls": 23.9, "first_byte": 48.0, "download": 1.2},
            "headers": [{"name": "server", "value": "nginx"}, {"name": "set-cookie", "value": "(not kept)"}],
            "worker": "worker-1-4711-3f0a9c",
            "second_request": None,
        }
    ],
    "redirects": [
        {
            "status_code": 301,
            "url": "https://example.com/old",
            "headers": [{"name": "location", "value": "https://example.com/old"}],
        }
    ],
    "linked_from": {"total": 2, "urls": ["https://example.com/", "https://example.com/about"]},
}
#: by operation id
ANSWERS: Mapping[str, Any] = {
    "create_job": _CRAWL | {"status": "created", "started_at": None, "progress": _NO_PROGRESS, "stats": _NO_STATS},
    "list_jobs": {"jobs": [_CRAWL], "pagination": {"limit": 20, "offset": 0, "total": 1, "has_next": False}},
    "get_job": _NARROW | {"progress": _PROGRESS, "stats": _STATS},
    "delete_job": _STOPPED,
    "cancel_job": _STOPPED,
    "pause_job": _PAUSED,
    "resume_job": _CRAWL | {"progress": _PROGRESS, "stats": _STATS},
    "list_tasks": _TASK_LIST,
    "get_task_details": _DETAILS,
    "export_tasks": _EXPORT,
    "get_task": _TASK_DEFINITION,
    "list_run_tasks": {"total_results": 1, "data": [_RUN_TASK]} | _RUN_PAGE,
}
#: bodies to send
BODIES: Mapping[str, Any] = {
    "create_job": {
        "domain": "example.com",
        "options": {"use_sitemap": True, "find_links": True, "max_pages": 100, "concurrency": 20},
    },
}
