"""The part of the hot transaction that records outcomes: task rows, counts, pages, found links."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import bindparam, update

from shared import ids
from shared.stages import Delay, Finish, Found, JobWarning, Outcome, Recheck, Release, Verdict, Work
from shared.states import TaskKind, TaskState, WarningKind
from shared.store import attempts, changes, delays, holders, links, notes, validators
from shared.store.ledger import Ledger
from shared.store.tables import pages, tasks

_T = tasks.c


def record(ledger: Ledger, rows: dict[int, Any], outcomes: Sequence[Outcome]) -> list[Verdict]:
    """Records what became of locked tasks; a verdict for each outcome."""
    valid = [_is_current(rows.get(o.work.id), o.work) for o in outcomes]
    live = [o for o, ok in zip(outcomes, valid, strict=True) if ok]
    ledger.lock({ids.job_of(o.work.id) for o in live})
    finishes = [o for o in live if isinstance(o, Finish)]
    finish_rows(ledger, [(o, rows[o.work.id]) for o in finishes])
    _recheck(ledger, [(o, rows[o.work.id]) for o in live if isinstance(o, Recheck)])
    delayed = [(o, rows[o.work.id]) for o in live if isinstance(o, Delay)]
    put_back = delays.delay(ledger, delayed)
    put_back |= delays.release(ledger, [o.work for o in live if isinstance(o, Release)])
    ended = _first_requests(live)
    seen = [(o, rows[o.work.id]) for o in ended]
    changed = changes.record(ledger, seen)
    validators.keep(ledger.conn, seen, ledger.now)
    attempts.record(ledger.conn, [*seen, *delayed], ledger.now)
    holders.keep(ledger.conn, ended)
    for o in live:
        if isinstance(o, Finish | Found) and o.origin:
            ledger.account(o.work.job.id).origin = o.origin
    if any(o.warnings or o.redirects for o in ended):
        notes.record(ledger.conn, ended, ledger.now)
    _note_found(ledger, [o for o in live if isinstance(o, Found)])
    found = [o.first if isinstance(o, Recheck) else o for o in live]
    added = links.admit(ledger, [o for o in found if isinstance(o, Finish | Found) and o.links])
    verdict = partial(_verdict, ledger, added, changed, put_back)
    return [verdict(o, ok) for o, ok in zip(outcomes, valid, strict=True)]


def _verdict(
    ledger: Ledger, added: dict[int, int], changed: set[int], put_back: set[int], o: Outcome, ok: bool
) -> Verdict:
    task = o.work.id
    full = ok and ledger.account(o.work.job.id).is_full(o.work.job.options.max_pages)
    return Verdict(ok, added.get(task, 0), full, ok and task in changed, ok and task in put_back)


def _first_requests(live: Sequence[Outcome]) -> list[Finish]:
    """What the pages' own requests brought, whether a second one follows or not."""
    return [o.first if isinstance(o, Recheck) else o for o in live if isinstance(o, Finish | Recheck)]


def _is_current(row: Any, work: Work) -> bool:
    """Whether this outcome is the one awaited: not a duplicate, not of a cancelled or taken-over task."""
    return row is not None and row.state == TaskState.RUNNING and row.run == work.run


_FINISHED = (
    "state attempts status_code response_time bytes content_type cache_status error completed_at"
    " links_found documents second_response_time second_cache_status"
).split()
_FINISH = (
    update(tasks)
    .where(_T.id == bindparam("task"))
    .values({name: bindparam(name) for name in _FINISHED} | {"claimed_until": None, "next_attempt_at": None})
)


def finish_rows(ledger: Ledger, finished: Sequence[tuple[Finish, Any]]) -> None:
    """Ends locked tasks: their rows, their job's counts, their page."""
    if not finished:
        return
    ledger.conn.execute(_FINISH, [_finish_values(o, row, ledger.now) for o, row in finished])
    for o, row in finished:
        account = ledger.account(row.job_id)
        if row.kind == TaskKind.DISCOVER_PAGES:
            account.discovery_ended(o)
            if o.job_error and not account.error:
                notes.warn(ledger.conn, row.job_id, _half_discovered(o.job_error), ledger.now)
            continue
        f = o.fetched
        account.tally.add(o.state, f.status_code, f.cache_status, f.response_time, f.bytes)
        account.ended(counts_as_page=o.state != TaskState.SKIPPED)
        if o.job_error:
            account.fail(o.job_error)
    _update_pages(ledger, finished)


def _half_discovered(reason: str) -> JobWarning:
    """For a job that goes on with the pages that were found before."""
    return JobWarning(WarningKind.SITEMAP, "discovery", f"Discovery ended before it was complete: {reason}")


def _finish_values(o: Finish, row: Any, now: int) -> dict[str, Any]:
    f = o.fetched
    return {
        "task": row.id,
        "state": o.state,
        # the second request is no attempt of its own
        "attempts": row.attempts + (1 if o.work.first is None else 0),
        "second_response_time": o.second.response_time if o.second else None,
        "second_cache_status": o.second.cache_status if o.second else None,
        "status_code": f.status_code,
        "response_time": f.response_time,
        "bytes": f.bytes,
        "content_type": f.content_type,
        "cache_status": f.cache_status,
        "error": o.error,
        "completed_at": now,
        "links_found": o.found,
        "documents": o.documents,
    }


_THIS_PAGE = update(pages).where(pages.c.domain_id == bindparam("domain"), pages.c.url_hash == bindparam("page"))
_VISIT = ("last_task_id", "status_code", "crawled_at")
_FACTS = ("title", "content_hash", "etag", "last_modified")
_PAGE = _THIS_PAGE.values({name: bindparam(name) for name in (*_VISIT, *_FACTS)})
_VISITED = _THIS_PAGE.values({name: bindparam(name) for name in _VISIT})


def _update_pages(ledger: Ledger, finished: Iterable[tuple[Finish, Any]]) -> None:
    """What the pages are now; of one that has not been modified only when it was seen."""
    ordered = sorted(finished, key=lambda pair: (pair[0].work.job.domain.id, pair[1].url_hash))
    fetched = [_page_values(o, row, ledger.now) for o, row in ordered if o.facts is not None]
    visited = [_page_values(o, row, ledger.now) for o, row in ordered if o.is_unmodified]
    for statement, values in ((_PAGE, fetched), (_VISITED, visited)):
        if values:
            ledger.conn.execute(statement, values)


def _page_values(o: Finish, row: Any, now: int) -> dict[str, Any]:
    values = {
        "domain": o.work.job.domain.id,
        "page": row.url_hash,
        "last_task_id": row.id,
        "status_code": o.fetched.status_code,
        "crawled_at": now,
    }
    return values | ({name: getattr(o.facts, name) for name in _FACTS} if o.facts is not None else {})


_RECHECK = (
    update(tasks)
    .where(_T.id == bindparam("task"))
    .values(
        {name: bindparam(name) for name in _FINISHED if name not in ("state", "completed_at")}
        | {"state": TaskState.DELAYED, "claimed_until": None, "crashes": 0, "next_attempt_at": bindparam("at")}
    )
)


def _recheck(ledger: Ledger, rechecked: Sequence[tuple[Recheck, Any]]) -> None:
    """Records what the first request brought, but does not end the task."""
    if rechecked:
        values = [_finish_values(o.first, row, ledger.now) | {"at": o.at} for o, row in rechecked]
        unused = ("state", "completed_at")
        ledger.conn.execute(_RECHECK, [{k: v for k, v in value.items() if k not in unused} for value in values])
        _update_pages(ledger, [(o.first, row) for o, row in rechecked])


_NOTE_FOUND = update(tasks).where(_T.id == bindparam("task")).values(links_found=bindparam("found"))


def _note_found(ledger: Ledger, parts: Sequence[Found]) -> None:
    if parts:
        ledger.conn.execute(_NOTE_FOUND, [{"task": o.work.id, "found": o.found} for o in parts])
