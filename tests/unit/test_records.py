"""Records: dataclasses that only the type checker keeps frozen."""

from dataclasses import replace

from shared.changes import Facts
from shared.stages import Fetched


def test_equal_ones_are_one_key() -> None:
    assert Facts(200, title="T") == Facts(200, title="T") != Facts(200, title="U")
    assert len({Facts(200, title="T"), Facts(200, title="T"), Facts(404)}) == 2


def test_they_are_copied_with_changes_and_have_no_room_for_more() -> None:
    assert replace(Fetched(200, 5), bytes=7) == Fetched(200, 5, 7)
    assert not hasattr(Fetched(200), "__dict__")
