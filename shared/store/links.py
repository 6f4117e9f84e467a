"""Admitting found URLs to a job: deduplicated, within max_pages, in a dense sequence."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from shared import ids
from shared.models import Job
from shared.stages import Finish, Found, NewLink
from shared.states import JobMode, SourceType, TaskKind, TaskState
from shared.store import levels
from shared.store.accounts import Account
from shared.store.among import each
from shared.store.hot import Hot, as_json
from shared.store.hot_rows import HotInsert
from shared.store.ledger import Ledger
from shared.store.tables import pages, tasks

_CHUNK = 5000
_KNOWN = Hot(partial(each, keys=[tasks.c.job_id, tasks.c.url_hash], query=select(tasks.c.url_hash)))
_NEW_TASK = HotInsert(
    tasks,
    (
        "id job_id url_hash kind state origin path priority depth source_type source_id error created_at completed_at"
    ).split(),
)
_NEW_PAGE = HotInsert(
    pages, ["domain_id", "url_hash", "origin", "path", "created_at"], lambda put: put.on_conflict_do_nothing()
)


def admit(ledger: Ledger, finishes: Sequence[Finish | Found]) -> dict[int, int]:
    """Inserts the new links of ended tasks; how many each added. Job rows are locked by the caller."""
    added: dict[int, int] = {}
    by_job: dict[int, list[Finish | Found]] = defaultdict(list)
    for finish in finishes:
        by_job[finish.work.job.id].append(finish)
    for job_id, group in sorted(by_job.items()):
        added |= _admit_to_job(ledger, ledger.account(job_id), group)
    return added


def _admit_to_job(ledger: Ledger, account: Account, group: Sequence[Finish | Found]) -> dict[int, int]:
    job = group[0].work.job
    fresh = _fresh(ledger.conn, job.id, group)
    if job.options.max_depth is not None:
        levels.raise_known(ledger.conn, job.id, group)
    if job.options.mode is JobMode.DISCOVER:
        return {
            f.work.id: sum(_NEW_PAGE.run(ledger.conn, rows) for rows in _pages(ledger, job, links))
            for f, links in fresh
        }
    rows: list[dict[str, Any]] = []
    added = {f.work.id: _take(ledger, account, f, links, rows) for f, links in fresh}
    for start in range(0, len(rows), _CHUNK):
        _NEW_TASK.put(ledger.conn, rows[start : start + _CHUNK])
    for some in _pages(ledger, job, [link for _, links in fresh for link in links if not link.is_foreign]):
        _NEW_PAGE.put(ledger.conn, some)
    return added


def _fresh(
    conn: Connection, job_id: int, group: Sequence[Finish | Found]
) -> list[tuple[Finish | Found, list[NewLink]]]:
    """Per ended task the links that neither the store nor an earlier task of the batch has."""
    hashes = list({link.url_hash for f in group for link in f.links})
    known: set[int] = set()
    for start in range(0, len(hashes), _CHUNK):
        keys = [{"job_id": job_id, "url_hash": url_hash} for url_hash in hashes[start : start + _CHUNK]]
        known |= {row.url_hash for row in _KNOWN.rows(conn, {"keys": as_json(keys)})}
    result = []
    for f in group:
        links = []
        for link in f.links:
            if link.url_hash not in known:
                known.add(link.url_hash)
                links.append(link)
        result.append((f, links))
    return result


def _take(ledger: Ledger, account: Account, f: Finish | Found, links: list[NewLink], rows: list[dict[str, Any]]) -> int:
    """Appends the rows that max_pages leaves room for, in order; links over it leave `links`."""
    job = f.work.job
    origin = account.origin or job.origin
    room = job.options.max_pages - account.n_pages if job.options.max_pages else None
    kept: list[NewLink] = []
    pages_taken = 0
    for link in links:
        if link.skip is None:
            if room is not None and pages_taken >= room:
                continue
            pages_taken += 1
        else:
            account.tally.add(TaskState.SKIPPED, None, None, None, None)
        kept.append(link)
        rows.append(_row(ledger.now, job, f, link, account.next_seq, origin))
        account.next_seq += 1
    account.n_pages += pages_taken
    account.n_open += pages_taken
    links[:] = kept
    return len(kept)


def _row(now: int, job: Job, f: Finish | Found, link: NewLink, seq: int, origin: str | None) -> dict[str, Any]:
    skipped = link.skip is not None
    return {
        "id": ids.pack(job.id, seq),
        "job_id": job.id,
        "url_hash": link.url_hash,
        "kind": TaskKind.CRAWL_PAGE,
        "state": TaskState.SKIPPED if skipped else TaskState.PENDING,
        "origin": None if link.origin == origin else link.origin,
        "path": link.path,
        "priority": -f.depth if job.options.max_depth is not None else 0,
        "depth": f.depth,
        "source_type": f.source,
        "source_id": f.work.id if f.source is SourceType.LINK_CRAWL else None,
        "error": link.skip,
        "created_at": now,
        "completed_at": now if skipped else None,
    }


def _pages(ledger: Ledger, job: Job, links: Sequence[NewLink]) -> list[list[dict[str, Any]]]:
    """What makes pages known to the domain, in their order and in parts."""
    rows = [
        {
            "domain_id": job.domain.id,
            "url_hash": link.url_hash,
            "origin": link.origin,
            "path": link.path,
            "created_at": ledger.now,
        }
        for link in sorted(links, key=lambda link: link.url_hash)
    ]
    return [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
