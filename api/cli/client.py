"""Our own HTTP API, as the command line calls it."""

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, ClassVar

import requests

from shared.errors import CrawlyardError, Invalid, NotFound, Unavailable

_TIMEOUT = (5.0, 30.0)
_RATE_LIMIT_TRIES = 10
PAGE = 200


class ApiError(CrawlyardError):
    """The API refused the call."""

    code: ClassVar[str] = "API_ERROR"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        #: status of the HTTP answer
        self.status = status


class Client:
    """One API at `url`, called with one key."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no .netrc: this is our own service
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def call(self, method: str, path: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON answer to any method; `given`: the query of GET and DELETE, else the body. Raises as `get` does."""
        if method in ("GET", "DELETE"):
            return self._call(method, path, params=dict(given))
        return self._call(method, path, json=dict(given))

    def get(self, path: str, **params: str | int) -> dict[str, Any]:
        """The JSON answer to a GET. Raises as `get` does."""
        return self._call("GET", path, params=params)

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The JSON answer to a POST. Raises as `get` does."""
        return self._call("POST", path, json=body or {})

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON answer to a PATCH. Raises as `get` does."""
        return self._call("PATCH", path, json=body)

    def delete(self, path: str) -> dict[str, Any]:
        """The JSON answer to a DELETE. Raises as `get` does."""
        return self._call("DELETE", path)

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON answer to a PUT. Raises as `get` does."""
        return self._call("PUT", path, json=body)

    def domain_id(self, domain: str) -> str:
        """The id of a domain that is named by its host[:port] or by the id itself. Raises NotFound."""
        page, wanted = 1, domain.strip().lower()
        if _is_id(wanted):
            return wanted
        while True:
            answer = self.get("/api/domains", limit=100, page=page)
            for found in answer["data"]:
                if wanted == found["domain"]:
                    return str(found["id"])
            if page * 100 >= answer["meta"]["total"]:
                raise NotFound(f"no domain {domain}: crawl it first, or add it")
            page += 1

    def tasks(self, job_id: str, **params: str | int) -> dict[str, Any]:
        """One page of a job's tasks, with summary."""
        return self.get(f"/v1/jobs/{job_id}/tasks", **params)

    def all_tasks(self, job_id: str, sort: str = "created_at") -> Iterator[dict[str, Any]]:
        """Every task of a job, oldest first unless sorted otherwise."""
        offset, more = 0, True
        while more:
            page = self.tasks(job_id, limit=PAGE, offset=offset, sort=sort)
            yield from page["tasks"]
            offset += PAGE
            more = bool(page["pagination"]["has_next"])

    def stream(self, path: str, headers: Mapping[str, str] | None = None, **params: str | int) -> Iterator[bytes]:
        """The body of a GET in parts, as they come. Raises as `get` does, Unavailable also when it breaks off."""
        response = self._answered("GET", path, params=params, headers=headers, stream=True)
        with closing(response):
            try:
                yield from response.iter_content(chunk_size=None)
            except requests.RequestException:
                raise Unavailable(f"the answer of the API at {self.url} broke off") from None

    def lines(self, path: str, headers: Mapping[str, str] | None = None, **params: str | int) -> Iterator[bytes]:
        """The lines of a body, without their ends. Raises as `stream` does."""
        rest = b""
        for part in self.stream(path, headers, **params):
            *whole, rest = (rest + part).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def close(self) -> None:
        """Lets go of the connection, which would hold up the end of the API."""
        self._session.close()

    def answers(self, path: str = "/healthz") -> bool:
        """Whether the API says yes at `path`."""
        try:
            return self._session.get(self.url + path, timeout=2.0).ok
        except requests.RequestException:
            return False

    def _call(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        return _document(self._answered(method, path, **kwargs))

    def _answered(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        for _ in range(_RATE_LIMIT_TRIES):
            response = self._send(method, path, **kwargs)
            if response.status_code != 429:
                break
            time.sleep(_retry_after(response))
        if response.ok:
            return response
        message = _reason(response)
        if response.status_code == 503:
            raise Unavailable(message)
        if response.status_code == 400:
            raise Invalid(message)
        raise ApiError(response.status_code, message)

    def _send(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        try:
            return self._session.request(method, self.url + path, timeout=_TIMEOUT, **kwargs)
        except requests.RequestException:
            raise Unavailable(f"no answer from the API at {self.url}") from None


def _is_id(text: str) -> bool:
    try:
        return uuid.UUID(text).hex == text.replace("-", "")
    except ValueError:
        return False


def _retry_after(response: requests.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return min(60.0, max(0.5, float(text))) if text.isdigit() else 1.0


def _document(response: requests.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except requests.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise CrawlyardError(f"{response.url} is not a Crawlyard API: its answer is no JSON object")
    return found


def _reason(response: requests.Response) -> str:
    """The API's own sentence, with the wrong fields."""
    try:
        body = response.json()
        details = [f"{d['field']}: {d['message']}" for d in body.get("details") or []]
        return str(body["error"]) + (f" ({'; '.join(details)})" if details else "")
    except (requests.JSONDecodeError, KeyError, TypeError, AttributeError):
        return f"the API answered {response.status_code}"
