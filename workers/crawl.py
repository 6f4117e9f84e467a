"""One page: robots, fetch, parse, decide. Everything it learnt is in the outcome it returns."""

import random
import time
from collections.abc import Callable
from dataclasses import replace

from shared import answers, scope, urls
from shared.clock import SECOND, now_us
from shared.stages import Delay, Fetched, Finish, Outcome, PageFacts, Redirect, Work
from shared.states import CacheStatus, JobMode, TaskState
from workers import cache, leases, observe, refusals, turns, validators, warming
from workers.errors import Cancelled, FetchError, HostBusy, RedirectRefused, one_line
from workers.fetch import Response
from workers.guide import fetch, is_on_its_hosts
from workers.links import NOT_ALLOWED, followed, forbidden, in_scope, named_link, packed_links, robots_rules
from workers.parse import ParsedPage, is_html, parse_html
from workers.politeness import host_of
from workers.retry import Answer, Failed, RetryAt, RetryPolicy, SnoozeUntil, decide
from workers.runtime import Runtime
from workers.turns import Turn
from workers.twins import twin
from workers.validators import Asked

POLICY = RetryPolicy()
#: characters of a redirect's target that are kept
_MAX_HOP = 2_000


def crawl(ctx: Runtime, work: Work, halted: Callable[[], bool]) -> Outcome:
    """Crawls the page of an admitted task. Raises Cancelled when it is halted on the way."""
    with Turn(ctx.politeness, str(work.id), halted, places=ctx.large) as turn:
        return _crawl(ctx, work, turn)


def _crawl(ctx: Runtime, work: Work, turn: Turn) -> Outcome:
    began = None
    try:
        barred = _barred(ctx, work, turn)
        if barred is not None:
            return barred
        if work.first is not None:
            return warming.second_request(ctx, work, work.first, turn)
        began = time.monotonic()
        asked = validators.ask(ctx, work, turn)
    except Cancelled:
        raise
    except HostBusy as error:
        if turn.has_asked:
            return after_error(work, error)
        return _later(ctx, work, now_us() + round(error.seconds * SECOND))
    except RedirectRefused as error:
        return Finish(work, TaskState.SKIPPED, error=error.message)
    except FetchError as error:
        if began is not None:
            turns.note_failure(ctx.politeness, work.url, error, time.monotonic() - began)
        return after_error(work, error)
    return _judge(ctx, work, asked, turn)


def _barred(ctx: Runtime, work: Work, turn: Turn) -> Outcome | None:
    """Why this page is not to be fetched, or not yet. Raises FetchError where robots.txt cannot be had."""
    origin, _ = urls.split(work.url)
    rules = robots_rules(ctx, work.job, origin, turn.is_halted) if work.job.options.respect_robots else None
    if rules and not rules.allows(work.url):
        return Finish(work, TaskState.SKIPPED, error=NOT_ALLOWED)
    until = turn.early(work.url, rules.crawl_delay if rules else None)
    return None if until is None else _later(ctx, work, until)


def _later(ctx: Runtime, work: Work, until: int) -> Delay:
    """It is not this task's turn yet."""
    measured_before = work.first.fetched if work.first else Fetched()
    return _delay(ctx, work, until, turns.REASON, spends_attempt=False, fetched=measured_before)


def _delay(ctx: Runtime, work: Work, at: int, reason: str, spends_attempt: bool, fetched: Fetched) -> Delay:
    yields = host_of(work.url) in ctx.politeness.crowded()
    return Delay(work, at, reason, spends_attempt, fetched, yields)


def _judge(ctx: Runtime, work: Work, asked: Asked, turn: Turn) -> Outcome:
    response, fetched = asked.response, _shown(asked)
    refusal = refusals.reason_of(response)
    # a challenge that comes with another status is no page either
    status = 403 if refusal and response.status_code < 400 else fetched.status_code or 0
    answer = Answer(status, response.headers.get("retry-after"), refusal)
    row = turns.note(ctx.politeness, response, blocked=refusal is not None)
    block = refusals.given_up(ctx, work, response, refusal, row, turn)
    if block is not None:
        return Finish(work, TaskState.FAILED, fetched, error=block.message, documents=1, warnings=(block,))
    decision = decide(
        answer,
        work.attempt,
        work.max_attempts,
        POLICY,
        now_us(),
        random.random(),
    )
    if isinstance(decision, RetryAt | SnoozeUntil):
        return _delay(ctx, work, decision.at_us, decision.reason, isinstance(decision, RetryAt), fetched)
    if isinstance(decision, Failed):
        seen = observe.refused(ctx, work, response.status_code)
        return Finish(
            work,
            TaskState.FAILED,
            fetched,
            error=decision.reason,
            sighting=seen,
            documents=1,
            redirects=_redirects(response),
        )
    if _went_elsewhere(work, response):
        return _redirected(ctx, work, response, fetched)
    leases.await_start()
    with ctx.reading:
        finish = (
            _completed(ctx, work, response, fetched, turn)
            if asked.validators is None
            else _unmodified(ctx, work, asked)
        )
    return warming.first_request(finish, now_us(), random.random())


def after_error(work: Work, error: FetchError) -> Delay | Finish:
    """What a failed fetch means for its task: again later, or failed for good."""
    decision = decide(error, work.attempt, work.max_attempts, POLICY, now_us(), random.random())
    if isinstance(decision, RetryAt | SnoozeUntil):
        return Delay(work, decision.at_us, decision.reason, isinstance(decision, RetryAt))
    return Finish(work, TaskState.FAILED, error=decision.reason if isinstance(decision, Failed) else error.message)


def measured(response: Response) -> Fetched:
    """The fetch's measurements as the record keeps them."""
    status = cache.cache_status(response.headers)
    return Fetched(
        status_code=response.status_code,
        response_time=response.elapsed_ms,
        bytes=response.bytes_received,
        content_type=one_line(response.content_type or "")[:200] or None,
        cache_status=CacheStatus[status] if status else None,
        answer=answers.packed(response.headers, response.phases),
    )


def _shown(asked: Asked) -> Fetched:
    """An unmodified page is recorded as the page that it is; only its times and bytes are the answer's."""
    fetched = measured(asked.response)
    if asked.validators is None:
        return fetched
    return replace(fetched, status_code=200, content_type=asked.validators.content_type)


def _went_elsewhere(work: Work, response: Response) -> bool:
    """Whether redirects led to another page; http to https and to www. of the same page do not count."""
    return bool(response.history) and urls.url_key(_final(work, response)) != urls.url_key(work.url)


def _final(work: Work, response: Response) -> str:
    """Where redirects led to, as the job spells it; what a person named is taken as it is."""
    rules = None if work.is_start else scope.rules_of(work.job.options)
    return rules.spelled(response.url) if rules else response.url


def _redirected(ctx: Runtime, work: Work, response: Response, fetched: Fetched) -> Finish:
    """The page that redirects led to gets its own row, if it is part of the crawl."""
    target = _final(work, response)
    seen = observe.redirected(ctx, work, response.history[-1].status_code, target)
    if work.job.options.mode is not JobMode.CRAWL or not is_on_its_hosts(work.job, target):
        return Finish(work, TaskState.COMPLETED, fetched, sighting=seen, documents=1, redirects=_redirects(response))
    first = replace(fetched, status_code=response.history[0].status_code, bytes=None, content_type=None)
    return replace(
        _skipped(ctx, work, first, target, f"Redirects to {target}"), sighting=seen, redirects=_redirects(response)
    )


def _redirects(response: Response) -> tuple[Redirect, ...]:
    return tuple(
        Redirect(hop.status_code, hop.location[:_MAX_HOP], answers.packed(hop.headers, None))
        for hop in response.history
    )


def _completed(ctx: Runtime, work: Work, response: Response, fetched: Fetched, turn: Turn) -> Finish:
    def fetch_aside(url: str) -> Response:
        with ctx.reading.aside():
            return fetch(ctx, work, url, turn)

    page = _parsed(response)
    if page is not None and work.job.options.mode is JobMode.CRAWL:
        same = twin(
            response,
            page,
            lambda url: _is_allowed(ctx, work, url),
            fetch_aside,
        )
        if same is not None:
            # what was measured counts with that page's own row
            return _skipped(ctx, work, Fetched(), same, f"Same page as {same}")
    links, warnings, targets = followed(ctx, work, page.links if page else ())
    seen = observe.completed(ctx, work, response, page)
    return Finish(
        work,
        TaskState.COMPLETED,
        fetched,
        links=links,
        found=len(page.links) if page else 0,
        facts=_facts(response, page),
        sighting=seen.sighting,
        documents=1,
        warnings=warnings,
        targets=targets,
        redirects=_redirects(response),
        kept=validators.kept(ctx, work, response, page, seen.fingerprint),
    )


def _unmodified(ctx: Runtime, work: Work, asked: Asked) -> Finish:
    """The page is as it was the last time, and so are its links."""
    links, warnings, targets = followed(ctx, work, asked.links)
    return Finish(
        work,
        TaskState.COMPLETED,
        _shown(asked),
        links=links,
        found=len(asked.links),
        documents=1,
        warnings=warnings,
        targets=targets,
        is_unmodified=True,
    )


def _skipped(ctx: Runtime, work: Work, fetched: Fetched, instead: str, reason: str) -> Finish:
    """One page, one row: the page has its own row under another URL."""
    link = named_link(ctx, work, instead)
    targets = packed_links([link.url_hash])
    return Finish(work, TaskState.SKIPPED, fetched, error=reason[:500], links=(link,), targets=targets, documents=1)


def _is_allowed(ctx: Runtime, work: Work, url: str) -> bool:
    return in_scope(work, url) and forbidden(ctx, work, url) is None


def _parsed(response: Response) -> ParsedPage | None:
    if not is_html(response.content_type, response.body):
        return None
    return parse_html(response.body, response.url, response.content_type)


def _facts(response: Response, page: ParsedPage | None) -> PageFacts:
    return PageFacts(
        title=page.title if page else None,
        content_hash=page.content_hash if page else None,
        etag=one_line(response.headers.get("etag") or "") or None,
        last_modified=one_line(response.headers.get("last-modified") or "")[:100] or None,
    )
