"""Which found URLs a job crawls, by its rules on path and query, and in which spelling.

A rule is a glob that the whole path with its query must match, `*` standing for any characters, or `re:` and an
expression that it must contain. Both run on RE2, whose time grows with the text alone: no rule can be a trap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from shared import urls
from shared.errors import InvalidRule
from shared.models import JobOptions

MAX_RULES = 100
#: characters
MAX_RULE = 500
#: bytes that one compiled set of rules may take
_MEMORY = 8_000_000
_REGEX = "re:"
_ANY_HOST = "http://h"


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a job, compiled."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    keep_query: bool
    query_names: tuple[str, ...]
    _included: Any
    _excluded: Any

    def refuses(self, path: str) -> bool:
        """Whether a canonical path with its query is left out."""
        return bool(
            (self._excluded is not None and self._excluded.search(path))
            or (self._included is not None and not self._included.search(path))
        )

    def reason(self, path: str) -> str | None:
        """Why it is left out, in readable words; None: it is not."""
        for rule in self.exclude:
            if _compiled((rule,)).search(path):
                return f"the rule {rule} excludes"
        if self._included is not None and not self._included.search(path):
            return "no rule includes"
        return None

    def spelled(self, url: str) -> str:
        """A canonical URL with the parameters that the job keeps of its query.

        Named ones to keep come in the order of their names, so that their order makes no second page.
        """
        if self.keep_query and not self.query_names:
            return url
        page, mark, query = url.partition("?")
        if not mark or not self.query_names:
            return page
        parts = [part for part in query.split("&") if self._is_named(part) == self.keep_query]
        if self.keep_query:
            parts.sort(key=_name)
        return f"{page}?{'&'.join(parts)}" if parts else page

    def _is_named(self, parameter: str) -> bool:
        name = _name(parameter)
        return any(name.startswith(n[:-1]) if n.endswith("*") else name == n for n in self.query_names)


def _name(parameter: str) -> str:
    return parameter.partition("=")[0]


def rules_of(options: JobOptions) -> Rules | None:
    """The rules of a job, None where it has none."""
    if not (options.include or options.exclude or options.query != "keep" or options.query_names):
        return None
    return _rules(options.include, options.exclude, options.query == "keep", options.query_names)


@lru_cache(maxsize=64)
def _rules(include: tuple[str, ...], exclude: tuple[str, ...], keep_query: bool, names: tuple[str, ...]) -> Rules:
    found = [_compiled(rules) if rules else None for rules in (include, exclude)]
    return Rules(include, exclude, keep_query, names, *found)


def check_rules(rules: Sequence[str]) -> None:
    """Raises InvalidRule, with what is wrong, unless the rules can be used together."""
    for rule in rules:
        if len(rule) > MAX_RULE:
            raise InvalidRule(f"A rule is longer than {MAX_RULE} characters")
        _compiled((rule,))
    if len(rules) > MAX_RULES:
        raise InvalidRule(f"More than {MAX_RULES} rules")
    if rules:
        _compiled(tuple(rules))


@lru_cache(maxsize=256)
def _compiled(rules: tuple[str, ...]) -> Any:
    options = re2.Options()
    options.never_capture, options.log_errors, options.max_mem = True, False, _MEMORY
    try:
        return re2.compile("|".join(f"(?:{_expression(rule)})" for rule in rules), options)
    except re2.error as error:
        raise InvalidRule(f"Not a rule that RE2 can read: {_told(error)}") from None


def _told(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    return ascii(text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text))[:200]


def _expression(rule: str) -> str:
    if rule.startswith(_REGEX):
        return rule.removeprefix(_REGEX)
    if not rule.startswith(("/", "*")):
        raise InvalidRule("A rule begins with /, * or re:")
    if "#" in rule:
        raise InvalidRule("A rule holds no #: fragments are no part of a page's address")
    # in the canonical spelling, as what it is compared with
    path = urls.canonicalise(f"{_ANY_HOST}/{rule.removeprefix('/')}").removeprefix(_ANY_HOST)
    glob = path if rule.startswith("/") else path.removeprefix("/")
    return f"^{'.*'.join(map(re2.escape, glob.split('*')))}$"
