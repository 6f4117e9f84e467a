"""`/rq`: RQ's own dashboard, in an application of its own inside ours, for admins.

It has neither sign-in nor CSRF tokens, writes what its data says into its pages as HTML and a queue's name from the URL
into a script, and some links of it change things: the session, the same-origin check, a check of the path, escaped data
and a strict policy with a nonce here make good for that.
"""

import re
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
from shared.errors import Forbidden, NotFound
from shared.rqtypes import CrawlJob, CrawlQueue, OrjsonSerializer

PREFIX = "/rq"
_INLINE = b'<script type="text/javascript">'
#: of queues, jobs and workers; its scripts take a queue's name from the path as it is
_PATH = re.compile(r"[\w./:-]*", re.ASCII).fullmatch
#: what its lists of jobs and workers escape by themselves
_SAFE_IN_LISTS = ("exc_info", "description")


def show(call: Call) -> ResponseReturnValue:
    """A page of it. Raises Forbidden for a change that was not asked for on one of its own pages, NotFound."""
    if _PATH(request.path) is None:
        raise NotFound
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
    elif response.is_json:
        kept = () if "/data/job/" in request.path else _SAFE_IN_LISTS
        response.data = orjson.dumps(_escaped(orjson.loads(response.data), kept))
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
        # its templates are compiled in the browser; what a failed job says runs nothing without the nonce
        f"script-src 'self' 'unsafe-eval' 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return response


def _escaped(value: Any, kept: tuple[str, ...]) -> Any:
    """The data with each text, at any depth, as text in HTML; but for the fields `kept`."""
    if isinstance(value, str):
        return str(escape(value))
    if isinstance(value, list):
        return [_escaped(part, kept) for part in value]
    if isinstance(value, dict):
        return {str(escape(n)): part if n in kept else _escaped(part, kept) for n, part in value.items()}
    return value
