"""What CI makes of pip-audit's answers: findings fail it, a service that is away does not."""

import json
from typing import Any

import pytest

from tests.audit import UNREACHABLE, judge

FINE = {"name": "rq", "version": "3.0.0", "vulns": []}
BAD = {"name": "flask", "version": "0.1", "vulns": [{"id": "PYSEC-1"}]}
UNKNOWN = {"name": "six", "skip_reason": "Dependency not found on PyPI and could not be audited: six (1.0)"}
REFUSED = "Traceback ...\nrequests.exceptions.ProxyError: HTTPSConnectionPool(host='pypi.org', port=443)"


@pytest.mark.parametrize(
    ("code", "asked", "ok", "told"),
    [
        (0, [FINE], True, "1 packages, no known vulnerability"),
        (1, [FINE, BAD], False, "flask 0.1: PYSEC-1"),
        (0, [FINE, UNKNOWN], True, UNKNOWN["skip_reason"]),
        (0, [UNKNOWN, UNKNOWN], True, UNREACHABLE),
        (1, [UNKNOWN, BAD], False, "flask 0.1: PYSEC-1"),
        (3, [FINE], False, "ended with 3"),
        (0, [], False, "0 packages"),
    ],
)
def test_findings_fail_and_packages_that_the_service_does_not_know_are_told(
    code: int, asked: list[Any], ok: bool, told: str
) -> None:
    verdict = judge(code, json.dumps({"dependencies": asked}), "")
    assert verdict.ok is ok
    assert str(told) in verdict.told


@pytest.mark.parametrize(
    ("err", "ok"),
    [
        (REFUSED, True),
        ("requests.exceptions.HTTPError: 503 Server Error: Service Unavailable", True),
        ("During handling ...\nrequests.exceptions.SSLError: self-signed certificate in certificate chain", True),
        ("ValueError: not requests.exceptions.HTTPError", False),
        ("ERROR:pip_audit._cli:requirements-dev.lock: hash missing", False),
        ("", False),
    ],
)
def test_only_a_service_that_is_away_is_excused(err: str, ok: bool) -> None:
    assert judge(1, "", err).ok is ok
