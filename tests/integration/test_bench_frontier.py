"""The benchmark that drives the record alone works a whole job off."""

from shared.states import JobState
from shared.store import Store, jobs
from tests.bench.frontier import Frontier


def test_it_works(store: Store) -> None:
    frontier = Frontier(store, 50, group=4)
    assert frontier.stretch(1_000).pages == 50
    assert jobs.get(store, 1).state is JobState.COMPLETED
