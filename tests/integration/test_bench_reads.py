"""The benchmark of reads still runs, on the data that it makes."""

from pathlib import Path

import pytest

from shared.store import counters, jobs, open_store, order_builds
from tests.bench import dataset, reads
from tests.bench.queries import FIRST_SEARCH, NEXT_SEARCH

N = 3000


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dataset.Dataset:
    """A small dataset in SQLite, whose large job is large enough for an order."""
    monkeypatch.setattr(order_builds, "MIN_TASKS", N)
    monkeypatch.setattr(reads, "_SECONDS", 0.0)
    return dataset.sqlite_dataset(tmp_path, N)


def test_it_works(made: dataset.Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    groups = reads.measure(made, "store", few=True)
    names = ["summary", "no filter", "one filter", "more filters", FIRST_SEARCH, NEXT_SEARCH]
    assert [group.name for group in groups] == names
    assert "1 orders built" in capsys.readouterr().out


def test_the_counts_of_the_data_are_those_of_its_rows(made: dataset.Dataset) -> None:
    store = open_store(made.url)
    with store.read() as conn:
        tally = counters.read(conn, made.job_no).tally
    assert sum(cell[0] for cell in tally.cells.values()) == N
    assert jobs.get(store, made.job_no).completed_at
    store.close()


def test_a_second_run_finds_the_data(made: dataset.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_fill", lambda *_: pytest.fail("made again"))
    assert dataset.sqlite_dataset(tmp_path, N) == made
