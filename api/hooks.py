"""What every answer has: a request id, security headers, the state of the rate limit."""

import logging
import re
import time

from flask import Flask, Response, current_app, g, request

from api.context import EXTENSION, Services
from shared import ids, logs
from shared.measures import HTTP_SECONDS

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")
log = logging.getLogger("api.access")

_METHODS = frozenset("GET POST PUT PATCH DELETE HEAD OPTIONS".split())
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
    logs.bind(request_id=g.request_id)
    g.extra_headers = {}
    g.started = time.monotonic()


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    for name, value in (_SECURITY | g.extra_headers).items():
        if name not in response.headers:
            response.headers[name] = value
    _measure(response)
    return response


def _measure(response: Response) -> None:
    services: Services = current_app.extensions[EXTENSION]
    # the pattern, not the path: a label has few values
    route = request.url_rule.rule if request.url_rule else "none"
    method = request.method if request.method in _METHODS else "other"
    passed = time.monotonic() - g.started
    services.measures.observe(HTTP_SECONDS, passed, (method, route, str(response.status_code)))
    if services.settings.access_log:
        fields = {"method": method, "route": route, "status": response.status_code, "seconds": round(passed, 4)}
        # the path only: a query may hold what is nobody else's business
        log.info("%s %s %d", method, request.path[:500], response.status_code, extra={"fields": fields})
    services.flusher.ensure()
