"""`/login` and `/logout`."""

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from api.auth import require_scope, secret_of
from api.context import Call
from api.dashboard import gate, sessions
from api.rate_limit import RateLimiter
from shared.errors import Forbidden, Unauthorized
from shared.models import ApiKey

#: holds the CSRF token of the sign-in form, before there is a session
FORM_COOKIE = "crawlyard_form"
#: attempts a minute from one address
ATTEMPTS = 20
_FORM_LIFETIME = 3600
_ENDED = "Your session has ended. Sign in again."


def show_form() -> ResponseReturnValue:
    """The sign-in form, or on to the page for who is signed in."""
    if gate.visitor() is not None:
        return redirect(_next(), 303)
    return _form(_ENDED if "ended" in request.args else None, 200)


def sign_in() -> ResponseReturnValue:
    """Begins a session with an API key."""
    if not sessions.is_csrf(request.cookies.get(FORM_COOKIE, ""), request.form.get(gate.CSRF_FIELD, "")):
        return _form("This form is out of date: please send it again. (Cookies must be allowed.)", 403)
    own = gate.services()
    allowance = RateLimiter(own.queue.redis, ATTEMPTS).spend(f"login:{request.remote_addr}")
    if allowance is not None and allowance.is_exceeded:
        return _form(f"Too many attempts. Try again in {allowance.reset} seconds.", 429)
    try:
        key = _key(request.form.get("key", ""))
    except Unauthorized:
        return _form("This key is not valid: it is unknown, revoked or expired.", 401)
    except Forbidden:
        return _form("This key may not read: the dashboard needs a key with the scope `read`.", 403)
    response = redirect(_next(), 303)
    gate.set_cookie(response, gate.COOKIE, sessions.begin(own.queue.redis, key), sessions.LIFETIME)
    response.delete_cookie(FORM_COOKIE)
    return response


def sign_out(call: Call) -> ResponseReturnValue:
    """Ends the session."""
    sessions.end(call.queue.redis, request.cookies.get(gate.COOKIE, ""))
    response = redirect("/login", 303)
    response.delete_cookie(gate.COOKIE)
    return response


def _key(text: str) -> ApiKey:
    """The key that was pasted, alone or as a header's value. Raises Unauthorized, Forbidden."""
    key = gate.services().authenticator.authenticate(secret_of("", text.strip().removeprefix("Bearer ")))
    require_scope(key, "read")
    return key


def _next() -> str:
    return gate.local_path(request.values.get("next", "/"))


def _form(message: str | None, status: int) -> Response:
    token = request.cookies.get(FORM_COOKIE) or sessions.new_token()
    body = render_template("login.html", message=message, next=_next(), csrf=sessions.csrf_of(token))
    response = Response(body, status, content_type="text/html; charset=utf-8")
    gate.set_cookie(response, FORM_COOKIE, token, _FORM_LIFETIME)
    if "ended" in request.args:
        response.delete_cookie(gate.COOKIE)
    return response
