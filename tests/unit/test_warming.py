"""When a second request follows."""

import pytest

from shared.stages import Fetched, Finish, Recheck
from shared.states import CacheStatus, TaskState
from workers.warming import first_request


def page(cache: CacheStatus | None, state: TaskState = TaskState.COMPLETED) -> Finish:
    return Finish(None, state, Fetched(200, 10, cache_status=cache))  # type: ignore[arg-type]


@pytest.mark.parametrize("cache", [CacheStatus.MISS, CacheStatus.EXPIRED])
def test_a_miss_is_asked_for_again_within_half_a_second_and_one(cache: CacheStatus) -> None:
    for rand, after in ((0.0, 500_000), (1.0, 1_000_000)):
        planned = first_request(page(cache), 1_000, rand)
        assert isinstance(planned, Recheck)
        assert planned.at == 1_000 + after


@pytest.mark.parametrize("cache", [None, CacheStatus.HIT, CacheStatus.DYNAMIC, CacheStatus.BYPASS, CacheStatus.STALE])
def test_anything_else_is_done(cache: CacheStatus | None) -> None:
    finish = page(cache)
    assert first_request(finish, 0, 0.5) is finish


def test_a_page_that_failed_or_was_skipped_is_done() -> None:
    for state in (TaskState.FAILED, TaskState.SKIPPED):
        finish = page(CacheStatus.MISS, state)
        assert first_request(finish, 0, 0.5) is finish
