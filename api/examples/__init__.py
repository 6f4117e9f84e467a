"""Examples of every answer in the OpenAPI document: the five documents' own, where they have one, with our ids."""

from collections.abc import Mapping
from typing import Any

from api.examples import analytics, changes, queue, schedules, v1, webhooks

_PUBLIC: Mapping[str, Any] = {
    "get_health": {"status": "ok"},
    "get_readiness": {"status": "ok", "redis": True, "database": True, "migrated": True},
    "get_openapi": {"openapi": "3.1.0", "info": {"title": "Crawlyard", "version": "1"}, "paths": {}},
}
_ANSWERS = {
    **v1.ANSWERS,
    **queue.ANSWERS,
    **analytics.ANSWERS,
    **schedules.ANSWERS,
    **changes.ANSWERS,
    **webhooks.ANSWERS,
    **_PUBLIC,
}
_BODIES = {**v1.BODIES, **queue.BODIES, **analytics.BODIES, **schedules.BODIES, **changes.BODIES, **webhooks.BODIES}
#: by content type
_TEXTS: Mapping[str, str] = {
    "text/plain": '# TYPE crawlyard_queue_jobs gauge\ncrawlyard_queue_jobs{queue="crawl",state="waiting"} 5.0\n',
    "text/csv": "source_url,url,status\r\nhttps://example.com/,https://example.com/old,failed\r\n",
    "application/x-ndjson": '{"url": "https://example.com/old", "status": "failed"}\n',
    "text/event-stream": (
        'event: progress\nid: 1705314605000000\ndata: {"total_tasks": 8, "completed_tasks": 3, "failed_tasks": 0, '
        '"skipped_tasks": 0, "percentage": 37.5, "running_tasks": 2}\n\n'
    ),
    "text/html": "<!doctype html><title>Crawlyard API</title>",
    "text/javascript": '"use strict";',
    "text/css": "body { margin: 0 }",
}
_NOT_READY = {"status": "unavailable", "redis": False, "database": True, "migrated": True}
_SENTENCES: Mapping[int, str] = {
    400: "Not valid: {field}",
    401: "Invalid or missing API key.",
    403: "The API key lacks the scope `{scope}`",
    404: "Not found",
    409: "The resource is in a state that does not allow this.",
    413: "The request body is too large.",
    415: "The request body must be JSON (Content-Type: application/json).",
    429: "Too many requests with this API key.",
    500: "Something went wrong",
    503: "The database cannot be reached.",
}


def answer(name: str, status: int) -> Any:
    """The JSON of an operation's answer."""
    return _NOT_READY if status == 503 else _ANSWERS[name]


def text(content_type: str) -> str:
    """An answer that is no JSON."""
    return _TEXTS[content_type]


def body(name: str) -> Any:
    """What to send to an operation."""
    return _BODIES.get(name, {})


def error(status: int, code: str, scope: str | None) -> dict[str, Any]:
    """An error's body."""
    details = [{"field": "x", "message": "unknown query parameter"}] if status == 400 else []
    return {
        "error": _SENTENCES[status].format(field="x", scope=scope),
        "code": code,
        "details": details,
        "request_id": "018d0cb5a3c070008000000000000001",
    }
