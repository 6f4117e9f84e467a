"""What a host can bear, without I/O."""

import threading
from functools import partial

import pytest

from tests.waiting import until
from workers import loads as loads_module
from workers.loads import HostLoads, wanted_interval


@pytest.mark.parametrize(
    ("usual", "latency", "interval"),
    [
        (0.002, 0.05, 0.0),  # loopback: 25 times slower, and still quick
        (0.2, 0.2, 0.0),
        (0.2, 0.9, 0.0),
        (0.2, 3.0, 0.5),
        (2.0, 5.0, 0.0),  # slow as ever
        (2.0, 10.0, 1.0),
        (0.0, 15.0, 3.5),  # never answered
    ],
)
def test_only_a_latency_that_rose_spreads_requests(usual: float, latency: float, interval: float) -> None:
    assert wanted_interval(usual, latency) == pytest.approx(interval)


def test_a_host_that_slows_down_is_noticed_and_its_recovery_too() -> None:
    loads = HostLoads(32)
    assert [loads.answered("h", 0.2) for _ in range(50)] == [0.0] * 50
    slow = [loads.answered("h", 8.0) for _ in range(20)]
    assert slow[-1] > 1.0
    assert slow[0] < slow[5] < slow[10]
    assert [loads.answered("h", 0.2) for _ in range(30)][-1] == 0.0


def entered(loads: HostLoads, host: str = "h", most: int = 100) -> int:
    """How many can be at a host at once."""
    return next(n for n in range(most) if not loads.enter(host, 0, lambda: False))


def test_a_host_that_never_answers_cannot_hold_all_threads() -> None:
    loads = HostLoads(32)
    assert entered(loads) == 16
    assert entered(loads, "other") == 16


def test_each_answer_makes_room_and_each_failure_halves_it() -> None:
    loads = HostLoads(32)
    for _ in range(100):
        loads.answered("h", 0.1)
    assert entered(loads) == 32
    loads.failed("h", 15)
    for _ in range(32):
        loads.leave("h")
    assert entered(loads) == 16


def test_an_answer_wakes_two_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads_module, "_STEP", 60.0)
    loads = HostLoads(16)
    assert entered(loads) == 8
    got: list[bool] = []
    enter = partial(loads.enter, "h", 60, lambda: False)
    waiters = [threading.Thread(target=lambda: got.append(enter()), daemon=True) for _ in range(2)]
    for waiter in waiters:
        waiter.start()
    until(lambda: loads._loads["h"].waiting == 2)
    loads.answered("h", 0.1)
    loads.leave("h")
    for waiter in waiters:
        waiter.join(10)
    assert got == [True, True]


def test_who_waits_gets_the_place_that_comes_free() -> None:
    loads = HostLoads(4)
    assert entered(loads) == 4
    waiter = threading.Thread(target=lambda: got.append(loads.enter("h", 10, lambda: False)))
    got: list[bool] = []
    waiter.start()
    loads.leave("h")
    waiter.join(10)
    assert got == [True]
