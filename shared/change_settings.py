"""What counts as a change of a domain's pages: which part of the text, and what in it is noise.

Both selectors and patterns come from outside and run on hostile pages, so neither can be made slow:
patterns run in RE2 (linear time), and of CSS only what cannot backtrack is taken.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

#: of how pages are read and hashed: raised with each change of that, so that no page differs by it
_METHOD = 2
#: of each list, and characters of each entry
MAX_ENTRIES, MAX_LENGTH = 20, 200

_NAME = r"-?[A-Za-z_\u0080-\uffff][\w\u0080-\uffff-]*"
_ATTRIBUTE = rf"""\[\s*{_NAME}\s*(?:[~|^$*]?=\s*(?:"[^"\\]*"|'[^'\\]*'|{_NAME}|[0-9]+)\s*)?\]"""
_COMPOUND = rf"(?:{_NAME}(?:[.#]{_NAME}|{_ATTRIBUTE})*|(?:[.#]{_NAME}|{_ATTRIBUTE})+)"
_CHAIN = rf"{_COMPOUND}(?:\s*>\s*{_COMPOUND})*"
#: a second descendant combinator makes lexbor cubic: 19 s on a nested page of 20 kB
_SELECTOR = re.compile(rf"{_CHAIN}(?:\s+{_CHAIN})?").fullmatch

_CLOCKS = (
    r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?"
    r"|\b\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?[AaPp]\.?[Mm]\b\.?)?(?: ?(?:Z|UTC|GMT)\b)?"
    r"|\b(?:\d{1,6}|an?|one|few|a few) (?:second|sec|minute|min|hour|day)s? ago\b|\bjust now\b"
)
_UUID = r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"
_LONG_WORD = r"\b[0-9A-Za-z_-]{20,200}\b"
_DIGIT, _LETTER = re.compile("[0-9]").search, re.compile("[A-Za-z]").search
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_DATES = (
    r"\b\d{4}[-/.]\d{1,2}[-/.]\d{1,2}\b|\b\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d\d)\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th|\.)? {_MONTH}(?: \d{{4}}\b)?|\b{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}}\b)?"
    r"|\b\d{1,2}:\d\d(?: ?[AaPp]\.?[Mm]\b\.?)?"
)
_NUMBERS = r"[+-]?\d+(?:[.,]\d+){0,8}%?"


def _unless_token(match: Any) -> str:
    """A long word stays unless it mixes letters and digits."""
    word: str = match.group()
    return "" if _DIGIT(word) and _LETTER(word) else word


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """How the pages of a domain are compared. The defaults leave out clocks and tokens."""

    #: CSS: only what these match is compared; empty: the whole page
    include_selectors: tuple[str, ...] = ()
    #: CSS: what these match is left out
    drop_selectors: tuple[str, ...] = ()
    #: RE2, line by line: what these match is left out
    ignore_patterns: tuple[str, ...] = ()
    #: times with seconds, timestamps, "5 minutes ago"
    ignore_clocks: bool = True
    #: UUIDs and random-looking words of 20 characters or more
    ignore_tokens: bool = True
    #: dates, and times of day
    ignore_dates: bool = False
    ignore_numbers: bool = False
    #: share of the text (0 to 1) that must differ for a change of content
    min_change: float = 0.0

    def to_json(self) -> str:
        """As the store keeps it."""
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS).decode()


def from_json(stored: str | None) -> ChangeSettings:
    """The settings as the store has them; None: the defaults."""
    loaded: dict[str, Any] = orjson.loads(stored) if stored else {}
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in loaded.items()}
    return ChangeSettings(**values)


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings made ready for use."""

    settings: ChangeSettings
    #: texts compared under different versions cannot be compared with each other
    version: str
    #: text without what is to be ignored; as many lines as before
    clean: Callable[[str], str]
    #: each of some texts so
    clean_each: Callable[[Sequence[str]], Sequence[str]]


@lru_cache(512)
def rules(stored: str | None) -> Rules:
    """The rules that a domain's stored settings (None: the defaults) mean."""
    settings = from_json(stored)
    compared = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name != "min_change"}
    version = blake2b(orjson.dumps([_METHOD, compared]), digest_size=4).hexdigest()
    return Rules(settings, version, *_cleaners(settings))


def _cleaners(
    settings: ChangeSettings,
) -> tuple[Callable[[str], str], Callable[[Sequence[str]], Sequence[str]]]:
    chosen: tuple[tuple[bool, str, Any], ...] = (
        (settings.ignore_clocks, _CLOCKS, ""),
        (settings.ignore_tokens, _UUID, ""),
        (settings.ignore_tokens, _LONG_WORD, _unless_token),
        (settings.ignore_dates, _DATES, ""),
        (settings.ignore_numbers, _NUMBERS, ""),
    )
    builtin = [(_compiled(pattern), instead) for wanted, pattern, instead in chosen if wanted]
    noise = _compiled("|".join(f"(?:{pattern})" for wanted, pattern, _ in chosen if wanted)) if builtin else None
    own = _compiled("|".join(f"(?:{p})" for p in settings.ignore_patterns)) if settings.ignore_patterns else None

    def is_noisy(text: str) -> bool:
        return noise is not None and noise.search(text.encode()) is not None

    def clean(text: str) -> str:
        if own is not None:
            text = "\n".join([own.sub("", line) for line in text.split("\n")])
        if is_noisy(text):
            for pattern, instead in builtin:
                text = pattern.sub(instead, text)
        return text

    def clean_each(texts: Sequence[str]) -> Sequence[str]:
        # one look tells that most texts have no noise: none of it has a NUL, or an anchor, and NUL ends a word
        return texts if own is None and not is_noisy("\0".join(texts)) else list(map(clean, texts))

    return clean, clean_each


def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    return re2.compile(pattern, options)


def wrong_pattern(pattern: str) -> str | None:
    """Why RE2 does not take a pattern, None where it does."""
    import re2

    try:
        found = _compiled(pattern)
    except re2.error as error:
        detail = error.args[0] if error.args else ""
        return detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
    return "matches the empty text" if found.search("") else None


def wrong_selector(selector: str) -> str | None:
    """Why a selector is not taken, None where it is."""
    if _SELECTOR(selector):
        return None
    return "must be made of tags, .classes, #ids and [attributes], joined by '>' and at most one space"
