"""From a request to a handler and back: key, rate limit, scope, input, idempotency, answer."""

import hashlib
from collections.abc import Callable

from flask import Flask, Response, current_app, g, request
from werkzeug.routing import BaseConverter

from api import idempotency
from api.auth import require_scope, secret_of
from api.context import EXTENSION, Answer, Call, Services, Stream
from api.errors import RateLimitExceeded
from api.inputs import read_body, read_query
from api.route import Route
from api.schemas.common import NoQuery
from shared import telemetry
from shared.errors import Unauthorized
from shared.models import ApiKey


def register(app: Flask, routes: tuple[Route, ...]) -> None:
    """Puts the routes into the app's URL map."""
    app.url_map.converters["id"] = _Id
    for route in routes:
        app.add_url_rule(
            route.path.replace("<id>", "<id:id>"),
            endpoint=f"{route.method} {route.path}",
            view_func=_view(route),
            methods=[route.method],
            provide_automatic_options=False,
        )


class _Id(BaseConverter):
    """An id in a path: not the paths that stand beside it, which have methods of their own."""

    regex = "(?!(?:stats|retry-failed)$)[^/]+"


def _view(route: Route) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        services: Services = current_app.extensions[EXTENSION]
        key = _admit(services, route.scope) if route.scope else None
        call = Call(services, path, key, request.url_root)
        with telemetry.span(f"{route.method} {route.path}", request_id=g.request_id):
            answer = _answer(route, call)
        return _stream(answer) if isinstance(answer, Stream) else _response(route, answer)

    return view


def _admit(services: Services, scope: str) -> ApiKey:
    key = services.authenticator.authenticate(_secret())
    allowance = services.limiter.spend(key.id)
    if allowance is not None:
        g.extra_headers.update(allowance.headers())
        if allowance.is_exceeded:
            g.extra_headers["Retry-After"] = str(allowance.reset)
            raise RateLimitExceeded
    require_scope(key, scope)
    return key


def _secret() -> str:
    given = [request.headers.get(name) for name in ("Authorization", "X-API-Key")]
    # a credential that was sent empty is a wrong one, whatever stands beside it
    if any(value is not None and not value.strip() for value in given):
        raise Unauthorized
    return secret_of(*(value or "" for value in given))


def _answer(route: Route, call: Call) -> Answer | Stream:
    if not route.takes_body:
        return route.handler(call, read_query(request, route.given))
    read_query(request, NoQuery)
    given, raw = read_body(request, route.given)
    return idempotency.perform(request, call, raw, lambda held: route.handler(held, given))


def _response(route: Route, answer: Answer) -> Response:
    payload = answer.payload()
    response = Response(payload, answer.status, content_type=answer.content_type)
    response.headers.update(answer.headers)
    if route.etag:
        response.set_etag(hashlib.blake2b(payload, digest_size=12).hexdigest())
        response.headers["Cache-Control"] = "private, no-cache"
        response.make_conditional(request)
    return response


def _stream(answer: Stream) -> Response:
    response = Response(answer.parts, content_type=answer.content_type)
    if answer.filename is not None:
        response.headers["Content-Disposition"] = f'attachment; filename="{answer.filename}"'
    return response
