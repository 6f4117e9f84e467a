"""The API as its examples show it: answers every route without a server, and notes what was asked."""

import io
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from api import examples
from api.cli.client import Client
from api.route import Route
from api.routes import ROUTES

HOSTILE = "\x1b[2J\x1b]0;owned\x07\u009b31m\r\n\x00\x7f\u202egnp.exe\u2066\u2028"
#: what the command line decides by, so that a site cannot choose it
_OURS = ("id", "status", "domainId")
_EVENTS = (
    'retry: 2000\n\nevent: progress\nid: 1\ndata: {"total_tasks": 8}\n\n: still here\n\n'
    "event: task\nid: 2\ndata: %s\n\nevent: end\nid: 3-end\ndata: {}\n\n"
)
_FAILED = {"url": "https://example.com/old", "status_code": None, "error": "HTTP 404"}


def name(route: Route) -> str:
    """As commands name it: "GET /v1/jobs"."""
    return f"{route.method} {route.path}"


def poison(value: Any, key: str = "") -> Any:
    """The same answer from a site that wants to steer the terminal."""
    if isinstance(value, dict):
        return {k: poison(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [poison(item, key) for item in value]
    return value + HOSTILE if isinstance(value, str) and key not in _OURS else value


class Pretended:
    """Stands in for the connection of every Client."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.sent: list[dict[str, Any]] = []
        #: whether the crawl goes on until its events were asked for
        self.is_running = False
        self.change: Callable[[Any], Any] = lambda answer: answer
        monkeypatch.setattr(Client, "_send", lambda client, method, path, **kw: self.send(method, path, **kw))
        monkeypatch.setattr(Client, "answers", lambda client, path="/healthz": True)
        monkeypatch.setenv("CRAWLYARD_API", "http://127.0.0.1:1")

    def send(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """The example of the route."""
        route = _route(method, urlsplit(path).path)
        self.asked.append(name(route))
        self.sent.append(kwargs.get("params") or kwargs.get("json") or {})
        response = requests.Response()
        response.status_code = route.status
        response.raw = io.BytesIO(self.body(route, kwargs.get("params") or {}).encode())
        return response

    def body(self, route: Route, query: dict[str, Any]) -> str:
        """The body of an answer."""
        if route.is_watched:
            return _EVENTS % json.dumps(self.change(_FAILED))
        if "text/plain" in route.also:
            return str(self.change("# TYPE x gauge"))
        if query.get("format") == "csv":
            return f"url\r\nhttps://example.com/{self.change('')}\r\n"
        answer = self.answer(route)
        if query.get("format") == "jsonl":
            return "".join(json.dumps(task, ensure_ascii=False) + "\n" for task in answer["tasks"])
        return json.dumps(answer, ensure_ascii=False)

    def answer(self, route: Route) -> Any:
        """The JSON of an answer."""
        found = examples.answer(route.name, route.status)
        if route.name == "get_job":
            goes_on = self.is_running and "GET /v1/jobs/<job_id>/events" not in self.asked
            found = found | {"status": "running" if goes_on else "completed"}
        return self.change(found)


def _route(method: str, path: str) -> Route:
    fitting = [r for r in ROUTES if r.method == method and re.fullmatch(re.sub("<[^>]+>", "[^/]+", r.path), path)]
    return min(fitting, key=lambda route: route.path.count("<"))
