"""Counts of a job's ended tasks: appended as deltas, folded into rollups, read as their sum (STORE.md)."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, Integer, Text, bindparam, cast, delete, null, select
from sqlalchemy.dialects import postgresql, sqlite

from shared.states import CacheStatus, TaskState
from shared.store.engine import Store
from shared.store.hot_rows import HotInsert
from shared.store.tables import deltas, histogram, rollup

_LOG_BASE = math.log(1.04)
SLOW_MS = 3000
_FOLD = 500


def bucket_of(ms: int) -> int:
    """Bucket of a response time in a histogram of base 1.04: percentiles within two percent."""
    return int(math.log(ms) / _LOG_BASE) if ms > 0 else 0


def bucket_ms(bucket: int) -> int:
    """The response time in ms that stands for a bucket: its geometric middle."""
    return round(math.exp((bucket + 0.5) * _LOG_BASE))


@dataclass(slots=True)
class Tally:
    """What one transaction changes in a job's counts, signed."""

    #: (state, status_code, cache_status) -> [n, n_timed, sum_time, sum_bytes, n_slow]
    cells: dict[tuple[int, int, int], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * 5))
    times: Counter[int] = field(default_factory=Counter)

    def add(
        self, state: int, status_code: int | None, cache: int | None, ms: int | None, size: int | None, sign: int = 1
    ) -> None:
        """Counts one ended task, or with sign -1 takes it back. ms and size in milliseconds and bytes."""
        cell = self.cells[(state, status_code or 0, cache or 0)]
        cell[0] += sign
        cell[3] += sign * (size or 0)
        if ms is not None:
            cell[1] += sign
            cell[2] += sign * ms
            cell[4] += sign * (ms > SLOW_MS)
            self.times[bucket_of(ms)] += sign

    def payload(self) -> str:
        """As one delta row keeps it."""
        cells = [[*key, *cell] for key, cell in self.cells.items()]
        return orjson.dumps([cells, list(self.times.items())]).decode()

    def merge(self, payload: str) -> None:
        """Adds a stored delta."""
        cells, times = orjson.loads(payload)
        for state, code, cache, *values in cells:
            self._add_cell((state, code, cache), values)
        for bucket, n in times:
            self.times[bucket] += n

    def _add_cell(self, key: tuple[int, int, int], values: Iterable[int]) -> None:
        cell = self.cells[key]
        for i, value in enumerate(values):
            cell[i] += value


_APPEND = HotInsert(deltas, ["job_id", "payload"])


def append(conn: Connection, tallies: Iterable[tuple[int, Tally]]) -> None:
    """Stores what a transaction counted, one row a job."""
    rows = [{"job_id": job, "payload": t.payload()} for job, t in tallies if t.cells]
    if rows:
        _APPEND.put(conn, rows)


def pending(store: Store) -> bool:
    """Whether there is anything to fold: a read, so that an idle scheduler writes nothing."""
    with store.read() as conn:
        return conn.execute(select(deltas.c.id).limit(1)).first() is not None


def fold(store: Store) -> int:
    """Moves up to 500 deltas into the rollups; the number moved. Safe to run from several processes."""
    return store.write(_fold)


def _fold(conn: Connection) -> int:
    newest = select(deltas.c.id).order_by(deltas.c.id).limit(_FOLD).with_for_update(skip_locked=True)
    gone = conn.execute(
        delete(deltas).where(deltas.c.id.in_(newest.scalar_subquery())).returning(deltas.c.job_id, deltas.c.payload)
    ).all()
    merged: dict[int, Tally] = defaultdict(Tally)
    for job_id, payload in gone:
        merged[job_id].merge(payload)
    for job_id in sorted(merged):
        _add_to_rollup(conn, job_id, merged[job_id])
    return len(gone)


def _add_to_rollup(conn: Connection, job_id: int, tally: Tally) -> None:
    names = ("state", "status_code", "cache_status", "n", "n_timed", "sum_time", "sum_bytes", "n_slow")
    cells = [{"job_id": job_id, **dict(zip(names, (*k, *v), strict=True))} for k, v in sorted(tally.cells.items())]
    times = [{"job_id": job_id, "bucket": b, "n": n} for b, n in sorted(tally.times.items()) if n]
    if cells:
        conn.execute(_upsert(conn, rollup, names[3:]), cells)
    if times:
        conn.execute(_upsert(conn, histogram, ("n",)), times)


def _upsert(conn: Connection, table: Any, summed: Iterable[str]) -> Any:
    dialect: Any = sqlite if conn.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: table.c[name] + statement.excluded[name] for name in summed},
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """A job's ended tasks, counted. Times in ms, sizes in bytes."""

    tally: Tally

    def ended(self, state: TaskState) -> int:
        """How many tasks are in this final state."""
        return sum(cell[0] for key, cell in self.tally.cells.items() if key[0] == state)

    def by_status_code(self) -> dict[str, int]:
        """Ended tasks by HTTP status code, ascending."""
        totals: Counter[int] = Counter()
        for (_, code, _), cell in self.tally.cells.items():
            totals[code] += cell[0]
        return {str(code): n for code, n in sorted(totals.items()) if code and n}

    @property
    def total_bytes(self) -> int:
        """Bytes of all bodies as received."""
        return sum(cell[3] for cell in self.tally.cells.values())

    @property
    def slow(self) -> int:
        """Pages over three seconds."""
        return sum(cell[4] for cell in self.tally.cells.values())

    @property
    def avg_time(self) -> int | None:
        """Mean response time of fetched pages."""
        timed = sum(cell[1] for cell in self.tally.cells.values())
        return round(sum(cell[2] for cell in self.tally.cells.values()) / timed) if timed else None

    @property
    def cache_hit_ratio(self) -> float | None:
        """hits / (hits + misses), by API.md's groups; None without any."""
        hits = self._cached(CacheStatus.HIT, CacheStatus.DYNAMIC)
        misses = self._cached(CacheStatus.MISS, CacheStatus.EXPIRED)
        return round(hits / (hits + misses), 4) if hits + misses else None

    def _cached(self, *statuses: CacheStatus) -> int:
        return sum(cell[0] for key, cell in self.tally.cells.items() if key[2] in statuses)

    def percentile(self, share: float) -> int | None:
        """Response time that this share (0-1) of the fetched pages stays within; None without any."""
        total = sum(self.tally.times.values())
        seen = 0
        for bucket, n in sorted(self.tally.times.items()):
            seen += n
            if n and seen >= share * total:
                return bucket_ms(bucket)
        return None


def read(conn: Connection, job_id: int) -> Counts:
    """A job's counts: rollup and open deltas in one statement, so a fold between them is not seen."""
    return read_many(conn, [job_id])[job_id]


def read_many(conn: Connection, job_ids: list[int]) -> dict[int, Counts]:
    """The counts of several jobs."""
    tallies = {job_id: Tally() for job_id in job_ids}
    for row in conn.execute(_READ, {"jobs": job_ids}):
        tally = tallies[row.job_id]
        if row.payload is not None:
            tally.merge(row.payload)
        elif row.bucket is not None:
            tally.times[row.bucket] += row.n
        else:
            tally._add_cell(
                (row.state, row.status_code, row.cache_status),
                (row.n, row.n_timed, row.sum_time, row.sum_bytes, row.n_slow),
            )
    return {job_id: Counts(tally) for job_id, tally in tallies.items()}


def _columns(table: Any) -> list[Any]:
    names = ("state", "status_code", "cache_status", "n", "n_timed", "sum_time", "sum_bytes", "n_slow", "bucket")
    picked = [table.c[n] if n in table.c else cast(null(), Integer).label(n) for n in names]
    return [*picked, table.c.payload if "payload" in table.c else cast(null(), Text).label("payload")]


def _read_statement() -> Any:
    parts = [
        select(table.c.job_id, *_columns(table)).where(table.c.job_id.in_(bindparam("jobs", expanding=True)))
        for table in (rollup, histogram, deltas)
    ]
    return parts[0].union_all(*parts[1:])


_READ = _read_statement()
