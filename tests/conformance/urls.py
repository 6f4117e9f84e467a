"""URLs: the Web Platform Tests' urltestdata.json, read through our canonical form."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

from shared.errors import InvalidUrl
from shared.urls import canonicalise, split, url_key
from tests.conformance.cases import Case, Suite
from tests.conformance.packages import debian_file

_UNRESERVED = re.compile(rb"[A-Za-z0-9._~-]")


def _cases() -> list[Case]:
    file = debian_file("librust-url-dev", "usr/share/cargo/registry/url-*/tests/urltestdata.json")
    rows = [row for row in json.loads(file.read_text(encoding="utf-8")) if isinstance(row, dict)]
    return [_case(number, row) for number, row in enumerate(rows)]


def _case(number: int, row: dict[str, Any]) -> Case:
    base = row.get("base")
    name = f"{number}: {row['input']!a} on {base!a}"
    try:
        got = canonicalise(row["input"], None if base == "about:blank" else base)
    except InvalidUrl:
        got = None
    expected = _canonical(row)
    consistent = got is None or (canonicalise(got) == got and "".join(split(got)) == got and url_key(got) >= 0)
    return Case(name, got == expected and consistent, f"{got!a}, not {expected!a}")


def _canonical(row: dict[str, Any]) -> str | None:
    """What our canonical form makes of the standard's answer, in other words than shared/urls.py's."""
    if row.get("failure") or not row["href"].startswith(("http://", "https://")):
        return None
    url = urlsplit(row["href"])
    host = url.netloc.rpartition("@")[2]
    query = f"?{_escapes(url.query)}" if url.query else ""
    return f"{url.scheme}://{host}{_escapes(url.path)}{query}"


def _escapes(text: str) -> str:
    """Escapes of unreserved characters undone, the others in upper case, a percent sign that begins none escaped."""
    found, rest = "", text
    while rest:
        before, percent, rest = rest.partition("%")
        found += before
        if percent and re.match("[0-9a-fA-F]{2}", rest):
            byte = bytes.fromhex(rest[:2])
            found += byte.decode() if _UNRESERVED.fullmatch(byte) else f"%{rest[:2].upper()}"
            rest = rest[2:]
        elif percent:
            found += "%25"
    return found


#: of the test data of 2022, which Debian 12 has
_PUNYCODE = "today's test data take a label that cannot be decoded for a name"
_KNOWN = {f"{n}: ": _PUNYCODE for n in range(271, 277)}

SUITES = (Suite("URLs, Web Platform Tests", "librust-url-dev (Debian)", _cases, _KNOWN),)
