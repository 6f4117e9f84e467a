"""Text that names something to crawl, described so exactly that what fits is accepted and nothing else is."""

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field

from shared import urls
from shared.errors import InvalidUrl

# Letters of other scripts whose every word is a valid label (IDNA, UTS 46), and how many of them fit into its
# 63 octets. Latin, Greek, Cyrillic; Devanagari, Thai, Kana, Han, Hangul; Hebrew and Arabic beside labels that may
# stand there (RFC 5893). The rest of Unicode has its `xn--` form.
_LATIN = "\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u0137\\u0139-\\u0148\\u014A-\\u017E\\u0386\\u0388-\\u038A\\u038C"
_LATIN += "\\u038E-\\u03A1\\u03A3-\\u03CE\\u0400-\\u0481\\u048A-\\u052F"
_ASIAN = "\\u0904-\\u0939\\u0E01-\\u0E30\\u0E32\\u0E40-\\u0E46"
_ASIAN += "\\u3041-\\u3096\\u30A1-\\u30FA\\u4E00-\\u9FA5\\uAC00-\\uD7A3"
_MARKS = "\\u0902\\u0903\\u093E-\\u094D\\u0E31\\u0E34-\\u0E39\\u0E47-\\u0E4D\\u30FC"
_RIGHT = "\\u05D0-\\u05EA\\u0620-\\u063A\\u0641-\\u064A\\u066E\\u066F\\u0679-\\u06BE\\u06CC"

_PLAIN = "[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
_OTHER = f"[A-Za-z0-9{_LATIN}][A-Za-z0-9{_LATIN}-]{{0,21}}|[A-Za-z0-9{_ASIAN}][A-Za-z0-9{_ASIAN}{_MARKS}-]{{0,13}}"
# a last label that begins with a digit would make the host an IPv4 address
_LAST = "[A-Za-z_][A-Za-z0-9_-]{0,62}"
_LAST_OTHER = f"[A-Za-z{_LATIN}][A-Za-z0-9{_LATIN}-]{{0,21}}|[{_ASIAN}][{_ASIAN}{_MARKS}]{{0,13}}"
_BESIDE = f"[A-Za-z](?:[A-Za-z0-9-]{{0,60}}[A-Za-z0-9])?|[{_RIGHT}]{{1,20}}"
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_HEX = "[0-9A-Fa-f]{1,4}"
_IPV6 = "|".join(
    [f"(?:{_HEX}:){{7}}{_HEX}", f"(?:{_HEX}:){{1,7}}:", f":(?::{_HEX}){{1,7}}"]
    + [f"(?:{_HEX}:){{1,{7 - n}}}(?::{_HEX}){{1,{n}}}" for n in range(1, 7)]
)
# 253 octets in all, which four labels of other letters keep by themselves; ten plain ones nearly always do
_HOST = (
    f"(?:(?:{_PLAIN}\\.){{0,9}}{_LAST}\\.?|(?:(?:{_OTHER})\\.){{0,3}}(?:{_LAST_OTHER})\\.?"
    f"|(?:(?:{_BESIDE})\\.){{1,3}}(?:{_BESIDE})|{_BYTE}(?:\\.{_BYTE}){{3}}|\\[(?:{_IPV6})\\])"
)
_PORT = "(?::(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}))?"
_SCHEME = "[Hh][Tt][Tt][Pp][Ss]?://"
#: printable, without the backslash
_ASCII = "[!-\\[\\]-~]*"

#: characters, as sitemaps.org has it; encoded they stay under `urls.MAX_URL`
LONGEST = 2048
DOMAIN = f"^(?:{_SCHEME})?{_HOST}{_PORT}(?:[/?#]{_ASCII})?$"
URL = f"^{_SCHEME}{_HOST}{_PORT}(?:[/?#]{_ASCII}(?:[^\\u0000-\\u00A0]{_ASCII}){{0,200}})?$"


def _exactly(pattern: str, read: Callable[[str], object], otherwise: str) -> AfterValidator:
    """What the pattern says, with the reader's own words for what it cannot read."""
    fits = re.compile(pattern).fullmatch

    def check(text: str) -> str:
        try:
            read(text)
        except InvalidUrl as error:
            raise ValueError(error.message) from None
        if not fits(text):
            raise ValueError(otherwise)
        return text

    return AfterValidator(check)


#: host, host:port or URL
DomainText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST,
        json_schema_extra={"pattern": DOMAIN},
        description="Host, host:port or URL; letters of rare scripts as `xn--`, what follows the host in ASCII",
    ),
    _exactly(DOMAIN, urls.parse_domain, "must be a host, host:port or URL; write rare letters as xn-- or %XX"),
]
#: an absolute URL
UrlText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST,
        json_schema_extra={"pattern": URL},
        description="Absolute http or https URL without credentials; letters of rare scripts in its host as `xn--`",
    ),
    _exactly(URL, urls.canonicalise, "must be an absolute http or https URL; write rare letters as xn-- or %XX"),
]
