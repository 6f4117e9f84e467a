"""A pretended API: answers by a table, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

#: (query, body) -> (status, document)
Route = Callable[[dict[str, str], Any], tuple[int, Any]]


class StubApi:
    """Serves `routes` ("GET /path") on loopback inside a `with`."""

    def __init__(self, routes: dict[str, Route]) -> None:
        self.routes = routes
        self.calls: list[tuple[str, dict[str, str], Any]] = []
        self.keys: set[str | None] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def names(self) -> list[str]:
        """The calls so far, without their parameters."""
        return [name for name, _, _ in self.calls]

    def __enter__(self) -> "StubApi":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                api.reply(self)

            def do_POST(self) -> None:
                api.reply(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    def reply(self, request: BaseHTTPRequestHandler) -> None:
        """Answers one request."""
        parts = urlsplit(request.path)
        name, query = f"{request.command} {parts.path}", dict(parse_qsl(parts.query))
        raw = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw else None
        self.calls.append((name, query, body))
        self.keys.add(request.headers.get("Authorization"))
        status, document = self.routes[name](query, body) if name in self.routes else (404, {"error": "Not found"})
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
