"""The arithmetic of the scaling model, by figures that can be checked in the head."""

import dataclasses

import pytest

from tests.bench import scaling_model as model
from tests.bench.scaling_model import Assumptions, Costs

ROUND = Costs(
    worker_cpu=10,
    scheduler_cpu=0,
    redis_cpu=0.1,
    redis_commands=20,
    redis_bytes=5000,
    sql_cpu=1,
    commits=0.5,
    wal=2000,
    stored=500,
    kept=1000,
    job_serial=0.5,
    idle_redis_cpu=0.5,
    idle_redis_commands=5,
    idle_sql_cpu=0,
    idle_commits=0,
    idle_worker_cpu=5,
    redis_connections=4,
    sql_connections=3,
)
GIVEN = Assumptions(page_seconds=0.5, threads=32, full=0.5, sql_cores=10, kept_seconds=100, sql_connections=100_000)


@pytest.mark.parametrize(
    ("seconds", "threads", "expected"),
    [(0.5, 32, 50), (0.1, 32, 50), (1.0, 32, 32), (2.0, 8, 4)],
)
def test_a_worker_is_bound_by_its_core_or_by_its_threads(seconds: float, threads: int, expected: float) -> None:
    given = dataclasses.replace(GIVEN, page_seconds=seconds, threads=threads)
    assert model.rate_of_one(ROUND, given) == pytest.approx(expected)


def test_what_ten_workers_need() -> None:
    n = model.need(ROUND, GIVEN, 10)
    assert (n.rate, n.redis_commands, n.commits, n.wal) == pytest.approx((500, 10_050, 250, 1e6))
    assert n.redis == pytest.approx((500 * 0.1 + 10 * 0.5) / 1000)
    assert n.redis_memory == pytest.approx(500 * 100 * 1000)
    assert (n.sql, n.sql_connections) == pytest.approx((0.5, 50))
    assert (n.cells, n.limit) == (1, "–")


@pytest.mark.parametrize(
    ("change", "cells", "limit"),
    [
        ({}, 11, "Redis' core"),
        ({"sql_cpu": 5}, 50, "PostgreSQL's cores"),
        ({"redis_cpu": 0.01}, 10, "PostgreSQL's cores"),
    ],
)
def test_a_thousand_workers_are_divided_by_what_is_full_first(change: dict[str, float], cells: int, limit: str) -> None:
    n = model.need(dataclasses.replace(ROUND, **change), GIVEN, 1000)
    assert (n.cells, n.limit) == (cells, limit)


def test_connections_may_be_what_is_full_first() -> None:
    n = model.need(ROUND, dataclasses.replace(GIVEN, pool=10, sql_connections=500), 1000)
    assert (n.cells, n.limit) == (20, "PostgreSQL's connections")


def test_a_cell_carries_as_many_workers_as_fill_it() -> None:
    most = model.most_workers(ROUND, GIVEN)
    assert model.need(ROUND, GIVEN, most).cells == 1
    assert model.need(ROUND, GIVEN, most + 1).cells == 2


def test_one_job_and_a_billion_pages() -> None:
    assert model.most_of_one_job(ROUND) == 2000
    assert model.days(1e9, 1000) == pytest.approx(11.574, abs=0.001)


def test_the_report_says_what_is_measured_and_what_is_modelled() -> None:
    text = model.report(model.load(), Assumptions())
    assert text.index("MEASURED") < text.index("ASSUMED") < text.index("MODELLED")
    assert text.count("\n| ") == len(dataclasses.fields(Costs)) + 1 + 1 + len(model.FLEETS) + 2
