"""The `webhooks` object of the OpenAPI document: what receivers are sent."""

from typing import Any

from api.examples.webhooks import EVENTS, TIMESTAMP

_HEADERS = {
    "webhook-id": "The same for each attempt and each redelivery of an event: what was seen before can be dropped",
    "webhook-timestamp": "Seconds since the epoch at which this attempt was made",
    "webhook-signature": "`v1,` and the HMAC-SHA-256 of `id.timestamp.body` in base64; several with a space between",
}
_SUMMARIES = {
    "job.completed": "A crawl job completed",
    "job.failed": "Nothing of a crawl job could be crawled",
    "job.cancelled": "A crawl job was cancelled",
    "page.changed": "A page is not what it was at the crawl before",
    "schedule.missed": "A recurring crawl could not start when it was due",
    "webhook.test": "Somebody tried the webhook out",
}


def document() -> dict[str, Any]:
    """By type of event, the request that a webhook gets (OpenAPI 3.1, "webhooks")."""
    return {type: {"post": _operation(type)} for type in _SUMMARIES}


def _operation(type: str) -> dict[str, Any]:
    example = {"type": type, "timestamp": TIMESTAMP, "data": EVENTS[type]}
    schema = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": type},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {"type": "object"},
        },
    }
    return {
        "operationId": f"on_{type.replace('.', '_')}",
        "summary": _SUMMARIES[type],
        "description": "Signed by Standard Webhooks. Sent until a 2xx answers, for about a day; 410 ends it for good.",
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}},
        "responses": {
            "2XX": {"description": "Taken"},
            "410": {"description": "Nothing more, ever: the webhook is switched off"},
        },
    }
