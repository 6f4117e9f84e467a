"""What goes wrong: a fault every few seconds, picked by the seed, until it is told to stop."""

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.sentinels import SentinelRedis
from tests.soak.disk import SmallDisk
from tests.soak.fleet import Fleet, Member
from tests.soak.services import Postgres, RedisServer, hold_write_lock, send

#: after one of these a worker may have lost its lease without being dead
OUTAGES = frozenset({"stop", "pg restart", "sqlite lock", "disk full"})
#: seconds of quiet around the kill that recovery is measured by: before it pages are fetched, after it again
_BEFORE, _AFTER = 6.0, 16.0


@dataclass(frozen=True, slots=True)
class Event:
    """One injected fault."""

    name: str
    #: time.time() when it began
    at: float
    #: seconds that it lasted
    seconds: float
    detail: str


@dataclass(slots=True)
class Target:
    """What there is to break."""

    fleet: Fleet
    redis: RedisServer | SentinelRedis
    postgres: Postgres | None
    #: the database file, when it is SQLite
    sqlite: Path | None
    #: that of the database
    disk: SmallDisk | None
    #: what was done
    events: list[Event]
    #: names of the faults to pick from; empty: all
    only: frozenset[str] = frozenset()
    every: tuple[float, ...] = (2.0, 6.0)
    #: begins with a kill and nothing else, to measure how soon its pages are fetched again
    calmly: bool = False


class Faults:
    """A thread that injects them one after the other; stops and outages may overlap with kills."""

    def __init__(self, target: Target, rng: random.Random) -> None:
        self._t, self._rng = target, rng
        self._ended = threading.Event()
        self._busy: set[str] = set()
        self._helpers: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._run, name="faults")
        kinds = self._kinds()
        self._names = [
            n for n, (weight, _) in kinds.items() for _ in range(weight) if not target.only or n in target.only
        ]
        self._actions = {name: action for name, (_, action) in kinds.items()}

    def _kinds(self) -> dict[str, tuple[int, Callable[[], None]]]:
        kinds: dict[str, tuple[int, Callable[[], None]]] = {
            "kill worker": (5, self._kill_worker),
            "kill group": (1, self._kill_group),
            "kill scheduler": (2, lambda: self._kill("scheduler")),
            "kill api": (2, lambda: self._kill("api")),
            "deploy": (2, self._deploy),
            "stop": (3, self._stop),
            "stop scheduler": (1, self._stop_scheduler),
            "redis term": (1, lambda: self._redis(signal.SIGTERM)),
            "redis kill": (2, lambda: self._redis(signal.SIGKILL)),
            "redis freeze": (1, self._freeze),
            "flushall": (2, self._flush),
        }
        if isinstance(self._t.redis, SentinelRedis):
            kinds["redis failover"] = (3, self._fail_over)
        if self._t.postgres is not None:
            kinds |= {"pg restart": (2, self._pg_restart), "pg cut": (2, self._pg_cut)}
        if self._t.sqlite is not None:
            kinds["sqlite lock"] = (2, self._hold)
        if self._t.disk is not None:
            kinds["disk full"] = (2, self._fill)
        return kinds

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, and undoes what lasts."""
        self._ended.set()
        self._thread.join()
        for helper in self._helpers:
            helper.join()

    def _run(self) -> None:
        if self._t.calmly and not self._ended.wait(_BEFORE):
            self._inject("kill worker")
            self._ended.wait(_AFTER)
        while not self._ended.wait(self._rng.uniform(*self._t.every)):
            self._inject(self._rng.choice(self._names))

    def _inject(self, name: str) -> None:
        try:
            self._actions[name]()
        except Exception as error:  # boundary: a service that is down cannot be broken twice
            print(f"  fault {name} was not possible: {error}", flush=True)

    # -- each of them --------------------------------------------------------------

    def _say(self, name: str, detail: str, seconds: float = 0.0) -> None:
        self._t.events.append(Event(name, time.time(), seconds, detail))
        print(f"  {time.strftime('%H:%M:%S')} {name} {detail}", flush=True)

    def _lasting(self, key: str, action: Callable[[], None]) -> None:
        """Runs something that takes a while beside the other faults, one of its key at a time."""

        def run() -> None:
            try:
                action()
            finally:
                self._busy.discard(key)

        self._busy.add(key)
        self._helpers.append(threading.Thread(target=run, name=key))
        self._helpers[-1].start()

    def _workers(self) -> list[tuple[Member, int]]:
        return [(m, pid) for m in self._t.fleet.named("group") for pid in m.children()]

    def _kill_worker(self) -> None:
        member, pid = self._rng.choice(self._workers())
        send(pid, signal.SIGKILL)
        self._say("kill worker", f"{member.role.name} pid {pid}")

    def _kill_group(self) -> None:
        member = self._rng.choice(self._t.fleet.named("group"))
        member.kill()
        self._say("kill group", member.role.name)

    def _kill(self, name: str) -> None:
        member = self._rng.choice(self._t.fleet.named(name))
        member.kill_all()
        self._say(f"kill {name}", member.role.name)

    def _deploy(self) -> None:
        # a frozen worker cannot end in time: its supervisor is right to kill it, and to say so
        free = [m for m in self._t.fleet.members.values() if not self._is_busy(m)]
        member = self._rng.choice(free)
        self._lasting(member.role.name, member.deploy)
        self._say("deploy", member.role.name)

    def _is_busy(self, member: Member) -> bool:
        return member.role.name in self._busy or any(f"stop {pid}" in self._busy for pid in member.children())

    def _stop(self) -> None:
        member, pid = self._rng.choice([(m, pid) for m, pid in self._workers() if m.role.name not in self._busy])
        seconds = self._rng.uniform(5, 25)
        send(pid, signal.SIGSTOP)
        self._say("stop", f"{member.role.name} pid {pid} for {seconds:.1f} s", seconds)
        self._lasting(f"stop {pid}", lambda: self._resume(pid, seconds))

    def _stop_scheduler(self) -> None:
        member = self._rng.choice([m for m in self._t.fleet.named("scheduler") if m.role.name not in self._busy])
        pid, seconds = member.process.pid, self._rng.uniform(5, 25)
        send(pid, signal.SIGSTOP)
        self._say("stop scheduler", f"{member.role.name} for {seconds:.1f} s", seconds)
        self._lasting(member.role.name, lambda: self._resume(pid, seconds))

    def _resume(self, pid: int, seconds: float) -> None:
        self._ended.wait(seconds)
        send(pid, signal.SIGCONT)

    def _redis(self, signum: signal.Signals) -> None:
        seconds = self._rng.choice((0.1, 1.0, self._rng.uniform(2, 8)))
        self._say("redis term" if signum is signal.SIGTERM else "redis kill", f"for {seconds:.1f} s", seconds)
        self._t.redis.end(signum)
        time.sleep(seconds)
        self._t.redis.start()

    def _freeze(self) -> None:
        seconds = self._rng.uniform(2, 12)
        self._say("redis freeze", f"for {seconds:.1f} s", seconds)
        pid = self._t.redis.process.pid  # the master may be another one afterwards
        send(pid, signal.SIGSTOP)
        self._resume(pid, seconds)

    def _fail_over(self) -> None:
        if isinstance(self._t.redis, SentinelRedis):
            began = time.monotonic()
            self._t.redis.fail_over()
            self._say("redis failover", "to the replica", time.monotonic() - began)

    def _flush(self) -> None:
        self._t.redis.flush()
        self._say("flushall", "")

    def _pg_restart(self) -> None:
        seconds = self._rng.choice((0.1, 2.0, self._rng.uniform(3, 12)))
        self._say("pg restart", f"for {seconds:.1f} s", seconds)
        if self._t.postgres is not None:
            self._t.postgres.end()
            time.sleep(seconds)
            self._t.postgres.start()

    def _pg_cut(self) -> None:
        if self._t.postgres is not None:
            self._say("pg cut", f"{self._t.postgres.cut()} connections")

    def _hold(self) -> None:
        seconds = self._rng.choice((2.0, self._rng.uniform(3, 14)))
        self._say("sqlite lock", f"for {seconds:.1f} s", seconds)
        if self._t.sqlite is not None:
            hold_write_lock(self._t.sqlite, seconds)

    def _fill(self) -> None:
        seconds = self._rng.uniform(2, 12)
        self._say("disk full", f"for {seconds:.1f} s", seconds)
        if self._t.disk is None:
            return
        try:
            self._t.disk.fill()
            self._ended.wait(seconds)
        finally:
            self._t.disk.free()
        if self._t.postgres is not None:
            self._t.postgres.revive()
