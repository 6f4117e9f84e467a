"""The client of the Google Analytics Data API against a Google that is strict, slow, wrong or away."""

from collections.abc import Iterator

import pytest

from shared import service_account
from shared.errors import CrawlyardError
from shared.ports import free_port
from shared.settings import FetchLimits
from tests.ga4 import PROPERTY, Answer, Ga4, problem
from workers.analytics import held
from workers.egress import EgressPolicy
from workers.fetch import Fetcher
from workers.ga4 import Reports, Row


@pytest.fixture
def google() -> Iterator[Ga4]:
    with Ga4({7: [("example.com", f"/{n}", n + 1) for n in range(7)]}) as made:
        yield made


@pytest.fixture
def fetcher(google: Ga4) -> Iterator[Fetcher]:
    made = Fetcher(FetchLimits(), EgressPolicy((google.host,)), "Crawlyard/test")
    yield made
    made.close()


def reports(google: Ga4, fetcher: Fetcher) -> Reports:
    return Reports(fetcher, google.url, PROPERTY, google.key_file)


def ended(google: Ga4, fetcher: Fetcher) -> tuple[str, str]:
    with pytest.raises(CrawlyardError) as caught:
        list(reports(google, fetcher).views(7))
    found = held(caught.value, 0, 0)
    return found.state.name.lower(), found.error or ""


def test_it_works(google: Ga4, fetcher: Fetcher) -> None:
    asked = reports(google, fetcher)
    assert [row for rows in asked.views(7) for row in rows] == [
        Row("example.com", f"/{n}", n + 1) for n in reversed(range(7))
    ]
    assert list(asked.views(28)) == [[]]
    assert asked.quota["tokensPerDay"] == (3, google.left)
    assert (google.days, google.tokens) == ([7, 28], 1)


def test_a_long_report_is_read_to_its_end(google: Ga4, fetcher: Fetcher) -> None:
    google.most = 2
    assert [len(rows) for rows in reports(google, fetcher).views(7)] == [2, 2, 2, 1]
    assert [request["offset"] for request in google.reports] == ["0", "2", "4", "6"]


def test_a_report_without_end_is_left(google: Ga4, fetcher: Fetcher) -> None:
    row = {"dimensionValues": [{"value": "example.com"}, {"value": "/"}], "metricValues": [{"value": "1"}]}
    google.fault = lambda request: (200, {}, {"rows": [row], "rowCount": 10**12})
    assert len(list(reports(google, fetcher).views(7))) == len(google.reports) == 50


def test_an_address_that_is_not_allowed_is_never_asked(google: Ga4) -> None:
    state, reason = ended(google, Fetcher(FetchLimits(), EgressPolicy(), "Crawlyard/test"))
    assert (state, "private" in reason, google.tokens) == ("retrying", True, 0)


def test_a_google_that_is_away_is_a_readable_state(google: Ga4, fetcher: Fetcher) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    away = Fetcher(FetchLimits(), EgressPolicy(("127.0.0.1",)), "Crawlyard/test")
    with pytest.raises(CrawlyardError, match="cannot be reached") as caught:
        list(Reports(away, nobody, PROPERTY, google.key_file).views(7))
    assert caught.value.retryable


def test_a_kept_key_makes_the_credentials_of_the_scope(google: Ga4) -> None:
    kept = service_account.check(google.key_file, google.url)
    assert "client_x509_cert_url" not in kept
    assert service_account.SCOPE.endswith("analytics.readonly")


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (problem(403, "PERMISSION_DENIED", "User does not have sufficient permissions"), "error", "permissions"),
        (problem(404, "NOT_FOUND", "Requested entity was not found."), "error", "not found"),
        (problem(400, "INVALID_ARGUMENT", "A valid property is needed"), "error", "valid property"),
        (problem(503, "UNAVAILABLE", "The service is away"), "retrying", "503"),
        ((302, {"Location": "https://example.org/"}, b""), "retrying", "302"),
        ((200, {}, b"<html>"), "retrying", "not a report"),
        ((200, {}, b"[]"), "retrying", "not a report"),
        ((200, {}, b'{"rowCount": "x"}'), "retrying", "not a report"),
        ((200, {}, b'{"rows": [{"dimensionValues": [], "metricValues": []}]}'), "retrying", "not a report"),
        ((200, {}, {"rows": 5}), "retrying", "not a report"),
        ((200, {"Content-Length": "99999999999"}, b"{"), "retrying", "larger than"),
        ((500, {}, b"\xff\x00" * 50), "retrying", "500"),
    ],
)
def test_what_google_answers_instead_is_a_readable_state(
    google: Ga4, fetcher: Fetcher, answer: Answer, state: str, words: str
) -> None:
    google.fault = lambda request: answer
    found, reason = ended(google, fetcher)
    assert (found, words in reason, reason.isprintable()) == (state, True, True), reason


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        ((400, {}, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}), "error", "Invalid JWT"),
        ((401, {}, {"error": "invalid_client"}), "error", "invalid_client"),
        ((200, {}, {"token": "x"}), "error", "No access token"),
        ((200, {}, b"[1]"), "retrying", "as documented"),
        ((200, {}, b"\xff\xfe"), "retrying", "as documented"),
        ((200, {}, {"access_token": "a\r\nX: y"}), "retrying", "no access token"),
        ((200, {}, b"x" * 200_000), "retrying", "larger than"),
    ],
)
def test_a_key_that_is_refused_is_a_readable_state(
    google: Ga4, fetcher: Fetcher, answer: Answer, state: str, words: str
) -> None:
    google.token_fault = lambda: answer
    found, reason = ended(google, fetcher)
    assert (found, words in reason, reason.isprintable()) == (state, True, True), reason
    assert google.reports == []
