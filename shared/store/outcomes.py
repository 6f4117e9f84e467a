"""The part of the hot transaction that records outcomes: task rows, counts, pages, found links."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from shared import ids
from shared.stages import Delay, Finish, Found, JobWarning, Outcome, Recheck, Release, Verdict, Work
from shared.states import TaskKind, TaskState, WarningKind
from shared.store import attempts, changes, delays, holders, links, notes, validators, visits
from shared.store.hot import send
from shared.store.hot_rows import HotUpdate
from shared.store.ledger import Ledger
from shared.store.tables import tasks


def record(ledger: Ledger, rows: dict[int, Any], outcomes: Sequence[Outcome]) -> list[Verdict]:
    """Records what became of locked tasks; a verdict for each outcome."""
    valid = [_is_current(rows.get(o.work.id), o.work) for o in outcomes]
    live = [o for o, ok in zip(outcomes, valid, strict=True) if ok]
    ledger.lock({ids.job_of(o.work.id) for o in live})
    finished = [(o, rows[o.work.id]) for o in live if isinstance(o, Finish)]
    _count(ledger, finished)
    ended = _first_requests(live)
    seen = [(o, rows[o.work.id]) for o in ended]
    # before anything is put: what follows goes together
    visited = visits.lock(ledger, seen)
    added = _admit_links(ledger, live)
    _end(ledger, finished, added)
    _recheck(ledger, [(o, rows[o.work.id]) for o in live if isinstance(o, Recheck)], added)
    _note_found(ledger, [(o, rows[o.work.id]) for o in live if isinstance(o, Found)], added)
    delayed = [(o, rows[o.work.id]) for o in live if isinstance(o, Delay)]
    put_back = delays.delay(ledger, delayed)
    put_back |= delays.release(ledger, [o.work for o in live if isinstance(o, Release)])
    changed = changes.record(ledger, seen, visited)
    validators.keep(ledger.conn, seen, ledger.now)
    attempts.record(ledger.conn, [*seen, *delayed], ledger.now, ledger.worker)
    attempts.record_second(ledger.conn, (o for o, _ in finished))
    holders.keep(ledger.conn, ended)
    if any(o.warnings or o.redirects for o in ended):
        notes.record(ledger.conn, ended, ledger.now)
    verdict = partial(_verdict, ledger, added, changed, put_back)
    return [verdict(o, ok) for o, ok in zip(outcomes, valid, strict=True)]


def _admit_links(ledger: Ledger, live: Sequence[Outcome]) -> dict[int, int]:
    """How many new links each task brought."""
    found = [o.first if isinstance(o, Recheck) else o for o in live]
    parts = [o for o in found if isinstance(o, Finish | Found)]
    for o in parts:
        if o.origin:
            ledger.account(o.work.job.id).origin = o.origin
    return links.admit(ledger, [o for o in parts if o.links])


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


def finish_rows(ledger: Ledger, finished: Sequence[tuple[Finish, Any]]) -> None:
    """Ends locked tasks that learnt nothing: their rows, their job's counts."""
    _count(ledger, finished)
    _end(ledger, finished, {})


def _count(ledger: Ledger, finished: Iterable[tuple[Finish, Any]]) -> None:
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


def _half_discovered(reason: str) -> JobWarning:
    """For a job that goes on with the pages that were found before."""
    return JobWarning(WarningKind.SITEMAP, "discovery", f"Discovery ended before it was complete: {reason}")


_FINISHED = (
    "state attempts status_code response_time bytes content_type cache_status error completed_at"
    " links_found links_added documents second_response_time second_cache_status claimed_until next_attempt_at"
).split()
_FINISH = HotUpdate(tasks, _FINISHED)


def _end(ledger: Ledger, finished: Sequence[tuple[Finish, Any]], added: dict[int, int]) -> None:
    if finished:
        _FINISH.put(ledger.conn, [_finish_values(o, row, ledger.now, added) for o, row in finished])


def _finish_values(o: Finish, row: Any, now: int, added: dict[int, int]) -> dict[str, Any]:
    f = o.fetched
    return {
        "id": row.id,
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
        "links_added": _links_added(row, added),
        "documents": o.documents,
        "claimed_until": None,
        "next_attempt_at": None,
    }


def _links_added(row: Any, added: dict[int, int]) -> int | None:
    """With those of earlier parts."""
    before: int | None = row.links_added
    return (before or 0) + added[row.id] if row.id in added else before


_RECHECK = HotUpdate(tasks, [*_FINISHED, "crashes"])


def _recheck(ledger: Ledger, rechecked: Sequence[tuple[Recheck, Any]], added: dict[int, int]) -> None:
    """Records what the first request brought, but does not end the task."""
    waits = {"state": TaskState.DELAYED, "completed_at": None, "crashes": 0}
    if rechecked:
        values = [_finish_values(o.first, row, ledger.now, added) | waits for o, row in rechecked]
        _RECHECK.put(ledger.conn, [v | {"next_attempt_at": o.at} for v, (o, _) in zip(values, rechecked, strict=True)])


_NOTE_FOUND = HotUpdate(tasks, ["links_found", "links_added"])


def _note_found(ledger: Ledger, parts: Sequence[tuple[Found, Any]], added: dict[int, int]) -> None:
    if parts:
        send(ledger.conn)  # it may be the end of the same task that was put before
        values = [{"id": r.id, "links_found": o.found, "links_added": _links_added(r, added)} for o, r in parts]
        _NOTE_FOUND.put(ledger.conn, values)
