"""A PostgreSQL server of the tests' own: temporary folder, free port, no socket, gone with its parent."""

import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg

from shared.ports import free_port

START_SECONDS = 30.0
# Nothing of it has to survive the machine.
FAST = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")


def find_binaries() -> str | None:
    """The newest folder with initdb and postgres."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    path = found[-1] if found else shutil.which("initdb")
    return os.path.dirname(os.path.realpath(path)) if path else None


class PostgresServer:
    """One server with many databases."""

    #: that it listens on
    address = "127.0.0.1"
    #: settings of its own
    flags: tuple[str, ...] = FAST

    def __init__(self, binaries: str, folder: Path | None = None) -> None:
        """With its data in a folder, or in a temporary one."""
        self._folder = tempfile.mkdtemp(prefix="crawlyard-pg-", dir=folder or "/tmp")
        self._numbers = count(1)
        # PostgreSQL refuses to run as root; setpriv also ends it with us.
        self._prefix = ["setpriv", "--pdeathsig", "KILL"]
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
            self._prefix += ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data = f"{self._folder}/data"
        options = ("-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        self._run(f"{binaries}/initdb", "-D", data, *options)
        with open(f"{data}/pg_hba.conf", "a") as access:
            access.write("host all postgres samenet trust\n")
        self.port = free_port()
        where = ("-p", str(self.port), "-c", f"listen_addresses={self.address}", "-c", "unix_socket_directories=")
        command = [*self._prefix, f"{binaries}/postgres", "-D", data, *where, "-c", "max_connections=200", *self.flags]
        with open(f"{self._folder}/log", "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, process_group=0)
        self._wait()

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@{self.address}:{self.port}/{name}"

    def create(self, template: str = "template1") -> str:
        """Makes a database; returns its name."""
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside, no process of the server runs: its kernel answers, nobody else does."""
        # the parent first, so that no child is born meanwhile
        os.kill(self.process.pid, signal.SIGSTOP)
        found = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        pids = [int(pid) for file in found for pid in file.read_text().split()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in (*pids, self.process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _execute(self, statement: str) -> None:
        address = f"postgresql://postgres@{self.address}:{self.port}/postgres"
        with psycopg.connect(address, autocommit=True, connect_timeout=5) as link:
            link.execute(statement.encode())

    def _run(self, *command: str) -> None:
        subprocess.run([*self._prefix, *command], check=True, capture_output=True, cwd=self._folder)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._execute("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._has_ended():
                    raise
            else:
                return

    def _has_ended(self) -> bool:
        try:
            self.process.wait(0.05)
        except subprocess.TimeoutExpired:
            return False
        return True
