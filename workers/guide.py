"""What a task's requests say of themselves, and where they may be led: asked before each hop of a fetch."""

import time
from collections.abc import Mapping
from functools import lru_cache

from shared import credentials, scope, urls
from shared.models import Job
from shared.settings import Settings
from shared.stages import Work
from shared.vault import NoSecretKey, SecretUnreadable
from workers.errors import CredentialsUnreadable, RedirectRefused, RobotsPending
from workers.fetch import Guide, Response
from workers.politeness import host_of
from workers.robots import RobotsRules
from workers.runtime import Runtime
from workers.turns import PATIENCE, Turn

#: seconds between two looks for a robots.txt that another task fetches
_LOOK = 0.2


def fetch(ctx: Runtime, work: Work, url: str, turn: Turn, conditions: Mapping[str, str] | None = None) -> Response:
    """Fetches a URL for a task, as its job wants to be seen, each request in its turn. Raises FetchError.

    RedirectRefused where rules or robots.txt keep us from a hop. `conditions` are sent to that URL alone, not to
    those that it redirects to.
    """
    return ctx.fetcher.get(
        url,
        headers=conditions,
        cancelled=turn.is_halted,
        guide=guide(ctx.settings, work),
        gate=_Gate(ctx, work, turn),
        large=turn.place.take,
    )


class _Gate:
    """Lets each request of a fetch go where robots.txt allows it, in its turn."""

    def __init__(self, ctx: Runtime, work: Work, turn: Turn) -> None:
        self._ctx, self._work, self._turn = ctx, work, turn

    def __call__(self, url: str) -> None:
        if self._work.job.options.respect_robots and not self._was_looked_up(url):
            self._turn.close()  # the hop before is over, and robots.txt may need its connection
            rules = self._rules(url)
            if rules is not None and not rules.allows(url):
                raise RedirectRefused(f"Leads to {url}, which robots.txt does not allow")
        self._turn(url)

    def go(self, url: str) -> None:
        self._turn.go(url)

    def went(self, url: str) -> None:
        self._turn.went(url)

    def close(self) -> None:
        self._turn.close()

    def _was_looked_up(self, url: str) -> bool:
        """The task's own URL was, before its turn came."""
        return url == self._work.url

    def _rules(self, url: str) -> RobotsRules | None:
        if is_on_its_hosts(self._work.job, url):
            return self._obeyed(url)
        # a stranger's page is looked at once, to see that the link is no broken one
        return self._ctx.robots.known(urls.split(url)[0], self._work.job.options.user_agent)

    def _obeyed(self, url: str) -> RobotsRules:
        """The rules of a URL's origin, whose delay is kept from here on."""
        agent = self._work.job.options.user_agent
        rules = self._ctx.robots.rules(urls.split(url)[0], self._turn.is_halted, agent)
        if rules.crawl_delay:
            self._ctx.politeness.obey(host_of(url), rules.crawl_delay)
        return rules


class SitemapGate(_Gate):
    """The same for sitemaps, which may be on any host: that of the job announces its own, others have their rules."""

    def _was_looked_up(self, url: str) -> bool:
        return urls.split(url)[0] == self._work.job.origin

    def _rules(self, url: str) -> RobotsRules:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self._obeyed(url)
            except RobotsPending:
                if time.monotonic() > end:
                    raise
                self._turn.rest(_LOOK)


def guide(settings: Settings, work: Work) -> Guide | None:
    """The guide of a task's requests, None where its job asks for nothing special. Raises CredentialsUnreadable."""
    rules, options = scope.rules_of(work.job.options), work.job.options
    if rules is None and options.sealed is None and options.user_agent is None:
        return None
    private = _private(settings, options.sealed) if options.sealed else {}

    def ask(url: str) -> Mapping[str, str]:
        if rules is not None and not work.is_start and url != work.url:
            _check(rules, work.job, url)
        return _headers(work.job, private, url)

    return ask


def _check(rules: scope.Rules, job: Job, url: str) -> None:
    """Raises RedirectRefused where a rule keeps the crawl from a page of its own hosts."""
    if is_on_its_hosts(job, url):
        reason = rules.reason(urls.split(rules.spelled(url))[1])
        if reason:
            raise RedirectRefused(f"Redirects to {url}, which {reason}")


def _headers(job: Job, private: Mapping[str, str], url: str) -> Mapping[str, str]:
    agent = {"user-agent": job.options.user_agent} if job.options.user_agent else {}
    return {**private, **agent} if private and _may_see(job, url) else agent


def _may_see(job: Job, url: str) -> bool:
    """Credentials go to the job's own hosts alone, and not in clear where the job's site is encrypted."""
    is_safe = url.startswith("https://") or (job.origin or "").startswith("http://")
    return is_safe and is_on_its_hosts(job, url)


def is_on_its_hosts(job: Job, url: str) -> bool:
    """Whether a canonical URL is on a host that belongs to the job's crawl."""
    host = urls.split(url)[0].partition("://")[2]
    return urls.in_scope(host, job.domain.host, job.options.allow_cross_subdomain_links)


@lru_cache(maxsize=64)
def _private(settings: Settings, token: str) -> Mapping[str, str]:
    try:
        return credentials.opened(settings, token)
    except (NoSecretKey, SecretUnreadable) as error:
        raise CredentialsUnreadable(error.message) from None
