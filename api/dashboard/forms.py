"""What people typed into a form, as the model that the API reads."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shared.errors import Conflict, Invalid

M = TypeVar("M", bound=BaseModel)
_LONGEST_NUMBER = 18
#: characters of a field: what Flask takes of a whole form
_LONGEST_TEXT = 500_000
#: fields of the API whose members are fields of a form
_GROUPS = frozenset({"options", "auth", "serviceAccount"})


def read(
    model: type[M],
    texts: Mapping[str, str],
    numbers: frozenset[str] = frozenset(),
    lists: frozenset[str] = frozenset(),
    nested: Mapping[str, Any] | None = None,
) -> M:
    """Validates a form; a list is typed as words, an empty field is one that was not given, `nested` are read already.

    Raises Invalid, one detail a wrong field.
    """
    given = values(texts, numbers) | {name: value for name, value in (nested or {}).items() if value is not None}
    given |= {name: str(given[name]).split() for name in lists & given.keys()}
    return _validated(model, given)


def values(texts: Mapping[str, str], numbers: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The fields that were given, some of them as numbers."""
    given = {name: value.strip() for name, value in texts.items() if value.strip()}
    return {name: _number(value) if name in numbers else value for name, value in given.items()}


def query(model: type[M], texts: Mapping[str, str]) -> M:
    """The query parameters of a page that has a form besides. Raises Invalid."""
    return _validated(model, dict(texts))


def _validated(model: type[M], given: dict[str, Any]) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise Invalid("Not valid", [_detail(e) for e in error.errors(include_url=False)]) from None


def typed(form: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """What was typed into these fields, cut to what a page may show again."""
    return {name: form.get(name, "")[:_LONGEST_TEXT] for name in names}


def wrong(error: Invalid | Conflict, field: str) -> dict[str, str]:
    """What is wrong by field; all of it with one field where the error names none."""
    details = {name or field: text for name, text in error.details} if isinstance(error, Invalid) else {}
    return details or {field: error.message}


def _number(value: str) -> int | str:
    """What is no number stays text, for the model to refuse."""
    is_number = value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER
    return int(value) if is_number else value


def _detail(error: Any) -> tuple[str, str]:
    field = _field(error["loc"])
    if error["type"] == "missing":
        return field, "is required"
    if error["type"] == "int_type":
        return field, "must be a whole number"
    return field, _place(error["loc"]) + _words(error)


def _words(error: Any) -> str:
    if error["type"] == "string_pattern_mismatch":
        return "holds something that is not allowed there"
    words = str(error["msg"]).removeprefix("Value error, ")
    return re.sub("(Input|String|Value|List|Tuple|Dictionary) should", "must", words).replace("must have", "may have")


def _place(loc: tuple[Any, ...]) -> str:
    """Which entry of a list it is, or which of the named ones."""
    inner = [part for part in loc if part not in _GROUPS][1:]
    if not inner or inner[0] == "[key]":
        return ""
    return f"number {inner[0] + 1} " if isinstance(inner[0], int) else f"{inner[0]} "


def _field(loc: tuple[Any, ...]) -> str:
    """The form's field: the API's own, or a member of a group."""
    names = [part for part in loc if isinstance(part, str)]
    return next((name for name in names if name not in _GROUPS), names[-1] if names else "")
