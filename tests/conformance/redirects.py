"""Redirects: Scrapy's tests, with a server that answers as they say."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.settings import FetchLimits
from tests.conformance import upstream
from tests.conformance.cases import Case, LeftOut, Suite
from tests.conformance.packages import sdist
from workers.answers import Answer
from workers.egress import EgressPolicy
from workers.errors import BadUrl
from workers.fetch import Fetcher


class _Meta(dict[str, Any]):
    """What Scrapy notes on a request; our history says it otherwise."""

    def __missing__(self, key: str) -> Any:
        raise LeftOut(f"a request's {key}")

    def __contains__(self, key: object) -> bool:
        raise LeftOut(f"a request's {key}")


@dataclass
class _Request:
    """scrapy.http.Request, as far as a crawler has it."""

    url: str
    method: str = "GET"
    headers: dict[str, Any] = field(default_factory=dict)
    body: object = None
    meta: dict[str, Any] = field(default_factory=_Meta)

    def __post_init__(self) -> None:
        for name, value in (("headers", self.headers), ("body", self.body), ("meta", self.meta)):
            if value:
                raise LeftOut(f"a request with {name}")
        if self.method != "GET":
            raise LeftOut("a request other than GET")

    def __getattr__(self, name: str) -> Any:
        raise LeftOut(f"a request's {name}")


@dataclass
class _Response:
    """scrapy.http.Response."""

    url: str
    status: int = 200
    headers: dict[str, Any] = field(default_factory=dict)


class _Scripted(Fetcher):
    """A client whose first answer is given."""

    def __init__(self, response: _Response) -> None:
        super().__init__(FetchLimits(), EgressPolicy(), "t")
        location = response.headers.get("Location")
        text = location.decode("latin-1") if isinstance(location, bytes) else location
        headers = {} if text is None else {"location": text}
        self._script = [Answer(response.status, headers, b"", 0)]

    def _answer(self, *_: Any) -> Answer:
        return self._script.pop() if self._script else Answer(200, {}, b"", 0)


class _Middleware:
    """scrapy.downloadermiddlewares.redirect.RedirectMiddleware on top of our client."""

    def process_response(self, request: _Request, response: _Response) -> _Request | _Response:
        try:
            got = _Scripted(response).get(request.url)
        except BadUrl:
            return response
        return _Request(got.url) if got.history else response

    def __getattr__(self, name: str) -> Any:
        raise LeftOut(f"{name} of Scrapy's middleware")

    def __setattr__(self, name: str, value: object) -> None:
        raise LeftOut(f"{name} of Scrapy's middleware")


def _cases() -> list[Case]:
    folder = sdist("scrapy", "2.19.0") / "tests"
    given: dict[str, dict[str, Any] | Path] = {
        "scrapy.downloadermiddlewares.redirect": {"RedirectMiddleware": _Middleware},
        "scrapy.exceptions": {"IgnoreRequest": RuntimeError, "NotConfigured": RuntimeError},
        "scrapy.http": {"Request": _Request, "Response": _Response},
        "scrapy.utils.misc": {"build_from_crawler": lambda made, crawler: made()},
        "scrapy.utils.test": {"get_crawler": lambda *_: _Crawler()},
        "tests.utils.redirect": folder / "utils" / "redirect.py",
        "tests.utils.bases.redirect": folder / "utils" / "bases" / "redirect.py",
    }
    return upstream.run(folder / "test_downloadermiddleware_redirect.py", given)


class _Crawler:
    spider: object = None

    def _create_spider(self) -> None:
        return None


_FRAGMENT = "a fragment is no part of a page's URL"
_KNOWN = {
    "TestRedirectMiddleware.test_redirect_keeps_fragment": _FRAGMENT,
    "TestRedirectMiddleware.test_redirect_target_has_fragment": _FRAGMENT,
    "test_not_configured": "redirects cannot be turned off",
}

SUITES = (Suite("redirects, Scrapy's tests", "scrapy 2.19.0 (PyPI)", _cases, _KNOWN),)
