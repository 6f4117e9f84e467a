"""What a conformance suite says: its cases, and why each that fails does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


class LeftOut(BaseException):
    """A case that asks for something that a crawler does not do; the message says what."""


@dataclass(frozen=True, slots=True)
class Case:
    """One assertion of somebody else's tests."""

    name: str
    #: None: left out
    passed: bool | None
    #: why it failed or was left out
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases of one source. `known` names those that fail rightly: the beginning of a case's name, and the reason."""

    name: str
    source: str
    cases: Callable[[], list[Case]]
    known: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """A suite that was run."""

    suite: Suite
    cases: tuple[Case, ...]

    def count(self, passed: bool | None) -> int:
        """How many passed, failed or were left out."""
        return sum(case.passed is passed for case in self.cases)

    @property
    def named(self) -> dict[str, int]:
        """Reasons of the failures that are known, and how many each explains."""
        found: dict[str, int] = {}
        for case in self.cases:
            if case.passed is False and (reason := self._reason(case)):
                found[reason] = found.get(reason, 0) + 1
        return found

    @property
    def unnamed(self) -> list[Case]:
        """Failures that nobody has explained."""
        return [case for case in self.cases if case.passed is False and not self._reason(case)]

    @property
    def stale(self) -> list[str]:
        """Known failures that do not fail any more."""
        failed = [case.name for case in self.cases if case.passed is False]
        return [name for name in self.suite.known if not any(case.startswith(name) for case in failed)]

    @property
    def left_out(self) -> dict[str, int]:
        """Reasons for leaving cases out, and how many each explains."""
        found: dict[str, int] = {}
        for case in self.cases:
            if case.passed is None:
                found[case.detail] = found.get(case.detail, 0) + 1
        return found

    def _reason(self, case: Case) -> str | None:
        return next((why for name, why in self.suite.known.items() if case.name.startswith(name)), None)
