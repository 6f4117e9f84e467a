"""Which validators are good enough to ask with, and which 304 is believed: pure decisions."""

import pytest

from shared.validators import Validators, packed, unpacked
from workers.fetch import Hop, Response
from workers.validators import confirms, of_headers

OLD, SENT = "Sun, 01 Nov 2026 10:00:00 GMT", "Sun, 22 Nov 2026 10:00:00 GMT"
TAG, WEAK = '"v1"', 'W/"v1"'


@pytest.mark.parametrize(
    ("headers", "usable"),
    [
        ({"etag": TAG}, (TAG, None)),
        ({"etag": WEAK}, (WEAK, None)),
        ({"etag": '""'}, (None, None)),
        ({"etag": "v1"}, (None, None)),
        ({"etag": '"a"b"'}, (None, None)),
        ({"etag": '"a b"'}, (None, None)),
        ({"etag": '"' + "x" * 301 + '"'}, (None, None)),
        ({"etag": '"\x01"'}, (None, None)),
        ({"etag": TAG, "vary": "Accept-Encoding"}, (TAG, None)),
        ({"etag": TAG, "vary": "*"}, (None, None)),
        ({"last-modified": OLD, "date": SENT}, (None, OLD)),
        ({"last-modified": OLD}, (None, None)),
        ({"last-modified": SENT, "date": SENT}, (None, None)),
        ({"last-modified": "yesterday", "date": SENT}, (None, None)),
        ({"last-modified": SENT, "date": OLD}, (None, None)),
        ({"last-modified": "Sun, 01 Nov 99999999 10:00:00 GMT", "date": SENT}, (None, None)),
        ({"etag": TAG, "last-modified": OLD, "date": SENT}, (TAG, OLD)),
        ({}, (None, None)),
    ],
)
def test_validators_that_can_be_relied_on(headers: dict[str, str], usable: tuple[str | None, str | None]) -> None:
    assert of_headers(headers) == usable


@pytest.mark.parametrize(
    ("etag", "last_modified", "answer", "believed"),
    [
        (TAG, None, {}, True),
        (TAG, None, {"etag": TAG}, True),
        (TAG, None, {"etag": WEAK}, True),
        (WEAK, None, {"etag": TAG}, True),
        (TAG, None, {"etag": '"v2"'}, False),
        (TAG, OLD, {"last-modified": SENT}, True),
        (None, OLD, {}, True),
        (None, OLD, {"last-modified": OLD, "etag": '"new"'}, True),
        (None, OLD, {"last-modified": SENT}, False),
    ],
)
def test_a_304_is_believed_about_the_version_that_was_named(
    etag: str | None, last_modified: str | None, answer: dict[str, str], believed: bool
) -> None:
    response = Response("http://h/", 304, answer, b"", 0, 1)
    assert confirms(response, Validators(1, etag, last_modified, None)) is believed


def test_a_304_after_a_redirect_is_not_believed() -> None:
    response = Response("http://h/b", 304, {}, b"", 0, 1, (Hop("http://h/a", 302, "http://h/b"),))
    assert not confirms(response, Validators(1, TAG, None, None))


@pytest.mark.parametrize("links", [(), ("http://h/a",), ("http://h/a", "https://other/b?c=%0A")])
def test_links_come_back_as_they_were_kept(links: tuple[str, ...]) -> None:
    data = packed(links)
    assert data is not None
    assert unpacked(data) == links


def test_too_many_links_are_not_kept() -> None:
    assert packed(("http://h/" + "a" * 2000,) * 200) is None
