"""Which of the URLs that were found belong to a crawl, and what robots.txt says of them."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from shared import scope, urls
from shared.models import Job
from shared.packing import packed
from shared.stages import JobWarning, NewLink, Work
from shared.states import JobMode
from workers.guide import is_on_its_hosts
from workers.references import url_keys
from workers.robots import RobotsRules
from workers.runtime import Runtime

NOT_ALLOWED = "robots.txt does not allow this page"
#: links of one page that are kept to tell who links to what
_MOST = 2_000
#: URLs that are looked up together; a sitemap may have millions
_AT_ONCE = 500


def in_scope(work: Work, url: str) -> bool:
    """Whether a canonical URL that was found belongs to the crawl: by its host, and by the job's rules."""
    rules = scope.rules_of(work.job.options)
    return is_on_its_hosts(work.job, url) and not (rules and rules.refuses(urls.split(url)[1]))


class Followed(NamedTuple):
    """What a page's links come to."""

    #: to be followed
    new: tuple[NewLink, ...]
    #: what the job should know of others
    warnings: tuple[JobWarning, ...]
    #: URL hashes of all that are part of the crawl
    keys: bytes


def followed(ctx: Runtime, work: Work, links: Iterable[str]) -> Followed:
    """The links of a page that its job is to follow."""
    options = work.job.options
    if options.mode is not JobMode.CRAWL or not options.find_links:
        return Followed((), (), b"")
    met: list[int] = []
    found = new_links(ctx, work, links, met)
    if options.max_depth is not None and work.depth >= options.max_depth:
        return Followed((), (), packed_links([link.url_hash for link in found]))
    return Followed(*ctx.traps.sift(work, found), packed_links(met))


def packed_links(keys: list[int]) -> bytes:
    """The URL hashes of a page's links as the record keeps them, the first of them."""
    return packed("q", keys[:_MOST])


def new_links(ctx: Runtime, work: Work, found: Iterable[str], met: list[int] | None = None) -> Iterable[NewLink]:
    """The canonical URLs that are part of the crawl and not known to be stored, with robots.txt's word on each.

    The keys of all that are part of it are put into `met`.
    """
    met = [] if met is None else met
    # with a max_depth the store has to know of shorter ways to what it has
    knows = work.job.options.max_depth is None
    rules = scope.rules_of(work.job.options)
    scopes: dict[str, bool] = {}
    rest = iter(found if rules is None else map(rules.spelled, found))
    while some := list(islice(rest, _AT_ONCE)):
        keys = url_keys(some)
        seen = ctx.seen.among(work.job.id, keys) if knows else set[int]()
        if len(seen) == len(keys):
            met += keys
            continue
        for url, key in zip(some, keys, strict=True):
            if key in seen:
                met.append(key)
                continue
            origin, path = urls.split(url)
            if origin not in scopes:
                scopes[origin] = is_on_its_hosts(work.job, url)
            if scopes[origin] and not (rules is not None and rules.refuses(path)):
                met.append(key)
                yield NewLink(key, origin, path, forbidden(ctx, work, url))


def named_link(ctx: Runtime, work: Work, url: str) -> NewLink:
    """A canonical URL that is part of the crawl whatever its rules say."""
    return NewLink(urls.url_key(url), *urls.split(url), forbidden(ctx, work, url))


def forbidden(ctx: Runtime, work: Work, url: str) -> str | None:
    """Why robots.txt keeps us from a page. Where we do not have it, the page's own task will see to it."""
    if not work.job.options.respect_robots:
        return None
    rules = ctx.robots.known(urls.split(url)[0], work.job.options.user_agent)
    return None if rules is None or rules.allows(url) else NOT_ALLOWED


def robots_rules(ctx: Runtime, job: Job, origin: str, halted: Callable[[], bool]) -> RobotsRules:
    """What an origin's robots.txt says to the job's user agent. Raises FetchError where it cannot be had."""
    return ctx.robots.rules(origin, cancelled=halted, user_agent=job.options.user_agent)
