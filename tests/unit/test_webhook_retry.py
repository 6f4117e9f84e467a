"""When a delivery is tried again."""

import pytest

from shared.clock import SECOND
from workers.webhook_retry import DELAYS, next_attempt


@pytest.mark.parametrize(
    ("failed", "wish", "chance", "seconds"),
    [
        (1, 0, 0.5, 5),
        (1, 0, 0.0, 4),
        (1, 0, 1.0, 6),
        (3, 0, 0.5, 80),
        (10, 0, 0.5, 18_000),
        (1, 60, 0.5, 60),
        (4, 60, 0.5, 320),
        (11, 0, 0.5, None),
        (11, 60, 0.5, None),
    ],
)
def test_the_delay_grows_and_ends(failed: int, wish: float, chance: float, seconds: int | None) -> None:
    expected = None if seconds is None else 1000 + seconds * SECOND
    assert next_attempt(failed, 1000, wish, chance) == expected


def test_all_attempts_together_take_about_a_day() -> None:
    assert 0.8 * 86_400 < sum(DELAYS) < 86_400
