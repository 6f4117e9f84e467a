"""`/api/domains` and `/api/pages`."""

from typing import Annotated

from pydantic import Field

from api.schemas.common import Body, CamelResult, Moment
from api.schemas.queue_jobs import QueueJob
from api.schemas.targets import DomainText, UrlText


class CreateDomain(Body):
    """A domain to watch."""

    domain: Annotated[DomainText, Field(examples=["competitor.com"])]


class CreatePage(Body):
    """A page to add to a domain."""

    url: Annotated[UrlText, Field(examples=["https://competitor.com/pricing"])]


class DomainResult(CamelResult):
    """One host of the organisation."""

    id: str
    #: the `domain_id` of `/v1/jobs`
    number: int
    domain: str
    created_at: Moment


class DomainCreated(CamelResult):
    """A new domain, and the queue job that discovers its pages."""

    data: DomainResult
    job: QueueJob


class PageResult(CamelResult):
    """One canonical URL of a domain."""

    id: str
    domain_id: str
    url: str
    path: str
    title: str | None
    status_code: int | None
    created_at: Moment
    crawled_at: Moment | None
    removed_at: Moment | None
