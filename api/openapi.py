"""The OpenAPI 3.1 document, made from the route table and the models."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api import events, examples
from api.context import Answer
from api.errors import CODES
from api.route import Route
from api.schemas.common import Error, Id
from shared.queue import ALL_QUEUES

_REF = "#/components/schemas/{model}"
_PLACEHOLDER = re.compile(r"<(\w+)>")
_REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "The end was told already: do not connect again",
    304: "Not modified",
    400: "The request is not valid",
    401: "Invalid or missing API key",
    403: "The API key lacks the scope",
    404: "Not found, or not owned",
    405: "Method not allowed",
    409: "The resource is in a state that does not allow this",
    413: "The request body is too large",
    415: "The request body is not JSON",
    429: "Too many requests",
    500: "Internal error",
    503: "Redis or the database is away",
}
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer <key>`"},
    "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Authorization: Token <key>`"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_IDS = {
    "job_id": "Id of a crawl job: a UUID or its 32 hex digits",
    "task_id": "Id of a task of the job: a UUID or its 32 hex digits",
    "task_hash": "Id of a page or of a task: 32 hex digits or a UUID",
    "id": "A UUID or its 32 hex digits",
    "delivery_id": "Id of a delivery: a UUID or its 32 hex digits",
    "name": "Name of a queue",
}
_ID = TypeAdapter(Id).json_schema()
_PATH = {"name": {"type": "string", "enum": list(ALL_QUEUES)}}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again within 24 h, the same request gets the first answer and does nothing",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}
_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The newest id that was received: what follows it is sent",
    "schema": {"type": "string"},
}
Models = Mapping[Any, dict[str, Any]]


def answer(routes: Iterable[Route]) -> Answer:
    """The document of a route table as an answer."""
    return Answer(orjson.dumps(document(routes)), headers={"Cache-Control": "public, max-age=300"})


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The OpenAPI document of a route table."""
    table = list(routes)
    models, schemas = _schemas(table)
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        path = _PLACEHOLDER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, models)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Crawlyard", "version": "1", "description": "Self-hosted, distributed crawl service."},
        "paths": paths,
        "webhooks": events.document(),
        "components": {"schemas": schemas, "securitySchemes": _SECURITY},
    }


def _schemas(table: list[Route]) -> tuple[Models, dict[str, Any]]:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Error, "serialization"): None}
    for route in table:
        if route.takes_body:
            wanted[(route.given, "validation")] = None
        if route.result is not None:
            wanted[(route.result, "serialization")] = None
    models, whole = models_json_schema(list(wanted), ref_template=_REF)
    return models, _without_null_defaults(whole.get("$defs", {}))


def _without_null_defaults(value: Any) -> Any:
    """An answer's field that may be left out is never null then."""
    if isinstance(value, list):
        return [_without_null_defaults(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {k: _without_null_defaults(v) for k, v in value.items() if not (k == "default" and v is None)}


def _operation(route: Route, models: Models) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.path.split("/")[1] if route.scope else "public"],
        "summary": route.summary,
        "description": (route.handler.__doc__ or "").strip(),
        "parameters": _parameters(route),
        "responses": _responses(route, models),
        "security": [{name: []} for name in _SECURITY] if route.scope else [],
    }
    if route.scope:
        operation["x-scope"] = route.scope
    if route.takes_body:
        content = _json(models[(route.given, "validation")], examples.body(route.name))
        is_needed = any(field.is_required() for field in route.given.model_fields.values())
        operation["requestBody"] = {"required": is_needed, "content": content}
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "description": _IDS[name], "schema": _PATH.get(name, _ID)}
        for name in _PLACEHOLDER.findall(route.path)
    ]
    if route.takes_body:
        return [*found, _IDEMPOTENCY_KEY]
    if route.is_watched:
        return [*found, _LAST_EVENT_ID]
    schema = route.given.model_json_schema()
    for name, field in schema.get("properties", {}).items():
        is_needed = name in schema.get("required", ())
        described = {"description": field["description"]} if "description" in field else {}
        found.append({"name": name, "in": "query", "required": is_needed, "schema": _without_null(field)} | described)
    return found


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is not given is left out: there is no null in a query."""
    kept = {k: v for k, v in field.items() if k not in ("anyOf", "title") and not (k == "default" and v is None)}
    for option in field.get("anyOf", ()):
        if option.get("type") != "null":
            kept |= option
    return kept


def _responses(route: Route, models: Models) -> dict[str, Any]:
    responses: dict[str, Any] = {str(route.status): _response(route, models, route.status)}
    if route.is_watched:
        responses["204"] = {"description": _REASONS[204]}
    if route.etag:
        responses["304"] = {"description": _REASONS[304]}
    for status in _error_statuses(route):
        responses[str(status)] = _error(route, models, status)
    return responses


def _response(route: Route, models: Models, status: int) -> dict[str, Any]:
    content: dict[str, Any] = {
        kind: {"schema": {"type": "string"}, "example": examples.text(kind)} for kind in route.also
    }
    if route.result is not None or not route.also:
        schema = models[(route.result, "serialization")] if route.result else {"type": "object"}
        content |= _json(schema, examples.answer(route.name, status))
    return {"description": _REASONS[status], "content": content}


def _json(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema, "example": example}}


def _error_statuses(route: Route) -> list[int]:
    statuses = {400, 500, *route.errors}
    if route.scope:
        statuses |= {401, 403, 429, 503}
    if "<" in route.path:
        statuses.add(404)
    if route.takes_body:
        statuses |= {409, 413, 415}
    return sorted(statuses)


def _error(route: Route, models: Models, status: int) -> dict[str, Any]:
    if route.scope is None and status == 503:
        return _response(route, models, status)
    code = CODES.get(status, {401: "UNAUTHORIZED", 403: "FORBIDDEN", 409: "CONFLICT"}.get(status, "INTERNAL_ERROR"))
    content = _json(models[(Error, "serialization")], examples.error(status, code, route.scope))
    return {"description": f"{_REASONS[status]} (`{code}`)", "content": content}
