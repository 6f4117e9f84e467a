"""One page of a process is read at a time, and none while its reader waits for something else."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace

import pytest

from workers import reading as reading_module
from workers.reading import Reading


def test_one_reads_at_a_time_but_for_those_who_step_aside() -> None:
    reading, is_aside, has_read = Reading(), Event(), Event()

    def first() -> bool:
        with reading, reading.aside():
            is_aside.set()
            return has_read.wait(10)

    def second() -> None:
        assert is_aside.wait(10)
        with reading:
            has_read.set()

    with ThreadPoolExecutor(2) as threads:
        waited = threads.submit(first)
        threads.submit(second).result(10)
        assert waited.result(10)


def test_an_error_lets_the_next_one_read() -> None:
    reading = Reading()
    with pytest.raises(ValueError, match="aside"), reading, reading.aside():
        raise ValueError("aside")
    with reading:
        pass


def test_a_page_that_takes_its_time_holds_up_nobody_for_long() -> None:
    reading, has_read = Reading(), Event()

    def second() -> None:
        with reading:
            has_read.set()

    with ThreadPoolExecutor(1) as threads, reading:
        done = threads.submit(second)
        assert has_read.wait(10)
        done.result(10)
    with reading:  # both have given back what they held
        pass


def test_what_an_interrupted_thread_leaves_held_is_given_up() -> None:
    reading = Reading()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(reading.__enter__).result(10)
    for _ in range(2):
        with reading:
            pass


def test_a_long_queue_of_short_readers_is_no_reason_to_give_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "_LONG", 0.001)
    # by this clock nobody takes long, however the machine stalls
    monkeypatch.setattr(reading_module, "time", SimpleNamespace(monotonic=lambda: 0.0))
    reading, at_once, most = Reading(), 0, 0

    def read() -> None:
        nonlocal at_once, most
        with reading:
            at_once += 1
            most = max(most, at_once)
            Event().wait(0.004)
            at_once -= 1

    with ThreadPoolExecutor(20) as threads:
        for done in [threads.submit(read) for _ in range(40)]:
            done.result(10)
    assert most == 1


def test_one_who_was_interrupted_on_the_way_back_gives_nothing_away() -> None:
    reading = Reading()

    def interrupted() -> None:
        with reading:
            reading.__exit__(None, None, None)  # as `aside` does
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with reading:
        pass
