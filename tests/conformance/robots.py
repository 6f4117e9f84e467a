"""robots.txt: Protego's tests, Google's tests, and 4,230 real files."""

import time
from pathlib import Path
from typing import Any

from shared.errors import InvalidUrl
from shared.urls import canonicalise
from tests.conformance import upstream
from tests.conformance.cases import Case, LeftOut, Suite
from tests.conformance.packages import sdist
from workers.robots import RobotsRules

_BASE = "http://site.local/"
#: CPU seconds for one real file
_LIMIT = 1.0


def _allowed(text: object, agent: str, url: str) -> bool:
    if not isinstance(text, str):
        raise LeftOut("robots.txt not given as text")
    try:
        return RobotsRules.from_response(200, text.encode(), agent).allows(canonicalise(url, _BASE))
    except InvalidUrl:
        raise LeftOut("a URL that no crawler asks for") from None


class _Protego:
    """Protego's interface on top of ours."""

    def __init__(self, content: str) -> None:
        self._content = content

    @classmethod
    def parse(cls, content: object) -> "_Protego":
        if not isinstance(content, str):
            raise LeftOut("robots.txt not given as text")
        return cls(content)

    def can_fetch(self, url: str, agent: str) -> bool:
        return _allowed(self._content, agent, url)

    def crawl_delay(self, agent: str) -> float | None:
        return self._rules(agent).crawl_delay

    @property
    def sitemaps(self) -> list[str]:
        return list(self._rules("a").sitemaps)

    def _rules(self, agent: str) -> RobotsRules:
        return RobotsRules.from_response(200, self._content.encode(), agent)

    def __getattr__(self, name: str) -> Any:
        raise LeftOut(f"{name} is not read")


class _Matcher:
    """The interface of Google's matcher on top of ours."""

    def one_agent_allowed_by_robots(self, text: str | bytes, agent: str, url: str) -> bool:
        return _allowed(text.decode("utf-8", "replace") if isinstance(text, bytes) else text, agent, url)

    def __getattr__(self, name: str) -> Any:
        raise LeftOut(f"{name} is not read")


def _protego_tests() -> list[Case]:
    folder = sdist("protego", "0.7.0") / "tests"
    given = {"protego": {"Protego": _Protego}}
    return [
        case for name in ("test_protego.py", "test_on_google_spec.py") for case in upstream.run(folder / name, given)
    ]


def _google_tests() -> list[Case]:
    folder = sdist("gpyrobotstxt", "1.0.0") / "test"
    given = {"gpyrobotstxt.robots_cc": {"RobotsMatcher": _Matcher}}
    files = ("test_google_only_system.py", "test_robots_matcher.py", "test_maybe_escape_pattern.py")
    return [case for name in files for case in upstream.run(folder / name, given)]


def _real_files() -> list[Case]:
    folder = sdist("protego", "0.7.0") / "tests" / "test_data"
    return [_read(file) for file in sorted(folder.rglob("*")) if file.is_file()]


def _read(file: Path) -> Case:
    body = file.read_bytes()
    started = time.process_time()
    rules = RobotsRules.from_response(200, body, "Crawlyard/1")
    rules.allows(_BASE)
    spent = time.process_time() - started
    return Case(file.name, spent < _LIMIT, f"{spent:.2f} s of CPU")


_UNENCODED = "the test asks for a URL that is not encoded; ours always are, and then its answer is the other one"
_FIRST = "the test's product token is inside its User-Agent header; ours comes first there"
_GOOGLE = {
    "TestGoogleOnlySystem.test_ID_Encoding:393": _UNENCODED,
    "TestGoogleOnlySystem.test_ID_Encoding:402": _UNENCODED,
    "TestGoogleOnlySystem.test_ID_Encoding:412": "escapes of unreserved characters are decoded (RFC 9309, 2.2.2)",
    "TestGoogleOnlySystem.test_GoogleOnly_AcceptUserAgentUpToFirstSpace:238": "our product token has no space in it",
}
_PROTEGO = {
    "TestProtego.test_unicode_url_and_useragent:522": _FIRST,
    "test_user_agent_boundary_matching[5]": _FIRST,
}

SUITES = (
    Suite("robots.txt, Google's tests", "gpyrobotstxt 1.0.0 (PyPI)", _google_tests, _GOOGLE),
    Suite("robots.txt, Protego's tests", "protego 0.7.0 (PyPI)", _protego_tests, _PROTEGO),
    Suite("robots.txt, real files read", "protego 0.7.0 (PyPI)", _real_files),
)
