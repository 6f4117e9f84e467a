"""A PostgreSQL server whose data outlives the benchmark, with the settings that a server comes with."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import psycopg

from shared.ports import free_port

_START_SECONDS = 60.0


class KeptServer:
    """A server over a data folder that is made once."""

    def __init__(self, binaries: str, folder: Path) -> None:
        self._data, self._log = folder / "data", folder / "log"
        self._prefix = ["setpriv", "--pdeathsig", "TERM"]
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:  # which PostgreSQL refuses
            shutil.chown(folder, "postgres", "postgres")
            self._prefix += ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
        if not (self._data / "PG_VERSION").exists():
            options = ("-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8")
            command = [*self._prefix, f"{binaries}/initdb", "-D", str(self._data), *options]
            subprocess.run(command, check=True, capture_output=True, cwd=folder)
        self.port = free_port()
        where = ("-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
        command = [*self._prefix, f"{binaries}/postgres", "-D", str(self._data), *where]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, process_group=0)
        self._wait()

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        return self._process.pid

    def url(self, name: str) -> str:
        """The address of a database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def has(self, name: str) -> bool:
        """Whether there is such a database."""
        with self._link() as link:
            return link.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None

    def create(self, name: str) -> None:
        """Makes an empty database."""
        self._execute(f"CREATE DATABASE {name}")

    def drop(self, name: str) -> None:
        """Removes a database if there is one."""
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def rename(self, old: str, new: str) -> None:
        """Gives a database that nobody uses its name."""
        self._execute(f"ALTER DATABASE {old} RENAME TO {new}")

    def stop(self) -> None:
        """Ends the server in order; its data stays."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _link(self) -> psycopg.Connection:
        address = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        return psycopg.connect(address, autocommit=True, connect_timeout=5)

    def _execute(self, statement: str) -> None:
        with self._link() as link:
            link.execute(statement.encode())

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                return self._execute("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
