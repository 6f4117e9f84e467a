"""Finds the pages of a domain: settles the scheme, reads robots.txt and sitemaps, starts at the home page."""

from collections.abc import Callable, Iterable, Iterator

from shared import urls
from shared.errors import InvalidUrl
from shared.stages import Delay, Finish, Found, NewLink, Outcome, Work
from shared.states import SourceType, TaskState
from workers.crawl import after_error, in_scope, new_links
from workers.errors import Cancelled, ConnectionReset, ConnectRefused, ConnectTimeout, FetchError, TlsError
from workers.robots import RobotsRules
from workers.runtime import Runtime
from workers.sitemap import SitemapReader

#: https was refused: try http (API.md, "Scheme")
_REFUSED = (ConnectRefused, ConnectTimeout, ConnectionReset, TlsError)
_BATCH = 500


def discover(ctx: Runtime, work: Work, halted: Callable[[], bool]) -> Outcome:
    """Runs an admitted discovery task. Raises Cancelled when it is halted, or its job is over, on the way."""
    try:
        origin, rules = _settle(ctx, work, halted)
    except Cancelled:
        raise
    except FetchError as error:
        return _hopeless(after_error(work, error))
    if work.job.options.respect_robots and not rules.allows(f"{origin}/"):
        reason = f"robots.txt of {origin} forbids its root"
        return Finish(work, TaskState.FAILED, error=reason, job_error=reason, documents=1)
    return _collect(ctx, work, origin, rules, halted)


def _settle(ctx: Runtime, work: Work, halted: Callable[[], bool]) -> tuple[str, RobotsRules]:
    """The domain's origin and its robots.txt: the scheme as given, else https, else http."""
    if work.job.origin:
        return work.job.origin, ctx.robots.rules(work.job.origin, cancelled=halted)
    https = f"https://{work.job.domain.host}"
    try:
        return https, ctx.robots.rules(https, cancelled=halted)
    except _REFUSED:
        http = f"http://{work.job.domain.host}"
        return http, ctx.robots.rules(http, cancelled=halted)


def _hopeless(outcome: Delay | Finish) -> Outcome:
    """Where not even robots.txt can be reached, the failure is the job's."""
    if isinstance(outcome, Delay):
        return outcome
    return Finish(outcome.work, outcome.state, error=outcome.error, job_error=outcome.error)


def _collect(ctx: Runtime, work: Work, origin: str, rules: RobotsRules, halted: Callable[[], bool]) -> Finish:
    hand_over = _HandOver(ctx, work, origin)
    full = hand_over(new_links(ctx, work, [f"{origin}/"], halted), SourceType.MANUAL)
    documents = 1
    if work.job.options.use_sitemap and not full:
        reader = SitemapReader(ctx.fetcher, cancelled=halted)
        candidates = rules.sitemaps or (f"{origin}/sitemap.xml", f"{origin}/sitemap_index.xml")
        pages = new_links(ctx, work, _canonical(work, reader.urls(candidates), origin), halted)
        for batch in _batches(pages):
            if hand_over(batch, SourceType.SITEMAP):
                break
        documents += reader.files
    return Finish(work, TaskState.COMPLETED, found=hand_over.found, documents=documents)


def _canonical(work: Work, locations: Iterable[str], origin: str) -> Iterator[str]:
    for location in locations:
        try:
            url = urls.canonicalise(location, origin + "/")
        except InvalidUrl:
            continue
        if in_scope(work, url):
            yield url


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

    def __init__(self, ctx: Runtime, work: Work, origin: str) -> None:
        self._ctx, self._work, self._origin = ctx, work, origin
        self.found = 0

    def __call__(self, links: Iterable[NewLink], source: SourceType) -> bool:
        """Whether max_pages leaves no room for more. Raises Cancelled when the job is over."""
        part = tuple(links)
        self.found += len(part)
        verdict = self._ctx.committer.record(Found(self._work, part, source, self._origin))
        if not verdict.recorded:
            raise Cancelled
        return verdict.full
