"""What a worker remembers of the store's pages."""

import random

import pytest

from workers import seen as seen_module
from workers.seen import SeenUrls

_LARGE, _SMALL = 2**16, 2**14
_SLOTS = _LARGE + _SMALL


@pytest.fixture(autouse=True)
def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sixteenth of the slots: to fill all of them takes seconds."""
    monkeypatch.setattr(seen_module, "_FORGETS", _LARGE // 2)
    for name, size in (("_LARGE", _LARGE), ("_SMALL", _SMALL), ("_PLACE", _LARGE - 1), ("_ASIDE", _SMALL - 1)):
        monkeypatch.setattr(seen_module, name, size)


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
    assert 0.5 * _SLOTS < len(seen.among(1, keys)) <= _SLOTS


def test_empty_slots_are_no_keys() -> None:
    seen = SeenUrls()
    assert seen.among(0, range(1000)) == set()
    assert seen.among(2**40, [2**62 - 1]) == set()


def test_hardly_anything_is_forgotten_while_there_is_room() -> None:
    rng, seen = random.Random(1), SeenUrls()
    keys = [rng.getrandbits(62) for _ in range(_LARGE * 4 // 5)]
    seen.add(1, keys)
    assert len(seen.among(1, keys)) > 0.998 * len(keys)


def test_what_comes_again_while_it_is_full_is_mostly_known() -> None:
    """A crawl of hardly fewer pages than there are slots asks the store for few of their links."""
    rng, seen = random.Random(1), SeenUrls()
    keys = [rng.getrandbits(62) for _ in range(_LARGE * 95 // 100)]
    seen.add(1, keys)
    missed = 0
    for start in range(0, len(keys), 64):
        some = keys[start : start + 64]
        missing = set(some) - seen.among(1, some)
        seen.add(1, missing)
        missed += len(missing)
    assert missed < 0.02 * len(keys)


def test_what_ended_crawls_left_makes_room() -> None:
    """A worker that has seen more URLs than there is room for remembers those of its newest crawl all the same."""
    rng, seen = random.Random(1), SeenUrls()
    for job in range(1, 9):
        keys = [rng.getrandbits(62) for _ in range(_LARGE // 2)]
        seen.add(job, keys)
    known = 0
    for _ in range(4):
        missing = set(keys) - seen.among(9, keys)
        known = max(known, len(keys) - len(missing))
        seen.add(9, missing)
    assert known > 0.9 * len(keys)
