"""A short round of the fuzz that `make soak` runs for longer."""

import pytest

from tests.soak import fuzz


def test_nothing_that_a_stranger_sends_breaks_or_stalls_what_reads_it() -> None:
    assert list(fuzz.run(5.0)) == []


def test_an_error_that_is_not_named_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(body: bytes) -> None:
        if b"\0" in body:
            raise KeyError("x")

    monkeypatch.setattr(fuzz, "TARGETS", (fuzz.Target("t", read, (b"\0",)),))
    assert list(fuzz.run(1.0)) == ["t (seed 0): KeyError: 'x'"]


def test_time_that_grows_faster_than_the_input_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(body: bytes) -> None:
        rest = body
        while rest:
            rest = rest[3:]

    monkeypatch.setattr(fuzz, "TARGETS", (fuzz.Target("t", read, (b"../",)),))
    (found,) = fuzz.run(3.0)
    assert found.startswith("t (seed ")
    assert " s against " in found or " s for " in found
