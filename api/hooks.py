"""What every answer has: a request id, security headers, the state of the rate limit."""

import re

from flask import Flask, Response, g, request

from shared import ids

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def register(app: Flask) -> None:
    """Adds the hooks to the app."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else ids.new_uuid().hex
    g.extra_headers = {}


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    for name, value in (_SECURITY | g.extra_headers).items():
        if name not in response.headers:
            response.headers[name] = value
    return response
