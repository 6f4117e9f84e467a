"""The references of a page: where they lead to, canonical, and the keys of that."""

import re
from collections.abc import Iterable
from typing import Generic, TypeVar

from shared.errors import InvalidUrl
from shared.urls import MAX_URL, PLAIN_TAIL, canonicalise, split, url_key

Value = TypeVar("Value")

#: characters of a URL, reference or folder that is remembered
_SHORT = 300
#: times its size that a full table misses before it forgets
_FORGETS = 8
#: from the root or the folder; neither empty nor a query alone
_PLAIN_PATH = re.compile(rf"(?!\Z|\?)/?(?!/){PLAIN_TAIL}").fullmatch
#: what may be relative to more than the folder of its page: empty, a query, `http:` without a host, white space
_OF_PAGE = re.compile(r"(?![/.\w])|https?:(?!//)|[^\t\r\n]*+[\t\r\n]", re.I).match


def url_keys(canonical: Iterable[str]) -> list[int]:
    """`url_key` of each, quick for those that come again: the pages of a site link to the same pages."""
    known, keys, missed = _keys.of(""), list[int](), 0
    room = _keys.room
    for url in canonical:
        key = known.get(url)
        if key is None:
            key = url_key(url)
            if len(url) <= _SHORT:
                missed += 1
                if missed <= room:
                    known[url] = key
        keys.append(key)
    _keys.missed(missed)
    return keys


class _Known(Generic[Value]):
    """What was worked out before, by a folder or another name.

    Takes nothing more once it is full: what every page has is among the first. Forgets all after so many misses that
    the pages must be others; to work it out again is cheap. For several threads, which may count a little wrong.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._names: dict[str, dict[str, Value]] = {}
        self._left = most

    @property
    def room(self) -> int:
        """How many may be added."""
        return self._left

    def of(self, name: str) -> dict[str, Value]:
        """What is known there, to be added to unless it is full."""
        if self._left <= -_FORGETS * self._most:
            self._names, self._left = {}, self._most
        found = self._names.get(name)
        if found is None:
            found = {} if self._left <= 0 else self._names.setdefault(name, {})
            self._left -= 1
        return found

    def missed(self, n: int) -> None:
        """So many were not known that may be remembered."""
        self._left -= n


_keys = _Known[int](4_000)
#: the pages of a site repeat its menus: the same references from the same folders
_menus = _Known[str](4_000)


class Resolver:
    """Canonical URLs of the references on one page, quick for the plain ones.

    `resolve(ref)` equals `canonicalise(ref, base)`; `base` must be canonical.
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._origin, path = split(base)
        folder = self._origin + path[: path.partition("?")[0].rindex("/") + 1]
        #: the folder of the base, the one above, and so on up to the root
        self._folders = [folder]
        self._room = MAX_URL - len(folder)

    def resolve(self, ref: str) -> str:
        """Raises InvalidUrl as `canonicalise` does."""
        quick = self._quick(ref)
        if quick is not None:
            return quick
        return self._relative(ref) if ref[:1] == "." else canonicalise(ref, self._base)

    def _quick(self, ref: str) -> str | None:
        if len(ref) < self._room and _PLAIN_PATH(ref):
            return (self._origin if ref[0] == "/" else self._folders[0]) + ref
        return None

    def resolved(self, refs: Iterable[str]) -> list[str]:
        """`resolve` of each, the empty text for those that cannot be crawled."""
        folder, found, missed = self._folders[0], list[str](), 0
        is_short = len(folder) <= _SHORT
        known, room = _menus.of(folder) if is_short else {}, _menus.room
        for ref in refs:
            url = known.get(ref)
            if url is None:
                url = self._quick(ref)
                is_of_folder = url is not None
                if url is None:
                    url = self.or_empty(ref)
                    is_of_folder = not _OF_PAGE(ref)
                if is_of_folder and len(ref) <= _SHORT:
                    missed += 1
                    if missed <= room:
                        known[ref] = url
            found.append(url)
        if is_short:
            _menus.missed(missed)
        return found

    def or_empty(self, ref: str) -> str:
        """`resolve`, the empty text where it raises."""
        try:
            return self.resolve(ref)
        except InvalidUrl:
            return ""

    def _relative(self, ref: str) -> str:
        if len(ref) > MAX_URL:  # each step up below copies the rest
            return canonicalise(ref, self._base)
        up, rest = 0, ref
        while rest[:3] == "../":
            up, rest = up + 1, rest[3:]
        if up and len(rest) < self._room and rest[:1] != "/" and _PLAIN_PATH(rest):
            return self._folder(up) + rest
        return canonicalise(ref, self._base)

    def _folder(self, up: int) -> str:
        folders, root = self._folders, len(self._origin)
        while len(folders) <= up and len(folders[-1]) > root + 1:
            folders.append(folders[-1][: folders[-1].rindex("/", root, -1) + 1])
        return folders[min(up, len(folders) - 1)]
