"""The way into a page: session, rate limit, scope, CSRF token."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import current_app, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from api.auth import require_scope
from api.context import EXTENSION, Call, Services
from api.dashboard import sessions
from api.errors import RateLimitExceeded
from shared.errors import Forbidden
from shared.models import ApiKey

COOKIE = "crawlyard_session"
CSRF_FIELD = "csrf"
#: scopes that hold others
_ALL = "admin"

View = Callable[[Call], ResponseReturnValue]


@dataclass(frozen=True, slots=True)
class Page:
    """One method of one path of the dashboard."""

    method: str
    path: str
    view: View
    name: str
    scope: str = "read"
    #: whether a POST carries the form's token; pages that are not ours check their origin instead
    has_token: bool = True


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is signed in."""

    key: ApiKey
    token: str

    @property
    def csrf(self) -> str:
        """For the forms of this session."""
        return sessions.csrf_of(self.token)

    def may(self, scope: str) -> bool:
        """Whether the key has a scope."""
        return scope in self.key.scopes or _ALL in self.key.scopes


def services() -> Services:
    """What the application has at hand."""
    found: Services = current_app.extensions[EXTENSION]
    return found


def visitor() -> Visitor | None:
    """Who sent this request, by its cookie. Raises QueueUnavailable, StoreUnavailable."""
    token = request.cookies.get(COOKIE, "")
    own = services()
    key = sessions.key_of(own.queue.redis, own.store, token) if token else None
    return Visitor(key, token) if key else None


def guarded(page: Page) -> Callable[..., ResponseReturnValue]:
    """The view of a page, for those who are signed in and may see it."""

    def view(**path: str) -> ResponseReturnValue:
        found = visitor()
        if found is None:
            return _to_sign_in()
        g.visitor = found
        _limit(found.key)
        require_scope(found.key, page.scope)
        if page.method == "POST" and page.has_token:
            _require_csrf(found)
        return page.view(Call(services(), path, found.key, request.url_root))

    return view


def _limit(key: ApiKey) -> None:
    allowance = services().limiter.spend(key.id)
    if allowance is not None and allowance.is_exceeded:
        g.extra_headers["Retry-After"] = str(allowance.reset)
        raise RateLimitExceeded


def _require_csrf(found: Visitor) -> None:
    if not sessions.is_csrf(found.token, request.form.get(CSRF_FIELD, "")):
        raise Forbidden("This form is out of date. Go back, reload the page and send it again.")


def _to_sign_in() -> ResponseReturnValue:
    has_cookie = COOKIE in request.cookies
    wanted = (request.full_path if request.query_string else request.path) if request.method == "GET" else "/"
    if not has_cookie and request.method == "GET" and request.headers.get("Sec-Fetch-Site") == "cross-site":
        # a SameSite=Strict cookie stays away when another site's link led here: ask again from our own page
        return render_template("bounce.html", url=wanted)
    query = {"next": wanted} | ({"ended": "1"} if has_cookie else {})
    return redirect(f"/login?{urlencode(query)}", 303)


def local_path(text: str) -> str:
    """A path of this site, `/` for anything that a browser might take for another one."""
    is_local = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if is_local else "/"


def set_cookie(response: Response, name: str, value: str, max_age: int) -> None:
    """A cookie that scripts and other sites never see; over HTTPS never sent without."""
    is_https = request.is_secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
    response.set_cookie(name, value, max_age=max_age, secure=is_https, httponly=True, samesite="Strict")
