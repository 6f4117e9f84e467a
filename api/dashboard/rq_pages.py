"""`/rq`: RQ's own dashboard, in an application of its own inside ours, for admins.

It has neither sign-in nor CSRF tokens, writes a failed job's text into its page as HTML, and some links of it change
things: the session, the same-origin check and a strict policy with a nonce here make good for that.
"""

import secrets
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask import Flask, request
from flask.typing import ResponseReturnValue
from markupsafe import escape
from redis import Redis
from rq.job import requeue_job
from rq_dashboard import web
from werkzeug.wrappers import Response

from api.context import Call
from shared.errors import Forbidden
from shared.rqtypes import CrawlJob, CrawlQueue, OrjsonSerializer

PREFIX = "/rq"
_INLINE = b'<script type="text/javascript">'
_TEXTS = ("exc_info", "description", "result")


def show(call: Call) -> ResponseReturnValue:
    """A page of it. Raises Forbidden for a change that was not asked for on one of its own pages."""
    if request.method != "GET" or "requeue" in request.path:
        _require_own_page()
    inner = _application(call.queue.redis)
    environ = request.environ | {"SCRIPT_NAME": PREFIX, "PATH_INFO": request.path.removeprefix(PREFIX) or "/"}
    return _secured(Response.from_app(inner, environ, buffered=True))


def _require_own_page() -> None:
    """A POST from a page of ours: `Origin` is there in every browser that sends one."""
    is_own = urlsplit(request.headers.get("Origin", "")).netloc == request.host
    if request.method != "POST" or not is_own or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Forbidden("Changes are taken from the pages of this dashboard only")


@cache
def _application(redis: Redis) -> Flask:
    # its names for RQ's classes: ours read and write JSON, the stock ones would pickle
    web.Job, web.Queue, web.requeue_job = CrawlJob, CrawlQueue, _requeue
    web.config.serializer = OrjsonSerializer
    # it would open a connection for each request
    web.from_url = lambda *_args, **_options: (None, redis)
    inner = Flask("rq_dashboard", static_folder=None)
    # the record is in the database: what was deleted from Redis would be enqueued again
    inner.config |= {"RQ_DASHBOARD_REDIS_URL": ("redis://here",), "RQ_DASHBOARD_DISABLE_DELETE": True}
    web.setup_rq_connection(inner)
    inner.register_blueprint(web.blueprint)
    inner.add_url_rule("/static/favicon.ico", "static", web.favicon)
    return inner


def _requeue(job_id: str, connection: Redis) -> Any:
    return requeue_job(job_id, connection, serializer=OrjsonSerializer)


def _secured(response: Response) -> Response:
    nonce = secrets.token_urlsafe(16)
    if response.mimetype == "text/html":
        response.data = response.data.replace(_INLINE, _INLINE.replace(b">", f' nonce="{nonce}">'.encode()))
    elif response.is_json and "/data/job/" in request.path:
        response.data = _escaped(response.data)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
        # its templates are compiled in the browser; what a failed job says runs nothing without the nonce
        f"script-src 'self' 'unsafe-eval' 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return response


def _escaped(data: bytes) -> bytes:
    fields: dict[str, Any] = orjson.loads(data)
    for name in _TEXTS:
        if isinstance(fields.get(name), str):
            fields[name] = str(escape(fields[name]))
    return orjson.dumps(fields)
