"""Opening the store, its transactions, and the one place where a driver's error becomes ours."""

import contextlib
import fcntl
import math
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError
from sqlalchemy.pool import PoolProxiedConnection

from shared.errors import SettingsError, StoreUnavailable
from shared.store.driver_errors import Transient, first_line, translated
from shared.store.hot import putting, send

T = TypeVar("T")

#: SQLite settings measured in STORE.md; busy_timeout in ms, cache_size in KiB
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "busy_timeout=20000",
    "wal_autocheckpoint=4000",
    "cache_size=-65536",
)
#: of the writer, in KiB: at a commit that split a page of an index, SQLite looks through all that is cached, unless the
#: file has more pages than 1 GiB; how many it has, is looked at after so many writes
_SMALL_CACHE, _LARGE_CACHE, _MANY_PAGES, _WRITES = 4_096, 65_536, 1 << 18, 1_000
_RETRIES = 8
#: seconds that a write waits for a lock or its turn, whose holder may be frozen; and after which a conflict is not
#: tried again. So a write ends within 40 s
_TURN_SECONDS = 20.0
#: a client that is frozen or cut off in the middle of a transaction must not hold its locks for ever
_PG_SESSION = "-c idle_in_transaction_session_timeout=10000 -c tcp_keepalives_idle=5 \
-c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c synchronous_commit=on"
#: rows are looked up by index; a plan that cannot is taken for so expensive that it would be compiled
_BY_INDEX = " -c enable_seqscan=off -c jit=off"
#: and a server that is cut off must not be waited for
_PG_LINK = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
#: seconds after which a connection to PostgreSQL is asked whether it is still there
_RESTED = 1.0


class Store:
    """A database. Thread-safe; one per process (not shared across a fork)."""

    def __init__(self, engine: Engine, turn: float = _TURN_SECONDS, runs_steps: bool = False) -> None:
        self._engine, self._turn_seconds, self._runs_steps = engine, turn, runs_steps
        self._lock = threading.Lock()
        self._is_sqlite = engine.dialect.name == "sqlite"
        #: what the driver raises by itself where a statement goes past SQLAlchemy (hot.py)
        self._driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
        path = engine.url.database if self._is_sqlite else None
        self._lock_path = f"{path}.writer" if path and path != ":memory:" else None
        self._lock_fd: int | None = None
        self._kept: Connection | None = None
        self._writes = 0

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite, which has one writer at a time."""
        return self._is_sqlite

    @property
    def address(self) -> str:
        """Where the database is, for people: a file, or host, port and name."""
        url = self._engine.url
        if self._is_sqlite:
            return url.database or ":memory:"
        return f"{url.host or url.query.get('host') or 'localhost'}:{url.port or 5432}/{url.database or ''}"

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reads. Raises StoreUnavailable when the database is away."""
        try:
            with translated(self._driver_error), self._engine.connect() as connection:
                yield connection
        except Transient as conflict:
            raise StoreUnavailable("The database is too busy") from conflict

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection whose reads all see one moment. Raises StoreUnavailable when the database is away."""
        with self.read() as connection:
            if not self._is_sqlite:  # there every transaction is a snapshot
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    def write(self, step: Callable[[Connection], T]) -> T:
        """Runs a step in one transaction, again after a deadlock. The step must be repeatable.

        Raises StoreUnavailable when the database is away, is full, or the conflict does not end.
        """
        end = time.monotonic() + self._turn_seconds
        for attempt in range(_RETRIES):
            try:
                return self._write_once(step)
            except Transient:
                if time.monotonic() > end:
                    break
                time.sleep(random.uniform(0, 0.01 * 2**attempt))
        raise StoreUnavailable("The database is too busy")

    def _write_once(self, step: Callable[[Connection], T]) -> T:
        with (
            translated(self._driver_error),
            self._writer(),
            self._connected() as writer,
            writer.begin(),
            putting(writer),
        ):
            return step(writer)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection to write with. SQLite's one writer keeps its own, mostly with a small cache."""
        if not self._is_sqlite:
            with self._engine.connect() as writer:
                yield writer
            return
        writer = self._kept or self._engine.connect().execution_options(writes=True)
        raw: Any = writer.connection.dbapi_connection
        self._writes = 0 if self._kept is None else self._writes + 1
        self._kept = writer
        try:
            if self._writes % _WRITES == 0:
                (pages,) = raw.execute("PRAGMA page_count").fetchone()
                is_large = pages > _MANY_PAGES and not self._runs_steps
                raw.execute(f"PRAGMA cache_size=-{_LARGE_CACHE if is_large else _SMALL_CACHE}")
            yield writer
        finally:
            if raw.in_transaction:  # it could not even be rolled back
                self._kept = None
                writer.invalidate()
                writer.close()

    @contextlib.contextmanager
    def _writer(self) -> Iterator[None]:
        """Lets SQLite's writers in one by one: in order inside the process, by a file lock across."""
        if not self._is_sqlite:
            yield
            return
        deadline = time.monotonic() + self._turn_seconds
        if not self._lock.acquire(timeout=self._turn_seconds):
            raise _stuck()
        try:
            with self._turn(deadline):
                yield
        finally:
            self._lock.release()

    @contextlib.contextmanager
    def _turn(self, deadline: float) -> Iterator[None]:
        """This process' turn among the processes."""
        if self._lock_path is None:
            yield
            return
        if self._lock_fd is None:
            self._lock_fd = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _take_turn(self._lock_fd, deadline)
        try:
            yield
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def ping(self) -> None:
        """Raises StoreUnavailable unless the database answers."""
        with self.read() as connection:
            connection.exec_driver_sql("SELECT 1")

    def close(self) -> None:
        """Gives all connections back."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        self._engine.dispose()
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None


def _stuck() -> StoreUnavailable:
    return StoreUnavailable("The database is held by a writer that does not go on")


def _take_turn(fd: int, deadline: float) -> None:
    """Takes the writers' file lock. Raises StoreUnavailable when its holder does not move on until the deadline."""
    pause = 0.000125  # a commit takes 2 ms: to look for it every 2 ms was to wait as long again
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise _stuck() from None
        time.sleep(pause := min(2 * pause, 0.002))


def open_store(
    url: str,
    pool_size: int = 5,
    spare: int | None = None,
    patience: float | None = None,
    turn: float = _TURN_SECONDS,
    rested: float = _RESTED,
    by_index: bool = False,
) -> Store:
    """Opens a store without connecting yet. Raises SettingsError for a URL that names no known database.

    No statement on PostgreSQL is waited for longer than `patience` seconds, and nothing for its turn to write for
    longer than `turn`. A connection that was not used for `rested` seconds is asked first whether it is still there.
    Under load `spare` more connections than `pool_size` are opened, by default as many again. `by_index` is for whoever
    runs steps: PostgreSQL plans a statement once, and a table that will be large is small at first; SQLite's writer
    keeps its small cache, however large the file is.
    """
    session = f"{_PG_SESSION} -c lock_timeout={round(turn * 1000)}{_BY_INDEX if by_index else ''}"
    try:
        engine = _create(url, pool_size, pool_size if spare is None else spare, patience, session, rested)
        return Store(engine, turn, by_index)
    except (ArgumentError, ImportError) as error:
        raise SettingsError(f"DATABASE_URL is not usable: {first_line(error)}") from error


def _create(url: str, pool_size: int, spare: int, patience: float | None, session: str, rested: float) -> Engine:
    parsed = make_url(url)
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite":
        return _create_sqlite(parsed.render_as_string(hide_password=False), pool_size)
    engine = create_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=spare,
        pool_use_lifo=True,
        pool_timeout=5,
        connect_args={"connect_timeout": 5, "application_name": "crawlyard", "options": session, **_PG_LINK},
    )
    _ping_what_rested(engine, rested)
    event.listen(engine, "before_cursor_execute", lambda conn, *_: send(conn))
    if patience is not None:
        from shared.store.patience import bounded  # PostgreSQL's driver, which SQLite's users need not wait for

        event.listen(engine, "do_connect", bounded(patience))
    return engine


def _ping_what_rested(engine: Engine, seconds: float) -> None:
    """A connection that was not used for a while may be cut: a question before each transaction would cost as much."""

    def put_back(_raw: Any, record: Any) -> None:
        record.info["put_back"] = time.monotonic()

    def take(raw: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("put_back", math.inf) > seconds:
            try:
                engine.dialect.do_ping(raw)
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError from error

    event.listen(engine, "checkin", put_back)
    event.listen(engine, "checkout", take)


def _create_sqlite(url: str, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=16,
        pool_use_lifo=True,
        connect_args={"check_same_thread": False, "timeout": 30, "isolation_level": None},
    )
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: PoolProxiedConnection, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """A deferred begin that upgrades to a write fails at once under load (STORE.md): take the lock first."""
    raw: Any = connection.connection.dbapi_connection
    raw.execute("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")
