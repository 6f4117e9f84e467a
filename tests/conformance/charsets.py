"""Character encodings of pages: w3lib's tests."""

import re

from tests.conformance import upstream
from tests.conformance.cases import Case, LeftOut, Suite
from tests.conformance.packages import sdist
from workers.charset import encoding_of, to_utf8


def _html_to_unicode(content_type: str | None, body: object, *_: object, **options: object) -> tuple[str, str]:
    if options or not isinstance(body, bytes):
        raise LeftOut("a way to guess, or another default")
    return encoding_of(body, content_type)[0], to_utf8(body, content_type).decode()


def _declared(body: object) -> str | None:
    """Only a page that says nothing is UTF-8 by default, and then with whatever a Content-Type would say."""
    if not isinstance(body, bytes):
        raise LeftOut("a page given as text")
    name = encoding_of(body, None)[0]
    return None if name == "utf-8" and not _says_utf8(body) else name


def _says_utf8(body: bytes) -> bool:
    """Whether another name in the same place would count."""
    return encoding_of(re.sub(b"(?i)utf-8", b"koi8-r", body), None)[0] == "koi8-r"


def _of_header(header: str | None) -> str | None:
    named = [encoding_of(b"<meta charset=%s>" % other, header)[0] for other in (b"koi8-r", b"koi8-u")]
    return named[0] if len(set(named)) == 1 else None


def _cases() -> list[Case]:
    given = {
        "w3lib.encoding": {
            "html_to_unicode": _html_to_unicode,
            "html_body_declared_encoding": _declared,
            "http_content_type_encoding": _of_header,
        }
    }
    return upstream.run(sdist("w3lib", "2.5.0") / "tests" / "test_encoding.py", given)


_LENIENT = "only `<meta http-equiv=content-type>` spelled so counts (HTML, 13.2.3.2)"
_DECLARED = "TestRequestEncoding.test_html_body_declared_encoding"
_KNOWN = {
    f"{_DECLARED}:155": _LENIENT,
    f"{_DECLARED}:157": "the first 1,024 bytes are searched whatever is in them (HTML, 13.2.3.2)",
    f"{_DECLARED}:167": _LENIENT,
    f"{_DECLARED}:173": _LENIENT,
    f"{_DECLARED}_attributes[6]": _LENIENT,
    "TestHtmlConversion.test_html_encoding:438": _LENIENT,
    "TestHtmlConversion.test_utf16_32": "no UTF-32, and UTF-16 without a mark is little-endian (Encoding Standard)",
}

SUITES = (Suite("encodings, w3lib's tests", "w3lib 2.5.0 (PyPI)", _cases, _KNOWN),)
