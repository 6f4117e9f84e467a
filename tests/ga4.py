"""A Google of our own on loopback: a token endpoint and runReport, both strict about what a real client sends."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

SCOPE = "https://www.googleapis.com/auth/analytics.readonly"
AUDIENCE = "https://oauth2.googleapis.com/token"
EMAIL = "crawlyard@project.iam.gserviceaccount.com"
PROPERTY = "123456789"
#: (hostName, pagePath, screenPageViews)
Line = tuple[str, str, int]
#: status, headers, body; a dict is sent as JSON
Answer = tuple[int, dict[str, str], Any]


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def private_pem() -> str:
    pem = _key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode()


@cache
def _public_pem() -> bytes:
    return _key().public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_file(token_uri: str = AUDIENCE, **changes: Any) -> dict[str, Any]:
    """A service account's key file as Google writes it."""
    return {
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "0123456789abcdef",
        "private_key": private_pem(),
        "client_email": EMAIL,
        "client_id": "1",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": token_uri,
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url": "https://www.googleapis.com/robot/v1/metadata/x509/crawlyard",
        "universe_domain": "googleapis.com",
    } | changes


def problem(code: int, status: str, message: str, **more: Any) -> Answer:
    """An error as Google's APIs write it."""
    return code, {}, {"error": {"code": code, "message": message, "status": status, **more}}


class Ga4:
    """`ranges`: lines by days. `most`: rows of one answer. `fault` answers in place of runReport, where it wants to."""

    def __init__(self, ranges: Mapping[int, Sequence[Line]] | None = None, most: int = 250_000) -> None:
        self.ranges = dict(ranges or {})
        self.most = most
        self.fault: Callable[[dict[str, Any]], Answer | None] = lambda request: None
        self.token_fault: Callable[[], Answer | None] = lambda: None
        #: what of the quota each answer says is left
        self.left = 199_990
        #: bodies of the reports asked for, in order
        self.reports: list[dict[str, Any]] = []
        self.tokens = 0
        #: what a request had wrong: a test has to find it empty
        self.wrong: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"

    @property
    def key_file(self) -> dict[str, Any]:
        return key_file(f"{self.url}/token")

    @property
    def days(self) -> list[int]:
        """The ranges asked for, in order."""
        return [_days(request) for request in self.reports]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        assert self.wrong == []

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        google = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    status, headers, body = google.answer(self, content)
                except (AssertionError, KeyError, ValueError) as error:
                    google.wrong.append(f"{self.path}: {error!r}")
                    status, headers, body = problem(400, "INVALID_ARGUMENT", repr(error))
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(raw))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    def answer(self, request: BaseHTTPRequestHandler, content: bytes) -> Answer:
        if request.path == "/token":
            return self.token_fault() or self._token(request, content)
        assert request.path == f"/v1beta/properties/{PROPERTY}:runReport", request.path
        assert request.headers["Authorization"] == f"Bearer token-{self.tokens}", "a wrong token"
        assert request.headers["Content-Type"] == "application/json"
        wanted = json.loads(content)
        self.reports.append(wanted)
        return self.fault(wanted) or (200, {}, self._report(wanted))

    def _token(self, request: BaseHTTPRequestHandler, content: bytes) -> Answer:
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        form = parse_qs(content.decode(), strict_parsing=True)
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        claims = jwt.decode(form["assertion"][0], certs=_public_pem(), audience=AUDIENCE)
        assert (claims["iss"], claims["scope"]) == (EMAIL, SCOPE)
        assert claims["exp"] - claims["iat"] <= 3600
        assert abs(claims["iat"] - time.time()) < 60
        self.tokens += 1
        return 200, {}, {"access_token": f"token-{self.tokens}", "expires_in": 3599, "token_type": "Bearer"}

    def _report(self, wanted: dict[str, Any]) -> dict[str, Any]:
        assert wanted["dimensions"] == [{"name": "hostName"}, {"name": "pagePath"}]
        assert wanted["metrics"] == [{"name": "screenPageViews"}]
        assert wanted["returnPropertyQuota"] is True
        assert set(wanted) == {
            *("dimensions", "metrics", "dateRanges", "orderBys", "limit", "offset", "returnPropertyQuota")
        }
        limit, offset = int(wanted["limit"]), int(wanted["offset"])
        assert 0 < limit <= 250_000
        lines = sorted(self.ranges.get(_days(wanted), ()), key=lambda line: -line[2])
        rows = lines[offset : offset + min(limit, self.most)]
        quota = {"tokensPerDay": {"consumed": 3, "remaining": self.left}, "tokensPerHour": {"remaining": self.left}}
        report = {
            "dimensionHeaders": [{"name": "hostName"}, {"name": "pagePath"}],
            "metricHeaders": [{"name": "screenPageViews", "type": "TYPE_INTEGER"}],
            "rows": [
                {"dimensionValues": [{"value": host}, {"value": path}], "metricValues": [{"value": str(views)}]}
                for host, path, views in rows
            ],
            "rowCount": len(lines),
            "metadata": {"currencyCode": "USD", "timeZone": "UTC"},
            "propertyQuota": {n: {k: v for k, v in q.items() if v} for n, q in quota.items()},
            "kind": "analyticsData#runReport",
        }
        return {name: value for name, value in report.items() if value}  # as Google: what is empty is left out


def _days(wanted: dict[str, Any]) -> int:
    (span,) = wanted["dateRanges"]
    assert span["endDate"] == "yesterday"
    return int(span["startDate"].removesuffix("daysAgo"))
