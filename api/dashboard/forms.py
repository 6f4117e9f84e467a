"""What people typed into a form, as the model that the API reads."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shared.errors import Invalid

M = TypeVar("M", bound=BaseModel)
_LONGEST_NUMBER = 18


def read(
    model: type[M],
    texts: Mapping[str, str],
    numbers: frozenset[str] = frozenset(),
    lists: frozenset[str] = frozenset(),
) -> M:
    """Validates a form; a list is typed as words, an empty field is one that was not given.

    Raises Invalid, one detail a wrong field.
    """
    given = {name: value.strip() for name, value in texts.items() if value.strip()}
    values: dict[str, Any] = {name: _number(value) if name in numbers else value for name, value in given.items()}
    values |= {name: given[name].split() for name in lists & given.keys()}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise Invalid("Not valid", [_detail(e) for e in error.errors(include_url=False)]) from None


def _number(value: str) -> int | str:
    """What is no number stays text, for the model to refuse."""
    is_number = value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER
    return int(value) if is_number else value


def _detail(error: Any) -> tuple[str, str]:
    field = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "missing":
        return field, "is required"
    if error["type"] == "int_type":
        return field, "must be a whole number"
    return field, str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
