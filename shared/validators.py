"""What is kept of a page so that it can be asked for only if it has changed (RFC 9110, 13)."""

from dataclasses import field

import zstandard

from shared.records import record
from shared.zstd import compress

#: characters of all links of a page together; one with more is always fetched
_MOST = 250_000


@record(frozen=True, slots=True)
class Validators:
    """What a server told of one version of a page."""

    #: of the request and of what the page looked like: holds for a request with the same key alone
    key: int
    #: as sent, quotes included
    etag: str | None
    #: as sent
    last_modified: str | None
    content_type: str | None
    #: microseconds; set by the store
    kept_at: int = 0
    #: of the page as they found it, as `packed` made them; set by the store
    links: bytes = field(default=b"", repr=False)


@record(frozen=True, slots=True)
class KeptPage:
    """New validators, and the links of their page."""

    validators: Validators
    #: compressed
    links: bytes


def packed(links: tuple[str, ...]) -> bytes | None:
    """All links of a page, in or out of a job's scope, as they are kept; None where they are too many."""
    text = "\n".join(links)
    return compress(text.encode()) if len(text) <= _MOST else None


def unpacked(data: bytes) -> tuple[str, ...]:
    """The links behind `packed`."""
    text = zstandard.decompress(data, max_output_size=4 * _MOST).decode()
    return tuple(text.split("\n")) if text else ()
