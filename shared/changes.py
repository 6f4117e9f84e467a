"""Changes of pages: what a crawl saw of a page, what differs from the last time."""

from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any

import zstandard

from shared.records import record
from shared.validators import Validators
from shared.zstd import compress

#: bytes; no stored text is longer
MAX_UNPACKED = 1_000_000


class ChangeType(IntFlag):
    """What changed. The lowest bit of a change is what it is called by."""

    NEW = 1
    REMOVED = 2
    REDIRECT = 4
    STATUS = 8
    CONTENT = 16
    TITLE = 32
    DESCRIPTION = 64
    CANONICAL = 128
    HEADINGS = 256

    @property
    def words(self) -> list[str]:
        """Their names, the most important first."""
        return [kind.name.lower() for kind in ChangeType if kind in self and kind.name]


@record(frozen=True, slots=True)
class Facts:
    """What is compared of a page besides its text."""

    status_code: int
    #: the other page that it redirects to
    redirect: str | None = None
    title: str | None = None
    description: str | None = None
    canonical: str | None = None
    headings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed between two looks at a page."""

    types: ChangeType
    #: of the texts, 0 to 1; None where they were not compared
    similarity: float | None = None
    #: a unified diff of the texts, compressed
    diff: bytes | None = None
    #: the diff was cut
    truncated: bool = False
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


@record(frozen=True, slots=True)
class Watch:
    """What a task must know of its page's last look to notice a change."""

    #: None: never seen
    fingerprint: str | None = None
    #: the domain's settings as stored; None: the defaults
    settings: str | None = None
    #: to ask for it only if it has changed
    validators: Validators | None = None


@record(frozen=True, slots=True)
class Sighting:
    """A look at a page that brought something new. Counts only if `base` is still the page's newest fingerprint."""

    base: str | None
    fingerprint: str
    facts: Facts
    #: 16 bytes; None: no text was ever compared
    text_hash: bytes | None
    #: compressed; None: stored already, with the last look
    text: bytes | None
    #: bytes before compression
    text_size: int = 0
    #: why the text was not compared as configured
    note: str | None = None
    #: None: the first look, or a new point of comparison
    difference: Difference | None = None
    #: snapshots to keep of the page, at least 1
    keep: int = 10


def pack(text: bytes) -> bytes:
    """A text as it is stored."""
    return compress(text)


def unpack(data: bytes) -> bytes:
    """The text behind `pack`."""
    return zstandard.decompress(data, max_output_size=MAX_UNPACKED)
