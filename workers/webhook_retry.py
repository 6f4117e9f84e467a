"""When a delivery is tried again: a pure decision."""

from shared.clock import SECOND

#: seconds after each failed attempt: eleven attempts in about 23 hours
DELAYS = (5, 20, 80, 320, 1280, 5120, 18_000, 18_000, 18_000, 18_000)
#: each delay is spread by this share to both sides, so that a receiver that comes back is not hit by all at once
_JITTER = 0.2


def next_attempt(failed: int, now: int, wish: float, chance: float) -> int | None:
    """The moment of the next attempt after `failed` ones (at least 1), None: no more. Times in microseconds.

    `wish` is the receiver's Retry-After in seconds, 0 without one; `chance` is random, from 0 to 1.
    """
    if failed > len(DELAYS):
        return None
    delay = DELAYS[failed - 1] * (1 + _JITTER * (2 * chance - 1))
    return now + round(max(delay, wish) * SECOND)
