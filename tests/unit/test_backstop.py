"""The backstop, and how often a call to Redis is tried."""

import threading
import time
from typing import Any

import pytest
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError

from shared.backstop import Backstop, within
from shared.tries import Tries


def test_nothing_is_done_before_anyone_is_told() -> None:
    done = threading.Event()
    backstop = Backstop((0.0, done.set))
    backstop.start()
    assert not done.wait(0.05)
    backstop.tell()
    assert done.wait(5)


def test_moments_come_in_their_order_and_only_once() -> None:
    done: list[str] = []
    ended = threading.Event()
    backstop = Backstop((0.0, lambda: done.append("halt")), (0.02, lambda: done.append("leave")), (0.03, ended.set))
    backstop.start()
    backstop.tell()
    backstop.tell()
    assert ended.wait(5)
    assert done == ["halt", "leave"]


def test_time_begins_to_run_when_it_is_told() -> None:
    backstop = Backstop()
    assert backstop.left(3.0) == 3.0
    backstop.tell()
    assert 2.0 < backstop.left(3.0) < 3.0
    assert backstop.left(0.0) == 0.0


def test_what_hangs_is_not_waited_for() -> None:
    hangs = threading.Event()
    began = time.monotonic()
    within(0.05, lambda: hangs.wait(30))
    assert time.monotonic() - began < 10
    hangs.set()


class Server:
    """Counts what it refuses."""

    def __init__(self) -> None:
        self.asked = 0

    def refuse(self) -> Any:
        self.asked += 1
        raise ConnectionError("refused")


def test_only_the_outermost_call_tries_again() -> None:
    server, tries = Server(), Tries(NoBackoff(), 2)

    def nested() -> Any:
        return tries.call_with_retry(server.refuse, lambda _: None)

    for _ in range(2):
        server.asked = 0
        with pytest.raises(ConnectionError):
            tries.call_with_retry(nested, lambda _: None)
        assert server.asked == 3
