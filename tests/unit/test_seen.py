"""What a worker remembers of the store's pages."""

import random

import pytest

from workers import seen as seen_module
from workers.seen import SeenUrls

_SLOTS = 2**18


@pytest.fixture(autouse=True)
def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the slots: to fill all of them takes seconds."""
    monkeypatch.setattr(seen_module, "_SLOTS", _SLOTS)
    monkeypatch.setattr(seen_module, "_PLACE", _SLOTS - 1)


def test_it_works() -> None:
    seen = SeenUrls()
    seen.add(7, [1, 2, 0])
    assert seen.among(7, [0, 1, 2, 3]) == {0, 1, 2}
    assert seen.among(7, []) == set()


def test_jobs_have_nothing_in_common() -> None:
    seen, keys = SeenUrls(), range(1000)
    seen.add(7, keys)
    assert seen.among(8, keys) == set()
    seen.add(8, keys)
    assert seen.among(8, keys) == set(keys)


def test_what_was_never_noted_is_never_seen() -> None:
    """A false answer would lose a page."""
    rng, seen = random.Random(1), SeenUrls()
    noted = {rng.getrandbits(62) for _ in range(2 * _SLOTS)}
    for job in (1, 2):
        seen.add(job, noted)
    others = {rng.getrandbits(62) for _ in range(50_000)} - noted
    assert seen.among(1, others) == seen.among(2, others) == seen.among(3, noted) == set()


def test_it_forgets_what_has_no_room() -> None:
    rng, seen = random.Random(1), SeenUrls()
    keys = [rng.getrandbits(62) for _ in range(2 * _SLOTS)]
    seen.add(1, keys)
    assert 0.6 * _SLOTS < len(seen.among(1, keys)) <= _SLOTS


def test_empty_slots_are_no_keys() -> None:
    seen = SeenUrls()
    assert seen.among(0, range(1000)) == set()
    assert seen.among(2**40, [2**62 - 1]) == set()


def test_hardly_anything_is_forgotten_while_there_is_room() -> None:
    rng, seen = random.Random(1), SeenUrls()
    keys = [rng.getrandbits(62) for _ in range(_SLOTS // 4)]
    seen.add(1, keys)
    assert len(seen.among(1, keys)) > 0.97 * len(keys)
