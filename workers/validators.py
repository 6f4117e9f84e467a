"""Conditional requests (RFC 9110, 13): a page that was crawled before is asked for only if it has changed.

A 304 is believed only as the answer to such a request, from the address that was asked, about the version that is
kept. Then the page is what it was: its links are followed and its record shows the kept page (RFC 9111, 4.3.3).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import blake2b

from shared import change_settings
from shared.clock import SECOND, now_us
from shared.records import record
from shared.stages import Work
from shared.store import validators as store
from shared.validators import KeptPage, Validators, packed, unpacked
from workers.errors import one_line
from workers.fetch import Response
from workers.guide import fetch
from workers.parse import ParsedPage
from workers.runtime import Runtime
from workers.turns import Turn
from workers.twins import other_address

NOT_MODIFIED = 304
#: of what is read from a page: with another one what was kept by an older version is not used
_READER = 1
_ETAG = re.compile(r'(?:W/)?"[!#-~]{1,300}"').fullmatch
#: seconds that a page must have been unchanged before its time alone tells of a change (RFC 9110, 8.8.2.2)
_SETTLED = 60


@record(frozen=True, slots=True)
class Asked:
    """The answer to a page's request, and the page's kept links where it says that nothing has changed."""

    response: Response
    validators: Validators | None = None
    links: tuple[str, ...] = ()


def ask(ctx: Runtime, work: Work, turn: Turn) -> Asked:
    """Fetches a task's page, only if it has changed where that can be asked for. Raises FetchError."""
    known = _usable(ctx, work)
    if known is None:
        return Asked(fetch(ctx, work, work.url, turn))
    response = fetch(ctx, work, work.url, turn, _conditions(known))
    if response.status_code != NOT_MODIFIED:
        return Asked(response)
    if not confirms(response, known):
        return Asked(fetch(ctx, work, work.url, turn))
    return Asked(response, known, unpacked(known.links))


def kept(
    ctx: Runtime, work: Work, response: Response, page: ParsedPage | None, fingerprint: str | None
) -> KeptPage | None:
    """What is to be kept of a page with this fingerprint, to ask for it the next time; None: nothing."""
    if fingerprint is None or response.status_code != 200 or response.history or not _may_be_kept(work):
        return None
    if other_address(response.url, page.canonical if page else None):
        return None  # whether it is a page of its own has to be looked at each time
    etag, last_modified = of_headers(response.headers)
    links = packed(page.links if page else ()) if etag or last_modified else None
    if links is None:
        return None
    content_type = one_line(response.content_type or "")[:200] or None
    return KeptPage(Validators(_key(ctx, work, fingerprint), etag, last_modified, content_type), links)


def of_headers(headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The ETag and Last-Modified (as sent) that a page can be asked for with; None for each that is not good enough.

    `Vary: *` says that no other request gets the same page.
    """
    if "*" in headers.get("vary", ""):
        return None, None
    etag, last_modified = headers.get("etag", ""), headers.get("last-modified", "")
    changed, sent = _moment(last_modified), _moment(headers.get("date", ""))
    is_settled = changed is not None and sent is not None and (sent - changed).total_seconds() >= _SETTLED
    return (etag if _ETAG(etag) else None), (last_modified[:100] if is_settled else None)


def confirms(response: Response, known: Validators) -> bool:
    """Whether a 304 speaks of the kept version: asked for there, and with no other validator than was sent."""
    if response.history:
        return False
    if known.etag:
        return _strong(response.headers.get("etag", known.etag)) == _strong(known.etag)
    return response.headers.get("last-modified", known.last_modified) == known.last_modified


def _strong(etag: str) -> str:
    """For the weak comparison (RFC 9110, 8.8.3.2)."""
    return etag.removeprefix("W/")


@lru_cache(1_000)  # the pages of a site are as old as each other, and were sent in the same seconds
def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo else None


def _conditions(known: Validators) -> Mapping[str, str]:
    """The entity tag alone where there is one: a server that looks at the time first would miss changes."""
    if known.etag:
        return {"if-none-match": known.etag}
    return {"if-modified-since": known.last_modified or ""}


def _may_be_kept(work: Work) -> bool:
    """What credentials open is nobody else's page."""
    return work.job.options.conditional_requests and work.job.options.sealed is None


def _usable(ctx: Runtime, work: Work) -> Validators | None:
    known, fingerprint = work.watch.validators, work.watch.fingerprint
    if known is None or fingerprint is None or not _may_be_kept(work):
        return None
    is_fresh = known.kept_at > now_us() - store.DAYS * 86_400 * SECOND
    return known if is_fresh and known.key == _key(ctx, work, fingerprint) else None


def _key(ctx: Runtime, work: Work, fingerprint: str) -> int:
    """Of all that must be the same for a 304 to mean that nothing has changed.

    What is sent, what the page looked like, what reads it, and what is compared of it.
    """
    agent = work.job.options.user_agent or ctx.settings.user_agent
    rules = change_settings.rules(work.watch.settings).version
    text = "\n".join((str(_READER), work.url, agent, fingerprint, rules))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
