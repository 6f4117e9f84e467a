"""The data of a benchmark in a real schema: one large job among others, kept so that a second run is quick."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import Connection, insert

from shared.ids import new_uuid
from shared.states import JobMode, JobState
from shared.store import counters, keys, open_store
from shared.store.migrate import upgrade
from shared.store.tables import domains, job_state, jobs
from tests.bench.rows import COLUMNS, START, Maker, Row
from tests.bench.servers import KeptServer

#: jobs around the large one: as many tasks together
_OTHERS = 10
_HOST = "www.example.com"
Write = Callable[[list[Row]], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is made. Takes a database's address, the tasks of a large job, and what stores rows of tasks."""

    #: with a number for the data that is made: other data is made anew, another schema is migrated to
    name: str
    #: the large job
    job_no: int
    fill: Callable[[str, int, Write], None]


@dataclass(frozen=True, slots=True)
class Dataset:
    """An opened database, and the number of its large job."""

    name: str
    url: str
    job_no: int


def sqlite_dataset(folder: Path, n: int, plan: Plan | None = None) -> Dataset:
    """The data in a SQLite file."""
    plan = plan or _reads()
    done = folder / f"{plan.name}_{n}.db"
    if not done.exists():
        path = folder / f"building-{plan.name}-{n}.db"
        for old in folder.glob(f"{path.name}*"):
            old.unlink()
        upgrade(f"sqlite:///{path}")
        link = sqlite3.connect(path)
        link.execute("PRAGMA synchronous=OFF")
        statement = f"INSERT INTO tasks ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"

        def write(rows: list[Row]) -> None:
            with link:
                link.executemany(statement, rows)

        plan.fill(f"sqlite:///{path}", n, write)
        link.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        link.execute("ANALYZE")
        link.close()
        path.rename(done)
    upgrade(f"sqlite:///{done}")
    return Dataset("sqlite", f"sqlite:///{done}", plan.job_no)


def postgres_dataset(server: KeptServer, n: int, plan: Plan | None = None) -> Dataset:
    """The data in a database of a server."""
    plan = plan or _reads()
    done = f"{plan.name}_{n}"
    if not server.has(done):
        server.drop(f"{done}_new")
        server.create(f"{done}_new")
        url = server.url(f"{done}_new")
        upgrade(url)
        with psycopg.connect(url.replace("+psycopg", "")) as link:

            def write(rows: list[Row]) -> None:
                with link.cursor().copy(f"COPY tasks ({', '.join(COLUMNS)}) FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
                link.commit()

            plan.fill(url, n, write)
            link.autocommit = True
            link.execute("VACUUM (ANALYZE)")
        server.rename(f"{done}_new", done)
    upgrade(server.url(done))
    return Dataset("postgres", server.url(done), plan.job_no)


def _reads() -> Plan:
    """One large job among others, for `reads`."""
    return Plan("reads_1", _large(), _fill)


def _large() -> int:
    return _OTHERS // 2 + 1


def _fill(url: str, n: int, write: Write) -> None:
    """Jobs first, then the tasks of all jobs in turns, as crawls at the same time leave them."""
    store = open_store(url)
    sizes = {no: n if no == _large() else n // _OTHERS for no in range(1, _OTHERS + 2)}
    organisation_id = keys.create(store, "bench", "bench")[0].organisation_id
    store.write(lambda conn: _add_jobs(conn, organisation_id, sizes))
    makers = {no: Maker(no) for no in sizes}
    turns = {no: maker.batches(sizes[no]) for no, maker in makers.items()}
    while turns:
        for no in [*turns, *[_large()] * (_OTHERS - 1)]:
            batch = next(turns[no], None) if no in turns else None
            if batch is None:
                turns.pop(no, None)
            else:
                write(batch)
    store.write(lambda conn: counters.append(conn, ((no, maker.tally) for no, maker in makers.items())))
    while counters.fold(store):
        pass
    store.close()


def _add_jobs(conn: Connection, organisation_id: int, sizes: dict[int, int]) -> None:
    """Ended jobs of one domain."""
    owner = {"organisation_id": organisation_id, "created_at": START}
    conn.execute(insert(domains).values(id=1, uid=str(new_uuid()), ms=START // 1000, host=_HOST, **owner))
    shown = {"origin": f"https://{_HOST}", "source_type": "api", "source_detail": "create_job"}
    options = {"mode": JobMode.CRAWL, "use_sitemap": 1, "find_links": 1, "cross_subdomain": 1}
    limits = {"respect_robots": 1, "max_pages": 0, "concurrency": 20, "state": JobState.COMPLETED}
    ended = {"started_at": START, "completed_at": START + 10**12}
    conn.execute(
        insert(jobs), [{"id": no, "domain_id": 1, **owner, **shown, **options, **limits, **ended} for no in sizes]
    )
    counts = {"n_open": 0, "n_inflight": 0, "window": 20, "discovering": 0}
    conn.execute(
        insert(job_state), [{"job_id": no, "next_seq": n + 2, "n_pages": n, **counts} for no, n in sizes.items()]
    )
