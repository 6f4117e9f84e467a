"""Machines on a network of their own: namespaces of this kernel, each with an address, joined by a bridge.

No route leads out of it. Needs root and iproute2.
"""

import contextlib
import ctypes
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_CLONE_NEWNET = 0x40000000
_NAMESPACES = Path("/run/netns")
_PREFIX = "crawlyard-"
_SWITCH = "switch"
_libc = ctypes.CDLL(None, use_errno=True)


class NoNetwork(Exception):
    """This machine lets us make no namespaces, or has no `ip`."""


class Host:
    """One machine."""

    def __init__(self, network: "Network", name: str, address: str) -> None:
        self._network, self.name, self.address = network, name, address

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """What this thread opens and starts meanwhile is on this machine."""
        with open("/proc/thread-self/ns/net") as home:
            _enter(_NAMESPACES / self._network.namespace(self.name))
            try:
                yield
            finally:
                _enter(Path(f"/proc/self/fd/{home.fileno()}"))

    def unplug(self) -> None:
        """Takes it off the network: what it sends and what is sent to it vanishes, nobody is told."""
        self._network.switch("link", "set", self.name, "nomaster")

    def plug_in(self) -> None:
        """Joins it to the network."""
        self._network.switch("link", "set", self.name, "master", "bridge")

    def drop_answers_to(self, other: "Host") -> None:
        """Whatever it sends to the other machine vanishes."""
        self._ip("route", "add", "blackhole", f"{other.address}/32")

    def answer(self, other: "Host") -> None:
        """Undoes that."""
        self._ip("route", "del", "blackhole", f"{other.address}/32")

    def throttle(self, rate: str, queue: int) -> None:
        """Makes its line slow in both directions (tc's rate): packets wait, and are lost when `queue` bytes wait.

        By tc's token bucket, not netem: it is in more kernels, and delays and drops as a full line does.
        """
        shape = ("root", "tbf", "rate", rate, "burst", "1600", "limit", str(queue))
        run("tc", "-n", self._network.namespace(self.name), "qdisc", "replace", "dev", "eth0", *shape)
        run("tc", "-n", self._network.namespace(_SWITCH), "qdisc", "replace", "dev", self.name, *shape)

    def unthrottle(self) -> int:
        """Undoes that; how many packets were lost."""
        lost = 0
        for namespace, device in ((self.name, "eth0"), (_SWITCH, self.name)):
            where = ("-n", self._network.namespace(namespace))
            shown = json.loads(run("tc", *where, "-s", "-j", "qdisc", "show", "dev", device, "root"))
            lost += sum(int(queue.get("drops", 0)) for queue in shown)
            run("tc", *where, "qdisc", "del", "dev", device, "root")
        return lost

    def _ip(self, *args: str) -> None:
        run("ip", "-n", self._network.namespace(self.name), *args)


class Network:
    """Machines, named in order, with the addresses 10.99.0.1, 10.99.0.2 …; all are gone at the end."""

    def __init__(self, *names: str) -> None:
        """Raises NoNetwork."""
        if os.geteuid() != 0 or not (shutil.which("ip") and shutil.which("tc")):
            raise NoNetwork("machines of their own need root, and ip and tc (iproute2)")
        self._names = (_SWITCH, *names)
        _sweep()
        self.hosts = {name: Host(self, name, f"10.99.0.{n}") for n, name in enumerate(names, 1)}
        for name in self._names:
            run("ip", "netns", "add", self.namespace(name))

    def namespace(self, name: str) -> str:
        """What the kernel calls a machine."""
        return f"{_PREFIX}{os.getpid()}-{name}"

    def switch(self, *args: str) -> None:
        """`ip` on the switch."""
        run("ip", "-n", self.namespace(_SWITCH), *args)

    def __enter__(self) -> Self:
        try:
            self.switch("link", "add", "bridge", "type", "bridge")
            self.switch("link", "set", "bridge", "up")
            for host in self.hosts.values():
                self._connect(host)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._names:
            if (_NAMESPACES / self.namespace(name)).exists():
                run("ip", "netns", "del", self.namespace(name))

    def _connect(self, host: Host) -> None:
        there = self.namespace(host.name)
        self.switch("link", "add", host.name, "type", "veth", "peer", "name", "eth0", "netns", there)
        self.switch("link", "set", host.name, "up", "master", "bridge")
        for device in ("lo", "eth0"):
            run("ip", "-n", there, "link", "set", device, "up")
        run("ip", "-n", there, "address", "add", f"{host.address}/24", "dev", "eth0")


def run(*command: str) -> str:
    """What a command prints. Raises NoNetwork with its complaint."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise NoNetwork(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _enter(namespace: Path) -> None:
    with namespace.open() as file:
        if _libc.setns(file.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def _sweep() -> None:
    """Takes away the machines of a run that was killed."""
    for left in _NAMESPACES.glob(f"{_PREFIX}*"):
        owner = left.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path(f"/proc/{owner}").exists():
            run("ip", "netns", "del", left.name)
