"""Every error as `{"error", "code", "details", "request_id"}`, whoever raised it."""

import logging
from collections.abc import Mapping, Sequence

import orjson
from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from shared.errors import CrawlyardError, Invalid, Unavailable

log = logging.getLogger(__name__)

#: codes of the statuses that Werkzeug raises
CODES: Mapping[int, str] = {
    400: "VALIDATION_ERROR",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMIT_EXCEEDED",
    503: "SERVICE_UNAVAILABLE",
}
_SENTENCES: Mapping[int, str] = {
    404: "Not found",
    405: "The method is not allowed for this path",
    413: "The request body is too large",
}
RETRY_AFTER = "5"


class PayloadTooLarge(CrawlyardError):
    """The request body is too large."""

    code = "PAYLOAD_TOO_LARGE"
    http_status = 413


class UnsupportedMediaType(CrawlyardError):
    """The request body must be JSON (Content-Type: application/json)."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    http_status = 415


class RateLimitExceeded(CrawlyardError):
    """Too many requests with this API key."""

    code = "RATE_LIMIT_EXCEEDED"
    http_status = 429
    retryable = True


def register(app: Flask) -> None:
    """Makes every error of the app an answer of one shape."""
    app.register_error_handler(CrawlyardError, _ours)
    app.register_error_handler(HTTPException, _werkzeugs)
    app.register_error_handler(Exception, _unexpected)


def _ours(error: CrawlyardError) -> Response:
    details = error.details if isinstance(error, Invalid) else ()
    if error.http_status >= 500:
        log.warning("%s", error.message)
    # what exactly is away (host names, driver messages) is for the log
    message = type(error)().message if isinstance(error, Unavailable) else error.message
    answer = _answer(error.http_status, error.code, message, details)
    if error.http_status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if error.http_status == 503:
        answer.headers["Retry-After"] = RETRY_AFTER
    return answer


def _werkzeugs(error: HTTPException) -> Response:
    status = error.code or 500
    message = _SENTENCES.get(status) or (error.description or error.name).split("\n")[0]
    answer = _answer(status, CODES.get(status, "INTERNAL_ERROR" if status >= 500 else "VALIDATION_ERROR"), message)
    for name, value in error.get_headers():
        if name == "Allow":
            answer.headers[name] = value
    return answer


def _unexpected(error: Exception) -> Response:
    log.error("The request failed", exc_info=error)
    return _answer(500, "INTERNAL_ERROR", "Something went wrong")


def _answer(status: int, code: str, message: str, details: Sequence[tuple[str, str]] = ()) -> Response:
    body = {
        "error": message,
        "code": code,
        "details": [{"field": field, "message": text} for field, text in details],
        "request_id": g.request_id,
    }
    return Response(orjson.dumps(body), status, content_type="application/json")
