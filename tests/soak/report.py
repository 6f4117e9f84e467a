"""One crawl of the soak: what it was to do, who saw it, and what the count found."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared import ids
from tests.receiver import Receiver
from tests.soak.door import Door
from tests.soak.faults import Event


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Who saw the crawl."""

    door: Door
    redis_url: str
    receiver: Receiver
    #: of the site's requests
    log: Path
    #: paths that earlier crawls of this site have completed
    known: frozenset[str]
    #: number of the crawl, which is the site's version
    version: int


@dataclass(slots=True)
class Crawl:
    """One crawl and what it was to do."""

    #: the job as the API told it when it was created
    told: dict[str, Any]
    pages: int
    witnesses: Witnesses
    events: list[Event] = field(default_factory=list)

    @property
    def uid(self) -> str:
        """The job's public id."""
        return str(self.told["id"])

    @property
    def number(self) -> int:
        """The job's number in the record."""
        found = ids.decode(self.uid)
        assert found is not None
        return found.body


@dataclass(slots=True)
class Report:
    """What was found."""

    violations: list[str] = field(default_factory=list)
    #: worth knowing, and allowed
    notes: list[str] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)
    #: paths that this crawl has completed
    completed: set[str] = field(default_factory=set)

    def expect(self, ok: bool, what: str) -> None:
        """Notes a violation."""
        if not ok:
            self.violations.append(what)
