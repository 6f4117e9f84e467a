"""CPU time and memory of processes as Linux counts them, and how the figures are printed."""

import glob
import os
import platform
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its descendants have used."""

    #: seconds, ended descendants included
    cpu: float
    #: proportional resident memory
    memory_mb: float

    def since(self, before: "Usage") -> "Usage":
        """The CPU used since, and the memory of now."""
        return Usage(self.cpu - before.cpu, self.memory_mb)


def usage(pid: int) -> Usage:
    """Of a process with all that descends from it; zeros once it has ended."""
    pids = list(_tree(pid))
    return Usage(sum(map(_cpu, pids)), sum(map(_memory, pids)))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        for child in _text(path).split():
            yield from _tree(int(child))


def _cpu(pid: int) -> float:
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICK


def running_ms(pid: int) -> float:
    """Milliseconds for which the threads alive of a process and its descendants have run, to the nanosecond."""
    threads = (path for one in _tree(pid) for path in glob.glob(f"/proc/{one}/task/*/schedstat"))
    return sum(int(text.split()[0]) for path in threads if (text := _text(path))) / 1e6


def _memory(pid: int) -> float:
    lines = _text(f"/proc/{pid}/smaps_rollup").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:  # it has ended
        return ""


def machine() -> str:
    """One line: what this was measured on."""
    cores = len(os.sched_getaffinity(0))
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{cores} cores, {platform.machine()}, Linux {platform.release()}, {versions}, load {load()}"


def load() -> str:
    """The load average of the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table in Markdown, under its title with the load of the machine; each row once it is there."""
    print(f"\n### {title} (load {load()})\n\n| {' | '.join(head)} |\n|{' --- |' * len(head)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(map(_cell, row))} |", flush=True)
    print(flush=True)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
