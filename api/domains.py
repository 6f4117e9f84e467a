"""`/api/domains` and `/api/pages`: the things that trigger jobs."""

from api import lookup
from api.context import Answer, Call
from api.inputs import naming
from api.options import job_options
from api.queue_jobs import accepted, queue_job
from api.schemas.common import Data, DataPage, Meta, NoBody, NoQuery, Paged
from api.schemas.domains import CreateDomain, CreatePage, DomainCreated, DomainResult, PageResult
from api.schemas.options import Options
from shared import jobs as job_cases
from shared import tasks as task_cases
from shared import urls
from shared.clock import iso, now_us
from shared.errors import Conflict
from shared.models import Domain, JobOptions
from shared.states import JobMode
from shared.store import domain_admin, pages, tasks
from shared.store.jobs import FirstPage, FirstTask
from shared.store.pages import Page


def list_domains(call: Call, given: Paged) -> Answer:
    """Domains, newest first."""
    found, total = domain_admin.page(call.store, call.organisation_id, given.limit, given.skip)
    meta = Meta(total=total, page=given.page, page_size=given.limit)
    return Answer(DataPage[DomainResult](data=[_domain(domain) for domain in found], meta=meta))


def create_domain(call: Call, given: CreateDomain) -> Answer:
    """Adds a domain and starts its discovery."""
    call.queue.ping()
    with naming("domain"):
        host = urls.parse_domain(given.domain).host
        if domain_admin.exists(call.store, call.organisation_id, host):
            raise Conflict("The domain exists already")
        task_id = _start(call, given.domain, JobOptions(mode=JobMode.DISCOVER, source_detail="create_domain"))
    record = tasks.get(call.store, call.organisation_id, task_id)
    return Answer(DomainCreated(data=_domain(record.job.domain), job=queue_job(record)), status=201)


def get_domain(call: Call, _given: NoQuery) -> Answer:
    """One domain."""
    return Answer(Data[DomainResult](data=_domain(_here(call))))


def delete_domain(call: Call, _given: NoQuery) -> Answer:
    """Deletes a domain with its pages and jobs."""
    domain = _here(call)
    domain_admin.remove(call.store, domain)
    return Answer(Data[DomainResult](data=_domain(domain)))


def list_pages(call: Call, given: Paged) -> Answer:
    """The pages known of a domain."""
    found, total = pages.of_domain(call.store, _here(call), given.limit, given.skip)
    meta = Meta(total=total, page=given.page, page_size=given.limit)
    return Answer(DataPage[PageResult](data=[page_result(page) for page in found], meta=meta))


def create_page(call: Call, given: CreatePage) -> Answer:
    """Adds a page to a domain."""
    domain = _here(call)
    with naming("url"):
        canonical = urls.canonicalise(given.url)
    origin, path = urls.split(canonical)
    if not urls.in_scope(origin.partition("://")[2], domain.host, cross_subdomain=True):
        raise Conflict(f"The URL is not on {domain.host}")
    page = pages.add(call.store, domain, FirstPage(urls.url_key(canonical), origin, path), now_us())
    return Answer(Data[PageResult](data=page_result(page)), status=201)


def discover_domain(call: Call, _given: NoBody) -> Answer:
    """Discovers the pages of a domain."""
    domain = _here(call)
    call.queue.ping()
    return accepted(call, _start(call, domain.host, JobOptions(mode=JobMode.DISCOVER, source_detail="discover")))


def crawl_domain(call: Call, given: Options) -> Answer:
    """Crawls a domain; the answer is the queue job of its discovery."""
    domain = _here(call)
    call.queue.ping()
    return accepted(call, _start(call, domain.host, job_options(call, given.given())))


def crawl_page(call: Call, _given: NoBody) -> Answer:
    """Crawls one page."""
    page = lookup.page(call, call.path["id"])
    call.queue.ping()
    _, task_id = task_cases.crawl_page(call.store, call.queue, page, call.claim)
    return accepted(call, task_id)


def _here(call: Call) -> Domain:
    return lookup.domain(call, call.path["id"])


def _start(call: Call, domain: str, options: JobOptions) -> int:
    first = FirstTask(claim=call.claim)
    return job_cases.submit_crawl(call.store, call.queue, call.organisation_id, domain, options, first)[1]


def _domain(domain: Domain) -> DomainResult:
    return DomainResult(id=domain.uid, number=domain.id, domain=domain.host, created_at=iso(domain.created_at) or "")


def page_result(page: Page) -> PageResult:
    """A page as `/api` shows it."""
    return PageResult(
        id=page.uid,
        domain_id=page.domain.uid,
        url=page.url,
        path=page.path,
        title=page.title,
        status_code=page.status_code,
        created_at=iso(page.created_at) or "",
        crawled_at=iso(page.crawled_at),
        removed_at=iso(page.removed_at),
    )
