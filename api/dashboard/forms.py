"""What people typed into a form, as the model that the API reads."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shared.errors import Conflict, Invalid

M = TypeVar("M", bound=BaseModel)
_LONGEST_NUMBER = 18
#: of a field, as long as the longest text that any of them takes
_LONGEST_TEXT = 20_000


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
    given = values(texts, numbers) | {name: value for name, value in (nested or {}).items() if value}
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
    return field, str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")


def _field(loc: tuple[Any, ...]) -> str:
    """The field's own name, also where it is one of nested options."""
    names = [part for part in loc if isinstance(part, str)]
    return names[-1] if names else ""
