"""`/api/webhooks`: who is told of events, and how that went."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator

from api.schemas.common import Body, CamelResult, Moment, Paged, Text
from api.schemas.targets import LONGEST, URL, UrlText
from shared.apprise_urls import SCHEMES

EventType = Literal["job.completed", "job.failed", "job.cancelled", "page.changed", "schedule.missed"]
Description = Annotated[Text, Field(max_length=200)]
#: the form of an Apprise URL of one of the services that are allowed
APPRISE_URL = f"^(?:{'|'.join(SCHEMES)})://[!-~]{{1,1000}}$"
_URL = TypeAdapter(UrlText)
_IS_APPRISE = re.compile(APPRISE_URL).fullmatch


def _distinct(events: list[EventType]) -> list[EventType]:
    if len(set(events)) < len(events):
        raise ValueError("each at most once")
    return events


Events = Annotated[
    list[EventType],
    Field(min_length=1, max_length=5, json_schema_extra={"uniqueItems": True}, description="What to be told of"),
    AfterValidator(_distinct),
]


def is_apprise(url: str) -> bool:
    """Whether this is the URL of a service that Apprise may be asked for."""
    return _IS_APPRISE(url) is not None


def _http(url: str) -> str:
    try:
        return _URL.validate_python(url)
    except ValidationError as error:
        raise ValueError(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from None


def _apprise(url: str) -> str:
    if not is_apprise(url):
        raise ValueError(f"must be an Apprise URL that starts with one of {', '.join(SCHEMES)}")
    return url


def _either(url: str) -> str:
    return url if is_apprise(url) else _http(url)


_ANY: dict[str, Any] = {"anyOf": [{"pattern": URL}, {"pattern": APPRISE_URL}]}
AnyUrl = Annotated[str, Field(min_length=1, max_length=LONGEST, examples=["https://example.com/hooks/crawlyard"])]


def _url_of_type(schema: dict[str, Any]) -> None:
    """Which form of URL belongs to which type; http where none is given."""
    schema["oneOf"] = [
        {"properties": {"type": {"const": "http"}, "url": {"pattern": URL}}},
        {"properties": {"type": {"const": "apprise"}, "url": {"pattern": APPRISE_URL}}, "required": ["type"]},
    ]


class CreateWebhook(Body):
    """Whom to tell, and of what."""

    model_config = ConfigDict(json_schema_extra=_url_of_type)

    type: Literal["http", "apprise"] = Field("http", description="`apprise`: e-mail and chat, an optional extra")
    url: AnyUrl
    events: Events
    description: Description = ""

    @field_validator("url")
    @classmethod
    def _fits_its_type(cls, url: str, info: ValidationInfo) -> str:
        return _apprise(url) if info.data.get("type") == "apprise" else _http(url)


class ChangeWebhook(Body):
    """What to change; what is left out stays as it is."""

    url: Annotated[
        AnyUrl,
        AfterValidator(_either),
        Field(json_schema_extra={"anyOf": [{"pattern": URL}, {"pattern": APPRISE_URL}]}),
    ] = ""
    events: Events = []
    description: Description = ""
    is_active: bool = Field(True, alias="isActive", description="true: send again, false: send nothing more")

    def given(self) -> dict[str, Any]:
        """The fields that were given."""
        return self.model_dump(include=self.model_fields_set)


class ListDeliveries(Paged):
    """Which deliveries."""

    status: Literal["pending", "delivered", "failed"] | None = None


class WebhookResult(CamelResult):
    """Somebody who is told of events. Of an Apprise URL only the scheme is shown."""

    id: str
    type: Literal["http", "apprise"]
    url: str
    events: list[EventType]
    description: str
    is_active: bool
    #: why nothing is sent any more
    disabled_reason: str | None
    #: since when every attempt has failed
    failing_since: Moment | None
    #: until when the secret before the last rotation signs too
    old_secret_until: Moment | None
    created_at: Moment
    updated_at: Moment


class WebhookWithSecret(WebhookResult):
    """A webhook with the secret that it is signed with, shown this once; null for Apprise."""

    secret: str | None


class DeliveryResult(CamelResult):
    """One event on its way to one webhook."""

    id: str
    #: the `webhook-id` header: the same for each attempt and each redelivery
    message_id: str
    event_type: str
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    #: of the newest attempt
    status_code: int | None
    #: milliseconds
    duration: int | None
    error: str | None
    #: how the receiver's answer begins
    answer: str | None
    payload: str
    created_at: Moment
    attempted_at: Moment | None
    next_attempt_at: Moment | None
    completed_at: Moment | None
