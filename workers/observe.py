"""What a look at a page means for its history: nothing new, a first look, or a change.

Most looks end at a hash. Only where something differs is the last snapshot read, outside of any transaction.
"""

import logging
from dataclasses import replace
from typing import Any, NamedTuple

from shared import change_settings, urls
from shared.change_settings import Rules
from shared.changes import Facts, Sighting, pack
from shared.errors import StoreUnavailable
from shared.stages import Work
from shared.store import snapshots
from shared.store.snapshots import Snapshot
from workers import changes, extract
from workers.changes import Fingerprint, Look
from workers.charset import to_utf8
from workers.errors import one_line
from workers.fetch import Response
from workers.parse import ParsedPage, content_hash, squeezed
from workers.retry import BLOCKING
from workers.runtime import Runtime

log = logging.getLogger(__name__)

_TEXTS = ("text/", "application/json", "application/xml")
_MAX_FIELD = 1_000


class Seen(NamedTuple):
    """What a look at a fetched page brought."""

    #: None: as the last time
    sighting: Sighting | None
    #: of the page from now on; None where it could not be compared
    fingerprint: str | None


def completed(ctx: Runtime, work: Work, response: Response, page: ParsedPage | None) -> Seen:
    """A page that was fetched; to be called while it is read (`workers.reading`)."""
    rules = change_settings.rules(work.watch.settings)
    text, note = extract.visible(page, rules.settings) if page else (_plain(response), None)
    facts = _facts(response.status_code, page)
    is_whole = page is not None and text is page.text
    said = page.squeezed if page and is_whole else squeezed(text or b"")
    html = response.body if page else b""
    now = Fingerprint(
        rules.version + ("n" if note else ""),
        changes.head_of(response.status_code, None, rules),
        changes.raw_hash(facts, page.content_hash if page and is_whole else content_hash(said), html),
        "",
    )
    known = Fingerprint.parse(work.watch.fingerprint)
    if known is not None and known[:2] == now[:2] and _is_raw(known.raw, now.raw, facts, said, html):
        return Seen(None, work.watch.fingerprint)
    headings = extract.headings(page, rules.settings) if page else ()
    look = Look(_facts(response.status_code, page, headings), None if text is None else changes.tidy(text))
    is_respaced = text is not None and changes.loses_space_only(text)
    now = now._replace(clean=changes.clean_hash(look, rules, said if is_respaced else None))
    if known is not None and known._replace(raw="") == now._replace(raw=""):
        return Seen(None, work.watch.fingerprint)
    return _sighting(ctx, work, look, now, note, rules)


def _is_raw(known: str, now: str, facts: Facts, said: bytes, html: bytes) -> bool:
    return known == now or known == changes.earlier_raw_hash(facts, said, html)


def refused(ctx: Runtime, work: Work, status_code: int) -> Sighting | None:
    """A page that ends in an error: its status may be news, its content never is.

    An answer that blocks us says nothing about the page.
    """
    known = Fingerprint.parse(work.watch.fingerprint)
    if known is None or status_code in BLOCKING or known.head.partition("r")[0] == str(status_code):
        return None
    return _carried(ctx, work, known, status_code=status_code)


def redirected(ctx: Runtime, work: Work, status_code: int, target: str) -> Sighting | None:
    """A page that sends us to another one."""
    rules = change_settings.rules(work.watch.settings)
    known = Fingerprint.parse(work.watch.fingerprint)
    head = changes.head_of(status_code, target, rules)
    if known is None:
        now = Fingerprint(rules.version, head, "", "")
        return Sighting(None, str(now), Facts(status_code, target), None, None, keep=ctx.settings.snapshots)
    return _carried(ctx, work, known, status_code=status_code, redirect=target) if known.head != head else None


def _carried(ctx: Runtime, work: Work, known: Fingerprint, **news: Any) -> Sighting | None:
    """A look that says nothing about the content: that of the last look stays."""
    base = _base(ctx, work)
    if base is None:
        return None
    facts = replace(base.facts, **news)
    rules = change_settings.rules(work.watch.settings)
    difference = changes.compare(Look(base.facts, None), Look(facts, None), rules, comparable=False)
    if not difference.types:
        return None
    return Sighting(
        base=base.fingerprint,
        fingerprint=str(known._replace(head=changes.head_of(facts.status_code, facts.redirect, rules))),
        facts=facts,
        text_hash=base.text_hash,
        text=None,
        note=base.note,
        difference=difference,
        keep=ctx.settings.snapshots,
    )


def _sighting(ctx: Runtime, work: Work, look: Look, now: Fingerprint, note: str | None, rules: Rules) -> Seen:
    known, difference = Fingerprint.parse(work.watch.fingerprint), None
    if known is not None:
        with ctx.reading.aside():
            base = _base(ctx, work)
        if base is None:
            return Seen(None, None)
        same_rules = known.version == now.version
        difference = changes.compare(Look(base.facts, base.text), look, rules, same_rules)
        if not difference.types:
            if same_rules and (base.text is None) == (look.text is None):
                return Seen(None, work.watch.fingerprint)
            difference = None
    sighting = Sighting(
        base=work.watch.fingerprint,
        fingerprint=str(now),
        facts=look.facts,
        text_hash=changes.text_hash(look.text) if look.text is not None else None,
        text=pack(look.text) if look.text is not None else None,
        text_size=len(look.text or b""),
        note=note,
        difference=difference,
        keep=ctx.settings.snapshots,
    )
    return Seen(sighting, sighting.fingerprint)


def _base(ctx: Runtime, work: Work) -> Snapshot | None:
    """The snapshot that the task is compared with; None where another job has recorded the page since it began."""
    try:
        found = snapshots.newest(ctx.store, work.job.domain.id, urls.url_key(work.url))
    except StoreUnavailable as error:
        # the page is crawled all the same; the next crawl finds the change
        log.warning("page not compared: %s", error.message)
        return None
    return found if found is not None and found.fingerprint == work.watch.fingerprint else None


def _facts(status_code: int, page: ParsedPage | None, headings: tuple[str, ...] = ()) -> Facts:
    if page is None:
        return Facts(status_code)
    description = one_line(page.description or "")[:_MAX_FIELD] or None
    return Facts(status_code, None, page.title, description, page.canonical, headings)


def _plain(response: Response) -> bytes | None:
    """The text of what is no HTML."""
    if (response.content_type or "").strip().lower().startswith(_TEXTS):
        return to_utf8(response.body[: 2 * changes.MAX_TEXT], response.content_type)
    return None
