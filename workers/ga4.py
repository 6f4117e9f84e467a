"""The Google Analytics Data API, as far as it is needed: reports of page views, through the guarded client.

https://developers.google.com/analytics/devguides/reporting/data/v1/rest/v1beta/properties/runReport
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from shared import service_account
from shared.errors import CrawlyardError
from shared.settings import FetchLimits
from workers import quota
from workers.errors import FetchError, one_line
from workers.fetch import Fetcher, Response
from workers.google_token import Refused, Unavailable, token

#: rows of one answer; Google allows 250,000, which would be 30 MB
PAGE = 50_000
#: rows of one range at most, the most viewed ones
MOST_ROWS = 500_000
MOST_ANSWERS = 50
LIMITS = FetchLimits(connect=10, first_byte=90, total=180, body=40_000_000, decoded=60_000_000, redirects=0)
_DIMENSIONS = ("hostName", "pagePath")
_METRIC = "screenPageViews"

Quota = Mapping[str, tuple[int, int]]


class QuotaUsedUp(CrawlyardError):
    """The property's quota is used up."""

    retryable = True

    def __init__(self, message: str, seconds: float, left: Quota | None = None) -> None:
        super().__init__(message)
        #: until it is there again
        self.seconds = seconds
        self.left = left


class Row(NamedTuple):
    """Page views of one page on one host."""

    host: str
    path: str
    views: int


class Page(NamedTuple):
    """One answer."""

    rows: list[Row]
    #: rows in all
    total: int
    quota: Quota


class Reports:
    """Reports of one property."""

    def __init__(self, fetcher: Fetcher, endpoint: str, property_id: str, key: Mapping[str, Any]) -> None:
        """`key`: a service account's, as `service_account.check` keeps it. Raises Invalid."""
        self._fetcher = fetcher
        self._url = f"{endpoint}/v1beta/properties/{property_id}:runReport"
        self._credentials = service_account.credentials(key)
        self._quota: Quota = {}

    @property
    def quota(self) -> Quota:
        """What the newest answer said of the property's quota."""
        return self._quota

    def views(self, days: int) -> Iterator[list[Row]]:
        """Page views of the last full `days`, the most viewed pages first, an answer at a time.

        Raises Refused, QuotaUsedUp, Unavailable.
        """
        offset = 0
        for _ in range(MOST_ANSWERS):
            page = self._page(days, offset)
            yield page.rows
            offset += len(page.rows)
            if offset >= min(page.total, MOST_ROWS) or not page.rows:
                return

    def _page(self, days: int, offset: int) -> Page:
        name = quota.used_up(self._quota)
        if name:  # asking all the same would only be refused, and counted
            raise QuotaUsedUp(f"The quota {name} is used up", quota.wait(name, {}, {}, _now()), self._quota)
        response = self._send(_request(days, offset))
        if response.status_code != 200:
            raise _problem(response)
        page = _read(response.body)
        self._quota = page.quota or self._quota
        return page

    def _send(self, request: Mapping[str, Any]) -> Response:
        try:
            headers = {"Authorization": f"Bearer {token(self._fetcher, self._credentials)}"}
            headers["Content-Type"] = "application/json"
            content = orjson.dumps(request)
            return self._fetcher.send("POST", self._url, headers=headers, content=content, limits=LIMITS)
        except FetchError as error:
            raise Unavailable(f"Google Analytics cannot be reached: {error.message}") from None


def _request(days: int, offset: int) -> dict[str, Any]:
    by_name = [{"dimension": {"dimensionName": name}} for name in _DIMENSIONS]
    return {
        "dimensions": [{"name": name} for name in _DIMENSIONS],
        "metrics": [{"name": _METRIC}],
        "dateRanges": [{"startDate": f"{days}daysAgo", "endDate": "yesterday"}],
        "orderBys": [{"metric": {"metricName": _METRIC}, "desc": True}, *by_name],
        "limit": str(PAGE),
        "offset": str(offset),
        "returnPropertyQuota": True,
    }


def _read(body: bytes) -> Page:
    try:
        report = orjson.loads(body)
        rows = [_row(row) for row in report.get("rows", ())]
        return Page(rows, int(report.get("rowCount", 0)), _quota(report.get("propertyQuota", {})))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unavailable(f"Google's answer is not a report: {one_line(str(error))[:200]}") from None


def _row(row: Any) -> Row:
    host, path = (str(value["value"]) for value in row["dimensionValues"])
    (metric,) = row["metricValues"]
    views = int(metric["value"])
    if not 0 <= views < 2**63:
        raise ValueError(f"{views} page views")
    return Row(host, path, views)


def _quota(found: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """A number that is 0 is left out of Google's JSON."""
    return {
        str(name)[:60]: (int(status.get("consumed", 0)), int(status.get("remaining", 0)))
        for name, status in list(found.items())[:20]
    }


def _problem(response: Response) -> CrawlyardError:
    error = _error(response.body)
    status, code = str(error.get("status", "")), response.status_code
    message = one_line(str(error.get("message") or f"HTTP {code}"))
    if code == 429 or status == "RESOURCE_EXHAUSTED":
        return QuotaUsedUp(message, quota.wait(message, error, response.headers, _now()))
    if code in (400, 401, 403, 404):
        return Refused(f"Google Analytics refuses: {message}")
    return Unavailable(f"Google Analytics answered {code}: {message}")


def _error(body: bytes) -> Mapping[str, Any]:
    """The google.rpc.Status in an answer, empty when there is none."""
    try:
        found = orjson.loads(body)["error"]
    except (ValueError, KeyError, TypeError, IndexError):
        return {}
    return found if isinstance(found, dict) else {}


def _now() -> datetime:
    return datetime.now(UTC)
