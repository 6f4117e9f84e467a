"""Examples of webhooks, and of what they are told."""

from collections.abc import Mapping
from typing import Any

from api.examples.values import CREATED, ENDED, JOB, PAGE, STARTED, TASK

_ID = "018d0cb5-a3c0-7abc-8000-00000000000a"
_SECRET = "whsec_" + "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
_WEBHOOK: dict[str, Any] = {
    "id": _ID,
    "type": "http",
    "url": "https://example.com/hooks/crawlyard",
    "events": ["job.completed", "job.failed"],
    "description": "the build server",
    "isActive": True,
    "disabledReason": None,
    "failingSince": None,
    "oldSecretUntil": None,
    "createdAt": CREATED,
    "updatedAt": CREATED,
}
_META = {"total": 1, "page": 1, "pageSize": 20}
_JOB = {
    "id": "018d0cb5-a3c0-71a0-8000-000000000001",
    "domain": "competitor.com",
    "domain_id": 1,
    "status": "completed",
    "error": None,
    "source_type": "api",
    "source_detail": "create_job",
    "created_at": CREATED,
    "started_at": STARTED,
    "completed_at": ENDED,
    "total_tasks": 8,
    "completed_tasks": 7,
    "failed_tasks": 1,
    "skipped_tasks": 0,
}
_DELIVERY: dict[str, Any] = {
    "id": "018d0cb5-a3c0-74d3-8000-000000000001",
    "messageId": "msg_018d0cb5a3c07abc800000000000000b",
    "eventType": "webhook.test",
    "status": "delivered",
    "attempts": 1,
    "statusCode": 200,
    "duration": 84,
    "error": None,
    "answer": "ok",
    "payload": f'{{"type":"webhook.test","timestamp":"{CREATED}","data":{{"webhook_id":"{_ID}"}}}}',
    "createdAt": CREATED,
    "attemptedAt": STARTED,
    "nextAttemptAt": None,
    "completedAt": ENDED,
}
_WAITING = {"status": "pending", "attempts": 0, "nextAttemptAt": CREATED}
_NOT_YET = dict.fromkeys(("statusCode", "duration", "answer", "attemptedAt", "completedAt"))
_NEW = _DELIVERY | _WAITING | _NOT_YET

#: by operation id
ANSWERS: Mapping[str, Any] = {
    "list_webhooks": {"data": [_WEBHOOK], "meta": _META},
    "create_webhook": {"data": _WEBHOOK | {"secret": _SECRET}},
    "get_webhook": {"data": _WEBHOOK},
    "change_webhook": {"data": _WEBHOOK | {"isActive": False, "disabledReason": "Switched off by request"}},
    "delete_webhook": {"data": _WEBHOOK},
    "rotate_webhook": {"data": _WEBHOOK | {"secret": _SECRET, "oldSecretUntil": ENDED}},
    "try_webhook": {"data": _NEW},
    "list_deliveries": {"data": [_DELIVERY], "meta": _META},
    "redeliver": {"data": _NEW},
}
BODIES: Mapping[str, Any] = {
    "create_webhook": {"url": "https://example.com/hooks/crawlyard", "events": ["job.completed", "job.failed"]},
    "change_webhook": {"isActive": False},
}
_CHANGE = {
    "id": _ID,
    "type": "content",
    "types": ["content", "title"],
    "url": "https://competitor.com/pricing",
    "domain": "competitor.com",
    "domain_id": 1,
    "page_id": PAGE,
    "job_id": JOB,
    "task_id": TASK,
    "similarity": 0.93,
    "created_at": ENDED,
}
_MISSED = {"schedule_id": _ID, "domain": "competitor.com", "due_at": CREATED, "missed": 3, "caught_up": True}
#: `data` by type of event
EVENTS: Mapping[str, Any] = {
    "job.completed": _JOB,
    "job.failed": _JOB
    | {"status": "failed", "error": "The host name does not exist", "total_tasks": 0}
    | {"completed_tasks": 0, "failed_tasks": 0},
    "job.cancelled": _JOB | {"status": "cancelled", "completed_tasks": 3, "failed_tasks": 0, "skipped_tasks": 5},
    "page.changed": _CHANGE,
    "schedule.missed": _MISSED,
    "webhook.test": {"webhook_id": _ID},
}
TIMESTAMP = ENDED
