"""What the queue promises by name exists under that name."""

from importlib import import_module

import pytest

from shared.queue import DELIVER, REFRESH_ANALYTICS, ROUTES, START_CRAWL
from shared.states import QUEUE_STATE, V1_STATUS, CacheStatus, JobState, SourceType, TaskState
from shared.store import migrate

FUNCTIONS = [*(route.function for route in ROUTES.values()), START_CRAWL, DELIVER, REFRESH_ANALYTICS]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_that_is_enqueued_exists(function: str) -> None:
    module, _, name = function.rpartition(".")
    assert callable(getattr(import_module(module), name))


def test_the_worker_knows_a_step_for_each_route() -> None:
    from workers.tasks import STEPS

    assert set(STEPS) == {route.function for route in ROUTES.values()}


def test_the_schema_that_processes_ask_for_is_the_newest_migration() -> None:
    from alembic.script import ScriptDirectory

    assert ScriptDirectory.from_config(migrate.config()).get_current_head() == migrate.HEAD


@pytest.mark.parametrize("codes", [JobState, CacheStatus, SourceType])
def test_ordering_by_code_is_ordering_by_name(codes: type[JobState]) -> None:
    assert [code.name for code in sorted(codes)] == sorted(code.name for code in codes)


def test_ordering_tasks_by_code_is_ordering_by_their_v1_status() -> None:
    shown = [V1_STATUS[state] for state in sorted(TaskState)]
    assert shown == sorted(shown)


def test_each_state_is_shown_as_the_contract_says() -> None:
    assert set(V1_STATUS) == set(TaskState)
    assert set(QUEUE_STATE.values()) == {"waiting", "active", "completed", "failed", "delayed"}
