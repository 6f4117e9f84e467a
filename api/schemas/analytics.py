"""`/api/domains/{id}/analytics`."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.schemas.common import Body, CamelResult, Moment, Text

AnalyticsStateName = Literal["error", "pending", "ready", "refreshing", "retrying", "waiting"]
_EMAIL = "crawlyard@project.iam.gserviceaccount.com"


class ServiceAccount(Body):
    """The JSON key file of a Google service account, whole."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    client_email: Annotated[Text, Field(min_length=3, max_length=320, examples=[_EMAIL])]
    private_key: Annotated[str, Field(min_length=1, max_length=10_000, description="PEM, never shown again")]
    token_uri: Annotated[Text, Field(max_length=500)] = "https://oauth2.googleapis.com/token"

    def as_dict(self) -> dict[str, Any]:
        """As in the file."""
        return self.model_dump()


class SetAnalytics(Body):
    """Which property of Google Analytics 4 to ask, and by which key."""

    property_id: Annotated[
        str,
        Field(
            alias="propertyId",
            pattern=r"^[1-9][0-9]{0,19}$",
            examples=["123456789"],
            description="The property's number (not the G-… measurement id): Admin, Property details",
        ),
    ]
    service_account: Annotated[ServiceAccount, Field(alias="serviceAccount")]


class QuotaResult(CamelResult):
    """One of the property's quotas, as the last answer told it."""

    name: str
    consumed: int
    remaining: int


class AnalyticsResult(CamelResult):
    """A domain's page views: where from, how they stand, when they are refreshed. Never the key."""

    domain_id: str
    property_id: str
    client_email: str
    state: AnalyticsStateName
    error: str | None
    #: pages with page views
    pages: int
    quota: list[QuotaResult]
    created_at: Moment
    refreshed_at: Moment | None
    next_refresh_at: Moment
