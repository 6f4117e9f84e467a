"""What needs no key: liveness, readiness, the OpenAPI document and the page that shows it."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from functools import cache
from importlib.resources import files

from api.context import Answer, Call
from api.schemas.common import NoQuery
from api.schemas.public import Health, Readiness
from shared.errors import Unavailable
from shared.store.migrate import require_current

#: seconds that the dependencies may take to answer; a load balancer asks every few
PATIENCE = 0.8
_DOCS_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {"html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads for the questions: a hung dependency can hold these and no others."""
    return ThreadPoolExecutor(max_workers=6, thread_name_prefix="readiness")


def get_health(_call: Call, _given: NoQuery) -> Answer:
    """200 while the process lives."""
    return Answer(Health(status="ok"))


def get_readiness(call: Call, _given: NoQuery) -> Answer:
    """Whether requests can be served, answered within a second: 200, or 503 naming what is away."""
    questions = (
        _pool().submit(call.queue.ping),
        _pool().submit(call.store.ping),
        _pool().submit(require_current, call.store),
    )
    deadline = time.monotonic() + PATIENCE
    redis, database, migrated = (_is_fine(question, deadline) for question in questions)
    is_ready = redis and database and migrated
    body = Readiness(
        status="ok" if is_ready else "unavailable", redis=redis, database=database, migrated=database and migrated
    )
    return Answer(body, status=200 if is_ready else 503, headers={} if is_ready else {"Retry-After": "5"})


def _is_fine(question: "Future[None]", deadline: float) -> bool:
    try:
        question.result(max(0.0, deadline - time.monotonic()))
    except FutureTimeout:
        question.cancel()
        return False
    except Unavailable:
        return False
    return True


def get_docs(_call: Call, _given: NoQuery) -> Answer:
    """The documentation page."""
    return _static("docs.html")


def get_docs_script(_call: Call, _given: NoQuery) -> Answer:
    """Its script."""
    return _static("docs.js")


def get_docs_style(_call: Call, _given: NoQuery) -> Answer:
    """Its style sheet."""
    return _static("docs.css")


def _static(name: str) -> Answer:
    content = files("api").joinpath("static", name).read_bytes()
    headers = {"Content-Security-Policy": _DOCS_CSP, "Cache-Control": "public, max-age=300"}
    return Answer(content, content_type=_TYPES[name.rpartition(".")[2]], headers=headers)
