"""The decay of a host's penalty, without I/O."""

import pytest

from workers.politeness import HALF_LIFE, Penalty


def test_it_halves_with_time() -> None:
    penalty = Penalty(8.0, at=1000.0, until=0.0)
    assert penalty.interval(1000.0) == 8.0
    assert penalty.interval(1000.0 + HALF_LIFE) == 4.0
    assert penalty.interval(1000.0 + 2 * HALF_LIFE) == 2.0


def test_it_ends() -> None:
    penalty = Penalty(0.5, at=1000.0, until=0.0)
    assert penalty.interval(1000.0 + 4 * HALF_LIFE) == 0.0
    assert penalty.is_over(1000.0 + 21 * HALF_LIFE)


def test_it_is_not_over_before_retry_after() -> None:
    assert not Penalty(0.5, at=1000.0, until=9000.0).is_over(8999.0)


def test_a_clock_that_goes_back_does_not_raise_it() -> None:
    assert Penalty(8.0, at=1000.0, until=0.0).interval(900.0) == 8.0


@pytest.mark.parametrize("text", ["", "1 2 3 4", "a b c d e"])
def test_anything_else_is_no_penalty(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Penalty.parse(text)
