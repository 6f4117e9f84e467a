"""The benchmark of the dashboard's views still runs, on the data that it makes."""

from pathlib import Path

import pytest

from shared.store import order_builds
from tests.bench import view_data, views
from tests.bench.dataset import sqlite_dataset

N = 1000


def test_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(order_builds, "MIN_TASKS", N)
    made = sqlite_dataset(tmp_path, N, view_data.plan())
    views.measure(made, None, rounds=1, every=True, only="r")
    shown = capsys.readouterr().out
    for view in ("running: tasks, last page of a sort", "broken by target", "ended: compare, first look", "start"):
        assert f"{view} |" in shown
