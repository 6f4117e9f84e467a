"""The books of one transaction: each touched job's locked state row, what changes in it, what is claimed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, not_, select, update

from shared import ids
from shared.stages import Dispatch, Hands
from shared.states import ACTIVE_JOB, JobMode, JobState, TaskKind, TaskState
from shared.store import counters, events, levels, notes
from shared.store.accounts import Account, opened, saved
from shared.store.among import among
from shared.store.hot import Hot
from shared.store.hot_rows import HotUpdate
from shared.store.tables import IS_IN_FLIGHT, IS_PENDING, job_state, jobs, tasks

_earlier = jobs.alias("earlier")
#: whether a crawl of the domain was complete when the job was made: only after that a page can be new
_EARLIER = (
    select(_earlier.c.id)
    .where(
        _earlier.c.domain_id == jobs.c.domain_id,
        _earlier.c.mode == JobMode.CRAWL,
        _earlier.c.state == JobState.COMPLETED,
        _earlier.c.completed_at <= jobs.c.created_at,
    )
    .limit(1)
    .scalar_subquery()
    .label("earlier_crawl")
)
_LOCK = Hot(
    select(job_state, jobs.c.created_at, jobs.c.max_depth, jobs.c.origin, jobs.c.paused_at, _EARLIER)
    .join(jobs, jobs.c.id == job_state.c.job_id)
    .where(among(job_state.c.job_id, "ids"))
    .order_by(job_state.c.job_id)
    .with_for_update(of=job_state)
)
#: a process from before `max_depth` leaves it out
_DEPTH = func.coalesce(tasks.c.depth, 0).label("depth")
_NEXT = (
    select(*(c for c in tasks.c if c.name != "depth"), _DEPTH)
    .where(tasks.c.job_id == bindparam("job"), IS_PENDING)
    .order_by(tasks.c.priority.desc(), tasks.c.id)
    .limit(bindparam("k"))
)
_CLAIMABLE = Hot(_NEXT)
#: but for those that are taken
_CLAIMABLE_BESIDE = Hot(_NEXT.where(not_(among(tasks.c.id, "taken"))))
#: pending tasks looked through for one whose host need not be waited for
_LOOK_AHEAD = 2000
_AHEAD = (
    select(tasks.c.id, tasks.c.kind, tasks.c.origin, tasks.c.priority, _DEPTH)
    .where(tasks.c.job_id == bindparam("job"), IS_PENDING)
    .order_by(tasks.c.priority.desc(), tasks.c.id)
    .limit(_LOOK_AHEAD)
    .subquery()
)
_CLAIMABLE_ELSEWHERE = (
    select(_AHEAD.c.id, _AHEAD.c.kind, _AHEAD.c.depth)
    .where(func.coalesce(_AHEAD.c.origin, bindparam("own")).not_in(bindparam("crowded", expanding=True)))
    .order_by(_AHEAD.c.priority.desc(), _AHEAD.c.id)
    .limit(bindparam("k"))
)
#: every eighth page goes through the queue all the same, where other workers may have less to do
_SHARED = 8
_CLAIM = Hot(update(tasks).where(among(tasks.c.id, "ids")).values(state=TaskState.QUEUED, queued_at=bindparam("now")))
#: what waits of a paused job: delayed, and due as soon as the job goes on
_PARK = (
    update(tasks)
    .where(tasks.c.job_id == bindparam("job"), IS_IN_FLIGHT, tasks.c.state == TaskState.QUEUED)
    .values(state=TaskState.DELAYED, next_attempt_at=bindparam("now"))
)
_SAVE = HotUpdate(job_state, ["next_seq", "n_pages", "n_open", "n_inflight", "discovering", "promised"], ["job_id"])


class Ledger:
    """Opens accounts on first use, closes them all at the end of the transaction."""

    def __init__(
        self,
        conn: Connection,
        now: int,
        crowded: frozenset[str] = frozenset(),
        hands: Hands | None = None,
        worker: str | None = None,
        lease: int = 0,
    ) -> None:
        """`hands`: which of the next tasks the caller takes on itself; promises last as long as a lease."""
        self.conn = conn
        self.now = now
        #: name of the process whose outcomes these are
        self.worker = worker
        self.hands = hands or Hands()
        #: who offers none says nothing of what it keeps
        self._offers = hands is not None
        self._lease = lease
        #: claimed, for the caller to start
        self.handed: list[Any] = []
        #: tasks promised to the caller that it has begun: started now
        self.begun: set[int] = set()
        #: newly promised to the caller
        self.promised: list[Any] = []
        #: by job: what else stays promised to it
        self.kept: dict[int, frozenset[int]] = {}
        #: claimed, to be written
        self._queued: list[int] = []
        self._crowded = [f"{scheme}://{host}" for host in sorted(crowded) for scheme in ("http", "https")]
        self._accounts: dict[int, Account] = {}

    def lock(self, job_ids: set[int]) -> None:
        """Locks the state rows of these jobs, in the order of their ids."""
        missing = sorted(job_ids - self._accounts.keys())
        if missing:
            for row in _LOCK.rows(self.conn, {"ids": missing}):
                self._accounts[row.job_id] = opened(row, self.now)

    @property
    def until(self) -> int:
        """The moment until which what is started or promised now is held."""
        return self.now + self._lease

    def account(self, job_id: int) -> Account:
        """The account of a job locked before."""
        return self._accounts[job_id]

    def close(self) -> list[Dispatch]:
        """Claims what has room, writes the accounts and the ends of jobs; the tasks to enqueue."""
        claimed: list[Dispatch] = []
        for account in self._accounts.values():
            claimed += self._claim(account)
        self._queue()
        if self._accounts:
            _SAVE.put(self.conn, [saved(a) for a in self._accounts.values()])
            counters.append(self.conn, ((a.job_id, a.tally) for a in self._accounts.values()))
        for account in self._accounts.values():
            self._settle(account)
        return claimed

    def _claim(self, account: Account) -> list[Dispatch]:
        if account.is_paused:
            account.promises.clear()
            self.kept[account.job_id] = frozenset()
            self.conn.execute(_PARK, {"job": account.job_id, "now": self.now})
            return []
        room = max(0, min(account.window, account.n_open) - account.n_inflight)
        kept = self._keep(account)
        if not self._crowded:
            found = self._claimable(account, room + self._wanted(account, len(kept)))
            self._promise(account, kept, found[room:])
            return self._take(account, found[:room])
        claimed = self._take(account, self._claimable(account, min(room, account.half - account.n_inflight)))
        return claimed + self._take(account, self._claimable_elsewhere(account, room - len(claimed)))

    def _keep(self, account: Account) -> list[int]:
        """The caller's promises that last on: none that has lapsed or was taken back meanwhile."""
        if self.worker is None or not self._offers:
            return []
        granted = account.promises.of(account.job_id, self.worker)
        kept = [i for i in self.hands.kept.get(account.job_id, ()) if i in granted and i not in self.begun]
        self.kept[account.job_id] = frozenset(kept)
        account.promises.put(self.worker, kept, self.until)
        return kept

    def _wanted(self, account: Account, kept: int) -> int:
        """How many promises the caller wants more; none where it matters which page comes first."""
        if self.worker is None or account.by_levels or not account.window:
            return 0
        wanted = self.hands.wanted.get(account.job_id, 0) - kept
        if self.hands.shares:
            # the last ones are whoever's has room: a worker that waits for slow pages would keep them from the others
            taken = account.window + len(account.promises.tasks(account.job_id))
            wanted = min(wanted, account.n_open - taken - account.window)
        return max(0, wanted)

    def _promise(self, account: Account, kept: Sequence[int], found: Sequence[Any]) -> None:
        mine = [row for row in found if self._is_mine(row)]
        if mine and self.worker is not None:
            account.promises.put(self.worker, [*kept, *(row.id for row in mine)], self.until)
            self.promised += mine

    def _is_mine(self, row: Any) -> bool:
        """Whether the caller may take a task on without the queue."""
        return not self.hands.shares or ids.seq_of(row.id) % _SHARED != 0

    def _claimable(self, account: Account, k: int) -> Sequence[Any]:
        if k <= 0:
            return []
        taken = self._taken(account)
        values = {"job": account.job_id, "k": k}
        if not taken:
            return _CLAIMABLE.rows(self.conn, values)
        return _CLAIMABLE_BESIDE.rows(self.conn, values | {"taken": taken})

    def _claimable_elsewhere(self, account: Account, k: int) -> Sequence[Any]:
        if k <= 0:
            return []
        self._queue()
        own = account.origin or account.known_origin or ""
        taken = self._taken(account)
        values = {"job": account.job_id, "k": k + len(taken), "own": own, "crowded": self._crowded}
        found = self.conn.execute(_CLAIMABLE_ELSEWHERE, values).all()
        return [row for row in found if row.id not in taken][:k]

    def _taken(self, account: Account) -> set[int]:
        """What is pending still, but promised, or begun and about to be started."""
        return account.promises.tasks(account.job_id) | self.begun

    def _take(self, account: Account, found: Sequence[Any]) -> list[Dispatch]:
        if account.by_levels:
            found = levels.claimable(self.conn, account.job_id, bool(account.discovering), found)
        account.n_inflight += len(found)
        # what is handed stays pending until it is started: a second look, for other hosts, would claim it again
        handed = set() if self._crowded else self._hand(account, found)
        queued = [row for row in found if row.id not in handed]
        self._queued += [row.id for row in queued]
        return [Dispatch(row.id, TaskKind(row.kind), account.job_ms) for row in queued]

    def _queue(self) -> None:
        if self._queued:
            _CLAIM.put(self.conn, {"ids": self._queued, "now": self.now})
        self._queued = []

    def _hand(self, account: Account, found: Sequence[Any]) -> set[int]:
        """Which of the tasks found the caller starts."""
        most = min(self.hands.free - len(self.handed), account.freed)
        mine = [row for row in found if self._is_mine(row)][: max(0, most)]
        self.handed += mine
        return {row.id for row in mine}

    def _settle(self, account: Account) -> None:
        values: dict[str, Any] = {"origin": account.origin} if account.origin else {}
        allowed: tuple[JobState, ...] = ACTIVE_JOB
        if account.error is not None:
            values |= {"state": JobState.FAILED, "error": account.error, "completed_at": self.now}
        elif account.is_over:
            reason = self._blocked(account)
            state = JobState.FAILED if reason else JobState.COMPLETED
            values |= {"state": state, "error": reason, "completed_at": self.now}
        elif account.was_reopened:
            notes.forgive(self.conn, account.job_id)
            values |= {"state": JobState.RUNNING, "completed_at": None, "error": None}
            allowed = (*ACTIVE_JOB, JobState.COMPLETED, JobState.FAILED)
        if values:
            mine = update(jobs).where(jobs.c.id == account.job_id, jobs.c.state.in_(allowed))
            if account.is_paused and values.get("completed_at"):
                values["paused_at"] = None
            changed = self.conn.execute(mine.values(values)).rowcount
            if changed and values.get("completed_at"):
                events.job_ended(self.conn, account.job_id, values["state"])

    def _blocked(self, account: Account) -> str | None:
        """Why a job that ends without any completed page has failed: it was blocked."""
        reason = notes.blocked_reason(self.conn, account.job_id)
        if reason is None or counters.read(self.conn, account.job_id).ended(TaskState.COMPLETED):
            return None
        return reason
