"""Reading a request: query parameters and JSON bodies into models, strictly."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson
from flask import Request
from pydantic import BaseModel, ValidationError

from api.errors import PayloadTooLarge, UnsupportedMediaType
from shared.errors import Invalid, InvalidUrl

#: bytes
MAX_BODY = 1_000_000
_MOST_DETAILS = 50

M = TypeVar("M", bound=BaseModel)


def read_query(request: Request, model: type[M]) -> M:
    """The query parameters. Raises Invalid with one detail a wrong parameter."""
    values = request.args.to_dict(flat=False)
    repeated = [(name[:100], "given more than once") for name, found in values.items() if len(found) > 1]
    if repeated:
        raise Invalid("A query parameter is given more than once", repeated[:_MOST_DETAILS])
    return _validated(model, {name: found[0] for name, found in values.items()}, "query parameter")


def read_body(request: Request, model: type[M]) -> tuple[M, bytes]:
    """The JSON object in the body, and its bytes; an empty body is `{}`.

    Raises Invalid, PayloadTooLarge, UnsupportedMediaType.
    """
    raw = _bytes_of(request)
    if not raw:
        return _validated(model, {}, "field"), raw
    if request.mimetype != "application/json" or request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Invalid("The body is not valid JSON", [("body", str(error))]) from None
    if not isinstance(value, dict):
        raise Invalid("The body must be a JSON object", [("body", "must be an object")])
    return _validated(model, value, "field"), raw


def _bytes_of(request: Request) -> bytes:
    # Werkzeug cuts a chunked body at its own limit and goes on; that limit is a byte more than ours
    raw = request.get_data(cache=False)
    if len(raw) > MAX_BODY:
        raise PayloadTooLarge
    return raw


def _validated(model: type[M], values: dict[str, Any], what: str) -> M:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        details = [_detail(e, what) for e in error.errors(include_url=False, include_context=False)[:_MOST_DETAILS]]
        fields = ", ".join(dict.fromkeys(field for field, _ in details))
        raise Invalid(f"Not valid: {fields[:200]}", details) from None


def _detail(error: Any, what: str) -> tuple[str, str]:
    field = ".".join(str(part) for part in error["loc"])[:100] or "body"
    if error["type"] == "extra_forbidden":
        return field, f"unknown {what}"
    if error["type"] == "missing":
        return field, "is required"
    if error["type"] == "string_pattern_mismatch":
        return field, "has not the documented form"
    return field, str(error["msg"]).removeprefix("Value error, ")


@contextmanager
def naming(field: str) -> Iterator[None]:
    """Says which field holds a URL that cannot be crawled."""
    try:
        yield
    except InvalidUrl as error:
        raise Invalid(f"Not valid: {field}", [(field, error.message)]) from None
