"""The pages of the dashboard, their errors and their headers."""

import logging

from flask import Blueprint, Flask, Response, g, render_template
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException

from api.dashboard import recurring, signin, text, urls
from api.dashboard.gate import guarded
from api.dashboard.routes import PAGES
from api.errors import RETRY_AFTER
from shared.errors import CrawlyardError, Unavailable

log = logging.getLogger(__name__)

_CSP = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'; "
    "img-src 'self'; script-src 'self'; style-src 'self'"
)
_TITLES = {
    400: "Not valid",
    403: "Not allowed",
    404: "Not found",
    409: "Not possible now",
    413: "Too large",
    429: "Too many requests",
    503: "Not available",
}

#: path, label, the scope that it takes
_NAVIGATION = (
    ("/", "Crawls", "read"),
    ("/schedules", "Schedules", "read"),
    ("/domains", "Domains", "read"),
    ("/changes", "Changes", "read"),
    ("/webhooks", "Webhooks", "read"),
    ("/queues/jobs", "Queue", "read"),
    ("/keys", "Keys", "admin"),
)


def register(app: Flask) -> None:
    """Adds the dashboard to the app."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    blueprint = Blueprint(
        "dashboard", __name__, template_folder="templates", static_folder="static", static_url_path="/static"
    )
    blueprint.add_url_rule("/login", "login", signin.show_form, methods=["GET"], provide_automatic_options=False)
    blueprint.add_url_rule("/login", "sign_in", signin.sign_in, methods=["POST"], provide_automatic_options=False)
    for page in PAGES:
        blueprint.add_url_rule(
            page.path, page.name, guarded(page), methods=[page.method], provide_automatic_options=False
        )
    _add_errors(blueprint)
    blueprint.after_request(_secure)
    blueprint.context_processor(lambda: {"visitor": g.get("visitor")})
    app.jinja_env.globals |= {"here": urls.here, "navigation": _NAVIGATION}
    for name, function in text.FILTERS.items():
        blueprint.add_app_template_filter(function, name)
    blueprint.add_app_template_filter(recurring.words, "recurrence")
    app.register_blueprint(blueprint)


def _add_errors(blueprint: Blueprint) -> None:
    blueprint.register_error_handler(CrawlyardError, _ours)
    blueprint.register_error_handler(HTTPException, _werkzeugs)
    blueprint.register_error_handler(Exception, _unexpected)


def _secure(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _CSP)
    return response


def _ours(error: CrawlyardError) -> Response:
    if error.http_status >= 500:
        log.warning("request %s: %s", g.request_id, error.message)
    # what exactly is away (host names, driver messages) is for the log
    message = type(error)().message if isinstance(error, Unavailable) else error.message
    response = _page(error.http_status, message)
    if error.http_status == 503:
        response.headers["Retry-After"] = RETRY_AFTER
    return response


def _werkzeugs(error: HTTPException) -> Response:
    return _page(error.code or 500, error.description or error.name)


def _unexpected(error: Exception) -> Response:
    log.error("request %s failed", g.request_id, exc_info=error)
    return _page(500, "This should not have happened. The log knows more, under the request id below.")


def _page(status: int, message: str) -> Response:
    title = _TITLES.get(status, "Something went wrong")
    body = render_template("error.html", status=status, title=title, message=message, request_id=g.request_id)
    return Response(body, status, content_type="text/html; charset=utf-8")
