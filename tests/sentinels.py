"""Redis as it is highly available: a master, a replica, and three sentinels that watch them, all real processes."""

import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import redis

from shared import embedded
from shared.ports import free_port
from shared.queue import connect
from shared.spawn import spawn
from tests.waiting import until

SERVICE = "mymaster"
#: milliseconds without an answer after which a sentinel takes a server for dead
DOWN_AFTER = 1000

_CONFIG = """port {port}
bind 127.0.0.1
dir {folder}
logfile {folder}/sentinel-{port}.log
sentinel monitor {service} 127.0.0.1 {master} 2
sentinel down-after-milliseconds {service} {down_after}
sentinel failover-timeout {service} 3000
"""

#: a child ends with the thread that started it: this one stays
_starter = ThreadPoolExecutor(1)

Process = subprocess.Popen[bytes]


class Node:
    """One data server on a port and a folder of its own."""

    def __init__(self, folder: Path, password: str) -> None:
        self.folder, self.port, self._password = folder, free_port(), password
        folder.mkdir(parents=True)

    def start(self, master: int | None = None) -> None:
        """Starts it on its data, as a replica of the server on the port `master`, and waits until it answers."""
        argv = [embedded.redis_binary(), *embedded.FLAGS, "--port", str(self.port), "--dir", str(self.folder)]
        argv += ["--logfile", str(self.folder / "log"), "--repl-diskless-sync-delay", "0"]
        if self._password:
            argv += ["--requirepass", self._password, "--masterauth", self._password]
        if master is not None and master != self.port:
            argv += ["--replicaof", "127.0.0.1", str(master)]
        self.process = _spawn(argv)
        until(self._answers, 30, "Redis answers")

    def info(self) -> dict[str, object]:
        """INFO replication."""
        with redis.Redis(port=self.port, password=self._password or None) as link:
            return dict(link.info("replication"))

    def _answers(self) -> bool:
        try:
            with redis.Redis(port=self.port, password=self._password or None) as link:
                return bool(link.ping())
        except redis.RedisError:
            return False


class SentinelRedis:
    """The group; `url` is what REDIS_URL takes. As `tests.soak.services.RedisServer` it can be ended and started."""

    def __init__(self, folder: Path, password: str = "") -> None:
        self._nodes = [Node(folder / name, password) for name in ("a", "b")]
        self._nodes[0].start()
        self._nodes[1].start(self._nodes[0].port)
        self.sentinels = [self._sentinel(folder, password) for _ in range(3)]
        addresses = ",".join(f"127.0.0.1:{port}" for port, _ in self.sentinels)
        self.url = f"redis+sentinel://{f':{password}@' if password else ''}{addresses}/{SERVICE}/0"
        self.settle()

    @property
    def process(self) -> Process:
        """Of the master, as the sentinels see it; the last one where they see none."""
        return self.master.process

    @property
    def master(self) -> Node:
        """The data server that the sentinels call the master."""
        port = self._ask("get-master-addr-by-name")[1]
        return next(node for node in self._nodes if node.port == int(port))

    def end(self, signum: int) -> None:
        """Ends the master by a signal, and waits for its end."""
        process = self.process
        process.send_signal(signum)
        process.wait()

    def start(self) -> None:
        """Starts what has ended again; it joins as a replica where another one has become the master meanwhile."""
        for node in self._nodes:
            if node.process.poll() is not None:
                node.start(self.master.port)

    def fail_over(self) -> None:
        """Kills the master, waits for the other one to take its place, and starts the killed one as a replica."""
        old = self.master
        self.end(signal.SIGKILL)
        until(lambda: self.master is not old, 30, "another master")
        self.start()

    def switch(self) -> bool:
        """Asks for a fail-over while all is well; False where the sentinels are not ready for one."""
        try:
            self._ask("failover")
        except redis.ResponseError:
            return False
        return True

    def settle(self) -> None:
        """Waits until the sentinels agree on a master that is well, and on its replica.

        On a machine that stops for a second (DOWN_AFTER) they call the master dead for a moment, and a client hears
        of none; so they do for a moment after a fail-over.
        """
        until(self._is_well, 60, "the sentinels know each other, a master that is well, and its replica")

    def flush(self) -> None:
        """FLUSHALL."""
        with connect(self.url) as link:
            link.flushall()

    def stop(self) -> None:
        """Ends all of them."""
        for process in (*(p for _, p in self.sentinels), *(node.process for node in self._nodes)):
            process.kill()
            process.wait()

    def _sentinel(self, folder: Path, password: str) -> tuple[int, Process]:
        port = free_port()
        config = folder / f"sentinel-{port}.conf"
        values = {"service": SERVICE, "master": self._nodes[0].port, "down_after": DOWN_AFTER}
        text = _CONFIG.format(port=port, folder=folder, **values)
        config.write_text(text + (f"sentinel auth-pass {SERVICE} {password}\n" if password else ""))
        return port, _spawn([embedded.redis_binary(), str(config), "--sentinel"])

    def _ask(self, question: str) -> list[str]:
        with redis.Redis(port=self.sentinels[0][0], decode_responses=True) as link:
            answer: list[str] = link.execute_command("SENTINEL", question, SERVICE)
            return answer

    def _is_well(self) -> bool:
        try:
            masters = set()
            for port, _ in self.sentinels:
                with redis.Redis(port=port, decode_responses=True) as link:
                    state = link.sentinel_master(SERVICE)
                    if state["num-other-sentinels"] < 2 or state["num-slaves"] < 1 or state["flags"] != "master":
                        return False
                    masters.add(state["port"])
            replicas = [node for node in self._nodes if node.port not in masters]
            return len(replicas) == 1 and replicas[0].info().get("master_link_status") == "up"
        except redis.RedisError:
            return False


def _spawn(argv: list[str]) -> Process:
    return _starter.submit(lambda: spawn(argv, output=subprocess.DEVNULL)).result()
