"""Comparing two looks at a page: pure, bounded, without I/O.

Hash first: a fingerprint tells most unchanged pages. Its parts, joined by dots: the settings' version
(only texts read alike can be compared), status and redirect, what the page says as it is, and the same
without noise.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple

from shared.change_settings import Rules
from shared.changes import ChangeType, Difference, Facts, pack
from shared.records import record
from workers.parse import squeezed

#: bytes of text that are compared and kept
MAX_TEXT = 500_000
#: lines on either side, beyond what is alike at both ends; 2,000 shuffled ones take 25 ms
MAX_DIFF_LINES = 2_000
MAX_DIFF = 60_000
_MAX_LINE = 1_000
_CONTEXT = 3
_GONE = (404, 410)
#: read by a pattern: it is found twice as fast as by `in` or `count`
_TWO_SPACES = re.compile(b"  ").search
_SPACES = re.compile(b"  +").sub
_H_TAGS = re.compile(rb"<(?=[hH])").findall
#: the white space of `bytes.split` without the end of a line
_ODD_SPACE = b"\t\r\v\f"
_AS_SPACE = bytes.maketrans(_ODD_SPACE, b"    ")
#: a random value in the query of a redirect's or canonical's target
_QUERY_TOKEN = re.compile(r"(?<==)(?=[^&#]*[0-9])[0-9A-Za-z_.~%-]{16,}")
_FIELDS = {
    ChangeType.TITLE: "title",
    ChangeType.DESCRIPTION: "description",
    ChangeType.CANONICAL: "canonical",
    ChangeType.HEADINGS: "headings",
}


class Fingerprint(NamedTuple):
    """What tells that nothing changed."""

    version: str
    #: status, or "300" and the hash of the redirect's target
    head: str
    raw: str
    clean: str

    def __str__(self) -> str:
        return f"{self.version}.{self.head}.{self.raw}.{self.clean}"

    @classmethod
    def parse(cls, text: str | None) -> "Fingerprint | None":
        """From the store; None where nothing is known."""
        parts = text.split(".") if text else []
        return cls(*parts) if len(parts) == 4 else None


@record(frozen=True, slots=True)
class Look:
    """What one crawl saw of a page's content."""

    facts: Facts
    #: visible text as UTF-8, None where the page has none that can be compared
    text: bytes | None


def head_of(status_code: int, redirect: str | None, rules: Rules) -> str:
    """The part of a fingerprint for status and redirect; the status of a redirect may vary."""
    target = _hash([_url_key(redirect, rules).encode()]) if redirect else ""
    return f"{300 if redirect and status_code < 400 else status_code}{target and 'r' + target}"


def raw_hash(facts: Facts, text_hash: str, html: bytes) -> str:
    """Of all that the page says, its text by its hash. Headings are not read for it: their tags are counted (5 µs)."""
    # with <head>, <hr> and the like: what differs for no reason is told by the clean hash
    tags = str(len(_H_TAGS(html)))
    said = "\0".join([facts.title or "", facts.description or "", facts.canonical or "", tags, text_hash])
    return _hash([said.encode("utf-8", "replace")])


def earlier_raw_hash(facts: Facts, said: bytes, html: bytes) -> str:
    """`raw_hash` as it was before 2026-11-23, of the squeezed text itself: pages that were seen then still have it."""
    meta = "\0".join([facts.title or "", facts.description or "", facts.canonical or "", str(len(_H_TAGS(html)))])
    return _hash([meta.encode("utf-8", "replace"), said])


def clean_hash(look: Look, rules: Rules, said: bytes | None = None) -> str:
    """The same without what is to be ignored. `said` is the look's text squeezed, where that is known."""
    f = look.facts
    words = [f.title or "", f.description or "", "\n".join(f.headings), (look.text or b"").decode("utf-8", "replace")]
    title, description, headings, text = rules.clean_each(words)
    meta = "\0".join([title, description, headings, _url_key(f.canonical, rules)])
    if said is None or text is not words[-1]:
        said = squeezed(text.encode())
    return _hash([meta.encode(), said])


def _hash(parts: Iterable[bytes]) -> str:
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
        digest.update(b"\0")
    return digest.hexdigest()


def text_hash(text: bytes) -> bytes:
    """The name of a stored text."""
    return blake2b(text, digest_size=16).digest()


def tidy(text: bytes) -> bytes:
    """The visible text as it is kept: lines without white space around them, none empty, at most MAX_TEXT."""
    text = text[: 2 * MAX_TEXT]
    if any(map(text.__contains__, _ODD_SPACE)):
        text = text.translate(_AS_SPACE)
    lines = list(filter(None, map(bytes.strip, text.split(b"\n"))))
    kept = b"\n".join(lines)
    if _TWO_SPACES(kept):
        kept = _SPACES(b" ", kept)
    if _has_long_line(kept):
        kept = b"\n".join([line[: 8 * _MAX_LINE] for line in kept.split(b"\n")])
    elif len(text) <= MAX_TEXT:
        return kept
    return kept[:MAX_TEXT].decode("utf-8", "ignore").encode()  # what was cut may end in half a character


def loses_space_only(text: bytes) -> bool:
    """Whether `tidy` leaves out no more of a text than `squeezed` does; may be False though it does."""
    return len(text) <= MAX_TEXT and b"\v" not in text and not _has_long_line(text)


def _has_long_line(text: bytes) -> bool:
    at, most = 0, 8 * _MAX_LINE
    while len(text) - at > most:
        end = text.rfind(b"\n", at, at + most + 1)
        if end < 0:
            return True
        at = end + 1
    return False


def compare(before: Look, after: Look, rules: Rules, comparable: bool) -> Difference:
    """What changed; `comparable`: both texts were read by the same rules. No types: nothing did.

    Error pages are looks whose content is that of the look before, so only their status can differ.
    """
    types, old, new = _meta(before.facts, after.facts, rules)
    similarity, diff, truncated = None, None, False
    if comparable and before.text is not None and after.text is not None and before.text != after.text:
        a, b = _lines(before.text, rules), _lines(after.text, rules)
        similarity = _similarity(a, b)
        if _squeezed(a) != _squeezed(b) and round(1 - similarity, 4) >= rules.settings.min_change:
            types |= ChangeType.CONTENT
            diff, truncated = unified(a, b)
    return Difference(
        types,
        similarity if types & ChangeType.CONTENT else None,
        pack(diff.encode()) if diff else None,
        truncated,
        old,
        new,
    )


def _meta(before: Facts, after: Facts, rules: Rules) -> tuple[ChangeType, dict[str, Any], dict[str, Any]]:
    types, old, new = ChangeType(0), {}, {}
    for kind, name in _FIELDS.items():
        a, b = getattr(before, name), getattr(after, name)
        if a != b and _key(kind, a, rules) != _key(kind, b, rules):
            types |= kind
            old[name], new[name] = a, b
    if _url_key(before.redirect, rules) != _url_key(after.redirect, rules):
        types |= ChangeType.REDIRECT
        old["redirect"], new["redirect"] = before.redirect, after.redirect
    if _other_status(before, after):
        types |= ChangeType.STATUS
        old["status_code"], new["status_code"] = before.status_code, after.status_code
        if after.status_code in _GONE and before.status_code not in _GONE:
            types |= ChangeType.REMOVED
    return types, old, new


def _other_status(before: Facts, after: Facts) -> bool:
    """Whether the status differs; that of a redirect is told by the redirect."""
    if before.status_code == after.status_code:
        return False
    errors = before.status_code >= 400 or after.status_code >= 400
    return errors or not (before.redirect or after.redirect)


def _key(kind: ChangeType, value: Any, rules: Rules) -> str:
    if kind is ChangeType.CANONICAL:
        return _url_key(value, rules)
    text = "\n".join(value) if isinstance(value, tuple) else value or ""
    return "".join(rules.clean(text).split())


def _url_key(url: str | None, rules: Rules) -> str:
    return rules.clean(_QUERY_TOKEN.sub("", url)) if url else ""


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines that are shown, and each one's key without noise."""

    shown: Sequence[str]
    keys: Sequence[str]


def _lines(text: bytes, rules: Rules) -> _Lines:
    shown = text.decode("utf-8", "replace").split("\n")
    keys = [" ".join(line.split()) for line in rules.clean("\n".join(shown)).split("\n")]
    kept = [(s, k) for s, k in zip(shown, keys, strict=True) if k]
    return _Lines([s for s, _ in kept], [k for _, k in kept])


def _squeezed(lines: _Lines) -> str:
    return "".join("".join(lines.keys).split())


def _similarity(a: _Lines, b: _Lines) -> float:
    """The share of the words, by length, that both texts have; their order does not matter. Linear."""
    left, right = (Counter(chain.from_iterable(k.split() for k in lines.keys)) for lines in (a, b))
    total = sum(len(w) * n for w, n in left.items()) + sum(len(w) * n for w, n in right.items())
    common = sum(len(w) * min(n, right[w]) for w, n in left.items() if w in right)
    return round(2 * common / total, 4) if total else 1.0


def unified(a: _Lines, b: _Lines) -> tuple[str, bool]:
    """A unified diff of the shown lines by their keys, and whether it was cut to its bounds."""
    start, end = _window(a.keys, b.keys)
    old, new = a.keys[start : len(a.keys) - end], b.keys[start : len(b.keys) - end]
    truncated = max(len(old), len(new)) > MAX_DIFF_LINES
    matcher = SequenceMatcher(None, old[:MAX_DIFF_LINES], new[:MAX_DIFF_LINES])
    out: list[str] = []
    size = 0
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        for line in _hunk(group, a.shown, b.shown, start):
            size += len(line) + 1
            if size > MAX_DIFF:
                return "\n".join(out), True
            out.append(line)
    return "\n".join(out), truncated


def _window(a: Sequence[str], b: Sequence[str]) -> tuple[int, int]:
    """How many lines at both ends are alike, save for the context."""
    most = min(len(a), len(b))
    start = next((i for i in range(most) if a[i] != b[i]), most)
    end = next((i for i in range(most - start) if a[-1 - i] != b[-1 - i]), most - start)
    return max(0, start - _CONTEXT), max(0, end - _CONTEXT)


def _hunk(
    group: Sequence[tuple[str, int, int, int, int]], a: Sequence[str], b: Sequence[str], start: int
) -> Iterable[str]:
    first, last = group[0], group[-1]
    yield f"@@ -{_range(first[1], last[2], start)} +{_range(first[3], last[4], start)} @@"
    for tag, i1, i2, j1, j2 in group:
        if tag == "equal":
            yield from (" " + line[:_MAX_LINE] for line in b[start + j1 : start + j2])
            continue
        yield from ("-" + line[:_MAX_LINE] for line in a[start + i1 : start + i2])
        yield from ("+" + line[:_MAX_LINE] for line in b[start + j1 : start + j2])


def _range(low: int, high: int, start: int) -> str:
    """A range of lines as `diff -u` writes it: from 1, the line before where it is empty."""
    length = high - low
    return f"{start + low + (1 if length else 0)},{length}"
