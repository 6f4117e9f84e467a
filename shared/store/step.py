"""The hot transaction: record outcomes, admit links, hand out the next tasks, start what workers ask for.

One transaction for all that a worker process has to say at a moment (group commit). Tasks are locked
first and in the order of their ids, then each job's state row in the order of the jobs, so that two
committers never wait for each other in a circle.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from shared.stages import Admission, Dispatch, Hands, Outcome, Verdict, Work
from shared.store.admissions import Start, admit, begin, follow
from shared.store.among import among
from shared.store.engine import Store
from shared.store.hot import Hot
from shared.store.ledger import Ledger
from shared.store.outcomes import record
from shared.store.tables import tasks

_T = tasks.c
_LOCK = Hot(select(tasks).where(among(_T.id, "ids")).order_by(_T.id).with_for_update())


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step decided."""

    #: per admission: the work, or None when there is nothing (more) to run
    works: list[Work | None] = field(default_factory=list)
    #: per outcome
    verdicts: list[Verdict] = field(default_factory=list)
    #: tasks to enqueue now
    dispatches: list[Dispatch] = field(default_factory=list)
    #: tasks started for the caller, who has said that it has hands free
    started: list[Work] = field(default_factory=list)
    #: promised tasks that it had begun, and that are started now
    followed: set[int] = field(default_factory=set)
    #: tasks that it may begin from now on, each in the place of one that ends
    promised: list[Work] = field(default_factory=list)
    #: by job: those it was promised before that last for another lease
    kept: dict[int, frozenset[int]] = field(default_factory=dict)


def run(
    store: Store,
    admissions: Sequence[Admission],
    outcomes: Sequence[Outcome],
    now: int,
    lease: int,
    crowded: frozenset[str] = frozenset(),
    tried: Collection[int] = (),
    hands: Hands | None = None,
    worker: str | None = None,
) -> StepResult:
    """Commits a batch. Times in microseconds; lease is how long an admitted task is held without renewal.

    `hands` says what the caller takes on itself: tasks that are started for it, in the places of pages that ended,
    and promised ones, which it may begin before a commit has started them.

    `tried` are the `now` of earlier tries of this batch: one of them may have been committed, its answer lost.

    `worker` is the caller's name, kept with the attempts.

    Half of a job's slots are not given to pages of the `crowded` hosts (host[:port]).

    The store of whoever runs many steps is opened `by_index`.

    Raises StoreUnavailable; then nothing of the batch is recorded and it can be repeated as it is.
    """
    held = frozenset(moment + lease for moment in tried)
    return store.write(
        lambda conn: _step(Ledger(conn, now, crowded, hands, worker, lease), admissions, outcomes, lease, held)
    )


def _step(
    ledger: Ledger, admissions: Sequence[Admission], outcomes: Sequence[Outcome], lease: int, held: frozenset[int]
) -> StepResult:
    wanted = {a.task_id for a in admissions} | {o.work.id for o in outcomes}
    rows = {row.id: row for row in _LOCK.rows(ledger.conn, {"ids": sorted(wanted)})}
    verdicts = record(ledger, rows, outcomes)
    followed = follow(ledger, outcomes, verdicts, held)
    admitted = admit(ledger, rows, admissions, held)
    dispatches = ledger.close()
    owners = {o.work.job.id: o.work.job for o in outcomes}
    handed = [Start(row, owners[row.job_id]) for row in ledger.handed]
    promised = [Start(row, owners[row.job_id]) for row in ledger.promised]
    works = begin(ledger, [*admitted, *handed], promised)
    n = len(admitted)
    started = [work for work in works.started[n:] if work is not None]
    return StepResult(works.started[:n], verdicts, dispatches, started, followed, works.promised, ledger.kept)
