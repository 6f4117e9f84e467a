"""Places for large files: few at a time, whoever reads them."""

import threading

import pytest

from tests.waiting import until
from workers.errors import Cancelled
from workers.large import Place, Places


def test_a_file_that_is_not_large_needs_no_place() -> None:
    places = Places(1)
    with Place(places, None), Place(places, None) as other:
        other.take()


def test_a_large_file_waits_until_another_one_is_read() -> None:
    places, began = Places(1), threading.Event()

    def read() -> None:
        with Place(places, None) as place:
            place.take()
            began.set()

    with Place(places, None) as first:
        first.take()
        first.take()  # once is enough
        thread = threading.Thread(target=read)
        thread.start()
        assert not began.wait(0.3)
    until(began.is_set)
    thread.join(5)


def test_who_is_cancelled_waits_no_longer() -> None:
    places = Places(1)
    places.take(None)
    with pytest.raises(Cancelled):
        Place(places, lambda: True).take()
