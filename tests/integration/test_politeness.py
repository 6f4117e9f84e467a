"""Reservations of a host's moments, on a real Redis with a clock of the test's."""

from itertools import pairwise

import pytest

from shared.queue import TaskQueue
from shared.settings import FetchLimits
from tests.site import Site, html, reset
from workers.egress import EgressPolicy
from workers.errors import ConnectionReset
from workers.fetch import Fetcher
from workers.politeness import FULL, PENALTIES_KEY, SHORT, Blocks, Limits, Politeness
from workers.turns import Turn


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def polite(queue: TaskQueue, clock: Clock) -> Politeness:
    return Politeness(queue.redis, clock=clock)


def test_without_an_interval_everything_goes_and_nothing_is_kept(polite: Politeness, queue: TaskQueue) -> None:
    assert [polite.wait("h", str(n), None) for n in range(5)] == [0.0] * 5
    assert queue.redis.keys("*") == []


def test_each_task_gets_a_moment_of_its_own(polite: Politeness) -> None:
    assert [polite.wait("h", str(n), 2.0) for n in range(4)] == [0.0, 2.0, 4.0, 6.0]


def test_a_task_that_comes_back_in_time_goes(polite: Politeness, clock: Clock) -> None:
    for n in range(3):
        polite.wait("h", str(n), 2.0)
    clock.now += 2.0
    assert polite.wait("h", "1", 2.0) == 0.0
    assert polite.wait("h", "2", 2.0) == 2.0


def test_a_task_that_comes_early_keeps_its_moment(polite: Politeness, clock: Clock) -> None:
    polite.wait("h", "0", 2.0)
    polite.wait("h", "1", 2.0)
    clock.now += 0.5
    assert polite.wait("h", "1", 2.0) == 1.5


def test_who_is_late_delays_the_next_one(polite: Politeness, clock: Clock) -> None:
    for n in range(3):
        polite.wait("h", str(n), 2.0)
    clock.now += 3.5
    assert polite.wait("h", "1", 2.0) == 0.0
    clock.now += 0.5
    assert polite.wait("h", "2", 2.0) == 1.5


def test_hosts_do_not_wait_for_each_other(polite: Politeness) -> None:
    assert polite.wait("a", "0", 2.0) == 0.0
    assert polite.wait("b", "1", 2.0) == 0.0


def test_a_penalty_holds_for_every_worker(polite: Politeness, queue: TaskQueue, clock: Clock) -> None:
    other = Politeness(queue.redis, clock=clock)
    polite.penalise("h", clock.now + 10)
    assert other.wait("h", "1", None) == pytest.approx(10.0)
    assert other.wait("free", "2", None) == 0.0


def test_a_second_penalty_doubles_the_delay(polite: Politeness, clock: Clock) -> None:
    polite.penalise("h", clock.now)
    clock.now += 0.5
    polite.penalise("h", clock.now)
    assert polite.wait("h", "0", None) == 0.0
    assert polite.wait("h", "1", None) == pytest.approx(1.0, rel=0.02)


def test_blocks_of_what_was_on_its_way_count_once(polite: Politeness, clock: Clock) -> None:
    for _ in range(20):
        polite.penalise("h", clock.now)
    polite.wait("h", "0", None)
    assert polite.wait("h", "1", None) == pytest.approx(0.5)


def test_a_penalty_is_forgotten(polite: Politeness, queue: TaskQueue, clock: Clock) -> None:
    polite.penalise("h", clock.now + 5)
    clock.now += 3600
    assert polite.wait("h", "0", None) == 0.0
    assert not queue.redis.exists(PENALTIES_KEY)


def test_answers_that_do_not_block_make_the_host_fast_again(polite: Politeness, queue: TaskQueue, clock: Clock) -> None:
    for _ in range(3):
        polite.penalise("h", clock.now)
    polite.wait("h", "0", None)
    for _ in range(6):
        polite.relax("h")
    assert polite.wait("h", "1", None) == 0.0
    assert not queue.redis.exists(PENALTIES_KEY)


def limited(queue: TaskQueue, clock: Clock, connections: int) -> Politeness:
    return Politeness(queue.redis, Limits(connections=connections, longest=60), clock=clock)


def test_no_more_connections_than_allowed_over_all_workers(queue: TaskQueue, clock: Clock) -> None:
    one, other = limited(queue, clock, 2), limited(queue, clock, 2)
    assert [p.wait("h", t, None) for p, t in ((one, "a"), (other, "b"), (one, "c"), (other, "d"))] == [0, 0, FULL, FULL]
    assert other.wait("free", "e", None) == 0
    one.release("h", "a")
    assert other.wait("h", "d", None) == 0


def test_a_connection_that_nobody_gives_back_comes_free(queue: TaskQueue, clock: Clock) -> None:
    polite = limited(queue, clock, 1)
    assert [polite.wait("h", t, None) for t in "ab"] == [0, FULL]
    clock.now += 61
    assert polite.wait("h", "b", None) == 0


def test_a_redirect_goes_before_what_is_reserved_but_not_before_its_time(polite: Politeness, clock: Clock) -> None:
    assert [polite.wait("h", t, 2.0) for t in "abc"] == [0, 2, 4]
    assert polite.wait("h", "a", 2.0, urgent=True) == 2
    clock.now += 2
    assert polite.wait("h", "a", 2.0, urgent=True) == 0
    assert polite.wait("h", "b", 2.0) == 2


def test_a_request_before_the_rules_are_known_counts(polite: Politeness, clock: Clock) -> None:
    assert polite.go("h", "robots", None) == 0
    polite.went("h", "robots", None)
    clock.now += 0.5
    assert polite.wait("h", "a", 2.0) == pytest.approx(1.5 - SHORT)
    assert polite.go("h", "a", 2.0) == pytest.approx(1.5)


def test_what_is_sent_late_delays_the_next_one(polite: Politeness, clock: Clock) -> None:
    assert [polite.wait("h", task, 2.0) for task in "ab"] == [0, 2]
    assert polite.go("h", "a", 2.0) == 0
    clock.now += 1.9
    polite.went("h", "a", 2.0)
    clock.now += 0.1
    assert polite.wait("h", "b", 2.0) == pytest.approx(1.9 - SHORT)
    assert polite.go("h", "b", 2.0) == pytest.approx(1.9)
    clock.now += 1.9
    assert polite.go("h", "b", 2.0) == 0


def test_nothing_goes_while_another_request_is_about_to_leave(
    polite: Politeness, queue: TaskQueue, clock: Clock
) -> None:
    other = Politeness(queue.redis, clock=clock)
    assert polite.go("h", "a", 2.0) == 0
    clock.now += 5.0
    assert other.go("h", "b", 2.0) > 0
    polite.went("h", "a", 2.0)
    assert other.go("h", "b", 2.0) == pytest.approx(2.0)


def test_a_process_that_dies_before_it_sends_holds_its_host_up_for_seconds(polite: Politeness, clock: Clock) -> None:
    polite.go("h", "a", 2.0)
    clock.now += 12.1
    assert polite.go("h", "b", 2.0) == 0


def test_a_penalty_holds_for_what_is_connected_already(polite: Politeness, clock: Clock) -> None:
    assert polite.wait("h", "a", None) == 0
    polite.penalise("h", clock.now + 10)
    assert polite.is_paced("h", None)
    assert polite.go("h", "a", None) == pytest.approx(10)


def test_without_an_interval_a_request_is_sent_without_asking(polite: Politeness, queue: TaskQueue) -> None:
    assert not polite.is_paced("h", None)


def test_a_request_that_is_sent_again_on_a_new_connection_waits_its_turn_again(queue: TaskQueue) -> None:
    polite = Politeness(queue.redis, Limits(interval=0.3))
    with Site({"/": html("x"), "/gone": reset()}) as site:
        fetcher = Fetcher(FetchLimits(), EgressPolicy((site.host,)), "t")
        fetcher.get(site.url(), gate=Turn(polite, "a", None))
        with pytest.raises(ConnectionReset):
            fetcher.get(site.url("/gone"), gate=Turn(polite, "b", None))
        assert site.paths() == ["/", "/gone", "/gone"]
        times = [request.arrived for request in site.requests]
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.298


def test_a_slow_host_gets_an_interval_that_answers_take_back(polite: Politeness, clock: Clock) -> None:
    polite.slow("h", 4.0)
    assert [polite.wait("h", t, None) for t in "ab"] == [0, pytest.approx(4)]
    for _ in range(8):
        polite.relax("h")
    clock.now += 4
    assert [polite.wait("h", t, None) for t in "bc"] == [0, 0]


def test_blocks_in_a_row_are_counted_over_all_workers(polite: Politeness, queue: TaskQueue, clock: Clock) -> None:
    other = Politeness(queue.redis, clock=clock)
    assert [p.penalise("h", clock.now).n for p in (polite, other, polite)] == [1, 2, 3]
    clock.now += 9
    assert other.penalise("h", clock.now) == Blocks(4, 9.0)
    polite.wait("h", "a", None)
    polite.relax("h")
    assert other.penalise("h", clock.now).n == 1


def test_a_host_to_be_waited_for_is_crowded(polite: Politeness, clock: Clock) -> None:
    for task in "abcd":
        polite.wait("h", task, 0.6)
    assert polite.crowded() == {"h"}
    clock.now += 2
    assert polite.crowded() == frozenset()
