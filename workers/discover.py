"""Finds the pages of a domain: settles the scheme, reads robots.txt and sitemaps, starts at the home page."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from shared import urls
from shared.errors import InvalidUrl
from shared.stages import Delay, Finish, Found, JobWarning, NewLink, Outcome, Work
from shared.states import SourceType, TaskState, WarningKind
from shared.store import job_options
from workers.crawl import after_error
from workers.errors import Cancelled, ConnectionReset, ConnectRefused, ConnectTimeout, FetchError, TlsError
from workers.guide import SitemapGate, guide, is_on_its_hosts
from workers.links import named_link, new_links, robots_rules
from workers.politeness import host_of
from workers.robots import RobotsRules
from workers.runtime import Runtime
from workers.sitemap import SitemapReader
from workers.turns import Turn

#: https was refused: try http (API.md, "Scheme")
_REFUSED = (ConnectRefused, ConnectTimeout, ConnectionReset, TlsError)
_BATCH = 500
#: problems with sitemaps that a job is warned of
_MOST_TOLD = 20


def discover(ctx: Runtime, work: Work, halted: Callable[[], bool]) -> Outcome:
    """Runs an admitted discovery task. Raises Cancelled when it is halted, or its job is over, on the way."""
    try:
        origin, rules = _settle(ctx, work, halted)
        if work.job.options.respect_robots:
            ctx.politeness.obey(host_of(f"{origin}/"), rules.crawl_delay)
        settled = replace(work, job=replace(work.job, origin=origin))
        return _from_home(ctx, settled, rules, halted) if _starts_at_home(work) else _from_named(ctx, settled, halted)
    except Cancelled:
        raise
    except FetchError as error:
        return _hopeless(after_error(work, error))


def _starts_at_home(work: Work) -> bool:
    return not (work.job.options.sitemap_url or work.job.options.url_count)


def _settle(ctx: Runtime, work: Work, halted: Callable[[], bool]) -> tuple[str, RobotsRules]:
    """The domain's origin and its robots.txt: the scheme as given, else https, else http."""
    if work.job.origin:
        return work.job.origin, robots_rules(ctx, work.job, work.job.origin, halted)
    https = f"https://{work.job.domain.host}"
    try:
        return https, robots_rules(ctx, work.job, https, halted)
    except _REFUSED:
        http = f"http://{work.job.domain.host}"
        return http, robots_rules(ctx, work.job, http, halted)


def _hopeless(outcome: Delay | Finish) -> Outcome:
    """Where not even robots.txt can be reached, the failure is the job's."""
    if isinstance(outcome, Delay):
        return outcome
    return Finish(outcome.work, outcome.state, error=outcome.error, job_error=outcome.error)


def _from_home(ctx: Runtime, work: Work, rules: RobotsRules, halted: Callable[[], bool]) -> Outcome:
    """The home page, and one link from it the pages of the site's sitemaps."""
    origin, options = work.job.origin, work.job.options
    home = f"{origin}/"
    if options.respect_robots and not rules.allows(home):
        return _failed(work, f"robots.txt of {origin} forbids its root")
    hand_over = _HandOver(ctx, work)
    full = hand_over([named_link(ctx, work, home)], SourceType.MANUAL, 0)
    reader = _reader(ctx, work, halted, guessed=not rules.sitemaps)
    if options.use_sitemap and not full and options.max_depth != 0:
        _read_sitemaps(ctx, work, reader.urls(_sitemaps(work, rules)), hand_over, 1)
    return _found(work, hand_over, reader)


def _sitemaps(work: Work, rules: RobotsRules) -> Sequence[str]:
    """Those that robots.txt announces, or else where one may be."""
    guesses = (f"{work.job.origin}/sitemap.xml", f"{work.job.origin}/sitemap_index.xml")
    return rules.sitemaps or [url for url in guesses if not work.job.options.respect_robots or rules.allows(url)]


def _from_named(ctx: Runtime, work: Work, halted: Callable[[], bool]) -> Outcome:
    """The URLs and the sitemap that the job names instead of the home page."""
    hand_over = _HandOver(ctx, work)
    for batch in _batches(_named(ctx, work, url) for url in job_options.seeds(ctx.store, work.job.id)):
        if hand_over(batch, SourceType.MANUAL, 0):
            break
    reader = _reader(ctx, work, halted)
    if work.job.options.sitemap_url:
        sitemap = urls.canonicalise(work.job.options.sitemap_url, f"{work.job.origin}/")
        _read_sitemaps(ctx, work, reader.urls([sitemap]), hand_over, 0)
        if not hand_over.found:
            return _failed(work, reader.problems[0] if reader.problems else f"No page of the crawl is in {sitemap}")
    return _found(work, hand_over, reader)


def _found(work: Work, hand_over: "_HandOver", reader: SitemapReader) -> Finish:
    """The end of a discovery, with what its owner should know of the sitemaps."""
    told = tuple(JobWarning(WarningKind.SITEMAP, problem, problem) for problem in reader.problems[:_MOST_TOLD])
    return Finish(work, TaskState.COMPLETED, found=hand_over.found, documents=1 + reader.files, warnings=told)


def _failed(work: Work, reason: str) -> Finish:
    """Nothing of the job can be crawled."""
    return Finish(work, TaskState.FAILED, error=reason, job_error=reason, documents=1)


def _named(ctx: Runtime, work: Work, url: str) -> NewLink:
    if is_on_its_hosts(work.job, url):
        return named_link(ctx, work, url)
    skip = f"Not on a host of the crawl of {work.job.domain.host}"
    return NewLink(urls.url_key(url), *urls.split(url), skip, is_foreign=True)


def _reader(ctx: Runtime, work: Work, halted: Callable[[], bool], guessed: bool = False) -> SitemapReader:
    gate = SitemapGate(ctx, work, Turn(ctx.politeness, str(work.id), halted))
    ask = guide(ctx.settings, work)
    return SitemapReader(ctx.fetcher, cancelled=halted, guide=ask, gate=gate, guessed=guessed, places=ctx.large)


def _read_sitemaps(
    ctx: Runtime,
    work: Work,
    locations: Iterable[str],
    hand_over: "_HandOver",
    depth: int,
) -> None:
    for batch in _batches(new_links(ctx, work, _canonical(locations, f"{work.job.origin}/"))):
        if hand_over(batch, SourceType.SITEMAP, depth):
            break


def _canonical(locations: Iterable[str], base: str) -> Iterator[str]:
    for location in locations:
        with suppress(InvalidUrl):
            yield urls.canonicalise(location, base)


def _batches(links: Iterable[NewLink]) -> Iterator[list[NewLink]]:
    batch: list[NewLink] = []
    for link in links:
        batch.append(link)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


class _HandOver:
    """Hands found pages to the store in parts, so that the crawl starts while discovery goes on."""

    def __init__(self, ctx: Runtime, work: Work) -> None:
        self._ctx, self._work = ctx, work
        self.found = 0

    def __call__(self, links: Iterable[NewLink], source: SourceType, depth: int) -> bool:
        """Whether max_pages leaves no room for more. Raises Cancelled when the job is over."""
        part = tuple(links)
        self.found += len(part)
        found = Found(self._work, part, source, self._work.job.origin, depth, self.found)
        verdict = self._ctx.committer.record(found)
        if not verdict.recorded:
            raise Cancelled
        return verdict.full
