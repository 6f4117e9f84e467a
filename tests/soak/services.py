"""Redis and PostgreSQL that can be ended and started again on the same port and data."""

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis

from shared.embedded import FLAGS, redis_binary
from shared.ports import free_port
from shared.spawn import spawn
from tests.postgres import PostgresServer, find_binaries
from tests.waiting import until

#: a child ends with the thread that started it: this one stays
_starter = ThreadPoolExecutor(1)


class RedisServer:
    """A server on its own folder and port."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()
        folder.mkdir(parents=True)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Starts it on the data that is there and waits until it answers."""
        where = ("--port", str(self.port), "--dir", str(self._folder), "--logfile", str(self._folder / "log"))
        argv = [redis_binary(), *FLAGS, *where]
        self.process = _starter.submit(lambda: spawn(argv, output=subprocess.DEVNULL)).result()
        until(self._answers, 30, "Redis answers")

    def end(self, signum: int) -> None:
        """Ends it by a signal, and waits."""
        self.process.send_signal(signum)
        self.process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside, it answers nobody."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends it for good."""
        self.end(signal.SIGKILL)

    def flush(self) -> None:
        """FLUSHALL."""
        with redis.Redis.from_url(self.url) as link:
            link.flushall()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as link:
                return bool(link.ping())
        except redis.RedisError:
            return False


class Postgres(PostgresServer):
    """The tests' server, but with commits that survive its crash."""

    def __init__(self, folder: Path | None = None) -> None:
        """With its data in a folder, which may be on a disk of its own."""
        binaries = find_binaries()
        if binaries is None:
            raise SystemExit("PostgreSQL is not installed")
        super().__init__(binaries, folder)
        self._program = f"{binaries}/postgres"
        self.end()
        self.start()

    def start(self) -> None:
        """Starts it on its data and waits until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            # not `synchronous_commit`: what it has confirmed must be there after the crash of the server
            "fsync": "off",
            # room for a crawl on a disk that is made to be filled
            "max_wal_size": "64MB",
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [*self._prefix, self._program, "-D", f"{self._folder}/data", "-p", str(self.port), *flags]
        self.process = _starter.submit(self._popen, command).result()
        self._wait()

    def _popen(self, command: list[str]) -> "subprocess.Popen[bytes]":
        with open(f"{self._folder}/log", "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, process_group=0)

    def end(self) -> None:
        """An immediate shutdown: connections cut, nothing flushed, recovery at the next start."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def revive(self) -> None:
        """Starts it again where it gave up: without room for its log it stops by itself."""
        if self._has_ended():
            self.start()

    def cut(self) -> int:
        """Ends all connections but ours; how many."""
        address = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        with psycopg.connect(address, autocommit=True, connect_timeout=5) as link:
            row = link.execute(query + " AND backend_type = 'client backend'").fetchone()
        return int(row[0]) if row else 0


def hold_write_lock(path: Path, seconds: float) -> None:
    """Holds SQLite's write lock, as a backup or a human with a shell would."""
    link = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        link.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        link.execute("ROLLBACK")
    finally:
        link.close()


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def send(pid: int, signum: int) -> bool:
    """Signals a process that may be gone."""
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return False
    return True
