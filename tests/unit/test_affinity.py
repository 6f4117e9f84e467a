"""Which CPU a process keeps its threads on."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared import affinity
from shared.affinity import Affinity, better
from tests.waiting import until


@pytest.mark.parametrize(
    ("used", "busy", "wanted"),
    [
        (0.9, {0: 1.0, 1: 0.3}, None),  # what keeps our CPU busy is us
        (0.5, {0: 1.0, 1: 0.0}, 1),
        (0.5, {0: 1.0, 1: 0.4}, None),  # not worth a move
        (0.5, {0: 1.0, 1: 0.2, 2: 0.1}, 2),
        (0.5, {0: 1.0, 1: 1.0}, None),
        (0.0, {0: 1.0, 1: 0.0}, 1),  # whoever asks us next is to find us awake
        (0.9, {0: 0.8, 1: 0.0}, None),  # ticks are coarse: less than what we used
        (1.0, {0: 1.0}, None),
    ],
)
def test_the_better_cpu(used: float, busy: dict[int, float], wanted: int | None) -> None:
    assert better(0, used, busy) == wanted


class Machine:
    """Two CPUs and one thread, as /proc shows them; what is asked of the kernel is kept."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.masks = folder, list[set[int]]()
        (folder / "thread-self").mkdir()
        (folder / "self" / "task" / "7").mkdir(parents=True)
        fields = ["7", "(a (bad) name)", "S", *["0"] * 35, "1", *["0"] * 10]
        (folder / "thread-self" / "stat").write_text(" ".join(fields))
        self.ticks({0: (0, 0), 1: (0, 0), 2: (0, 0)})

    def ticks(self, cpus: dict[int, tuple[int, int]]) -> None:
        """Busy and idle ticks of each CPU since the start."""
        lines = [f"cpu{n} {busy} 0 0 {idle} 0 0 0 0 0 0" for n, (busy, idle) in cpus.items()]
        new = self.proc / "stat.new"
        new.write_text("\n".join(["cpu  1 2 3 4 5 6 7 8 9 10", *lines, "intr 1 2 3", ""]))
        new.rename(self.proc / "stat")

    def set(self, thread: int, cpus: set[int]) -> None:
        """Takes the place of sched_setaffinity(2)."""
        assert thread == 7
        self.masks.append(set(cpus))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(affinity, "_EVERY", 0.02)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", made.set, raising=False)
    return made


def spending(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    """A process that uses this share of the time."""
    now: Callable[[], float] = affinity.time.monotonic
    monkeypatch.setattr(affinity.time, "process_time", lambda: now() * share)


def test_it_stays_where_it_is_until_others_take_that_cpu(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    spending(monkeypatch, 0.5)
    refusals = iter([True, False])

    def is_unlucky() -> bool:
        machine.ticks({0: (0, 200), 1: (200, 0), 2: (0, 200)})
        return next(refusals)

    one = Affinity(machine.proc, is_unlucky)
    one.start()
    try:
        assert machine.masks == [{1}]
        machine.ticks({0: (0, 100), 1: (100, 0), 2: (0, 100)})
        until(lambda: machine.masks[1:])
    finally:
        one.stop()
    # at the second look, since the first was out of luck; CPU 2 is nobody's to give
    assert machine.masks == [{1}, {0}, {0, 1}]


def test_a_machine_of_one_cpu_has_no_choice(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1})
    one = Affinity(machine.proc)
    one.start()
    one.stop()
    assert not machine.masks


@pytest.mark.parametrize("broken", ["stat", "thread-self/stat"])
def test_where_proc_is_not_linux_s_nothing_happens(machine: Machine, broken: str) -> None:
    (machine.proc / broken).write_text("x")
    one = Affinity(machine.proc)
    one.start()
    one.stop()
    assert not machine.masks


def test_a_system_without_affinity(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    one = Affinity(machine.proc)
    one.start()
    one.stop()
    assert not machine.masks


def test_a_cpu_that_is_taken_away_ends_it(machine: Machine) -> None:
    one = Affinity(machine.proc)
    one.start()
    machine.ticks({0: (0, 100)})
    until(lambda: machine.masks == [{1}, {0, 1}])
    one.stop()
