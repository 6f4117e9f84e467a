"""The worker's threads: short jobs in few, slow ones side by side."""

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.waiting import until
from workers.pool import Pool

Item = Callable[[], object]


def run(item: Item) -> None:
    item()


@pytest.fixture
def pool() -> Iterator[Pool[Item]]:
    made = Pool[Item](8, run)
    yield made
    made.close()


def do(pool: Pool[Item], *items: Item) -> None:
    """As the worker's loop does."""
    left = list(items)
    while left:
        n = pool.reserve(len(left), 1.0)
        pool.submit(left[:n])
        del left[:n]
    pool.hurry()


def do_short_ones(pool: Pool[Item]) -> None:
    """Until the pool knows them as short."""
    seen: list[int] = []
    for n in range(100, 2_001, 100):
        do(pool, *[lambda: seen.append(threading.get_ident())] * 100)
        until(lambda n=n: len(seen) == n)  # type: ignore[misc]


def test_it_works(pool: Pool[Item]) -> None:
    done: list[int] = []
    do(pool, *[lambda n=n: done.append(n) for n in range(100)])  # type: ignore[misc]
    until(lambda: sorted(done) == list(range(100)))


def test_all_slots_come_back(pool: Pool[Item]) -> None:
    do_short_ones(pool)
    slots: list[int] = []
    until(lambda: slots.append(pool.reserve(9, 0.01)) or sum(slots) == 8)  # type: ignore[func-returns-value]
    assert pool.reserve(1, 0.01) == 0


def test_no_more_run_at_once_than_there_are_slots(pool: Pool[Item]) -> None:
    let_go = threading.Event()
    do(pool, *[let_go.wait] * 8)
    assert pool.reserve(1, 0.01) == 0
    let_go.set()
    assert pool.reserve(1, 5.0) == 1


def test_slow_ones_run_side_by_side_though_those_before_were_short(pool: Pool[Item]) -> None:
    do_short_ones(pool)
    together = threading.Barrier(8)
    met: list[int] = []
    do(pool, *[lambda: met.append(together.wait(10))] * 8)
    until(lambda: len(met) == 8)


def test_nothing_waits_behind_a_slow_one(pool: Pool[Item]) -> None:
    do_short_ones(pool)
    let_go, passed = threading.Event(), threading.Event()
    do(pool, let_go.wait, passed.set)
    assert passed.wait(10)
    let_go.set()


def test_what_was_submitted_runs_though_the_pool_is_closed() -> None:
    pool, done = Pool[Item](2, run), threading.Event()
    pool.reserve(1, 1.0)
    pool.submit([done.set])
    pool.close()
    assert done.wait(10)
