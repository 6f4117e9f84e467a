"""Bases and field types of all requests and answers."""

import re
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

#: offsets and pages stay far inside 64 bits, whatever they are multiplied with
MAX_OFFSET = 1_000_000_000
_DIGITS = re.compile(r"-?[0-9]{1,18}")


class Query(BaseModel):
    """Query parameters: text, each known by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(BaseModel):
    """A JSON object in a request: each field known, none converted from another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NoQuery(Query):
    """A call without parameters."""


class NoBody(Body):
    """A call whose body is empty or `{}`."""


class Result(BaseModel):
    """An answer in snake case (`/v1`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CamelResult(BaseModel):
    """An answer in camel case (`/api`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)


T = TypeVar("T", bound=CamelResult)


class Data(CamelResult, Generic[T]):
    """One thing of the `/api` family."""

    data: T


class Meta(CamelResult):
    """Which page of how many."""

    total: int
    page: int
    page_size: int


class DataPage(CamelResult, Generic[T]):
    """A page of things of the `/api` family."""

    data: list[T]
    meta: Meta


class ErrorDetail(Result):
    """A wrong field."""

    field: str
    message: str


class Error(Result):
    """Every error, in every family."""

    error: str
    code: str
    details: list[ErrorDetail]
    request_id: str


def _digits(value: Any) -> Any:
    """Only plain decimal digits: no spaces, underscores or fractions, which int() would take."""
    if isinstance(value, str):
        if not _DIGITS.fullmatch(value):
            raise ValueError("must be a whole number")
        return int(value)
    return value


def _whole(value: Any) -> Any:
    """87.0 is an integer in JSON, true is not."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: for an integer in a query; after its bounds, which pydantic would else leave out of the schema
DIGITS = BeforeValidator(_digits)
#: the same for an integer in a body
WHOLE = BeforeValidator(_whole)
#: text that every database and terminal can take: without control characters
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
#: ISO 8601, UTC, `Z`
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET), DIGITS]
PageNo = Annotated[int, Field(ge=1, le=MAX_OFFSET), DIGITS]
#: a UUID in either spelling
Id = Annotated[
    str, Field(pattern=r"^([0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$", examples=["0" * 32])
]


class Paged(Query):
    """Pages of the `/api` family."""

    limit: Annotated[int, Field(ge=1, le=100), DIGITS] = 20
    page: PageNo = 1

    @property
    def skip(self) -> int:
        """How many come before this page."""
        return (self.page - 1) * self.limit
