"""What is kept of a server's answer: bounded, and without secrets."""

import pytest

from shared.answers import HIDDEN, MAX_HEADERS, MAX_VALUE, Phases, packed, unpacked
from workers.marks import Marks

PHASES = Phases(1.0, 2.0, 3.5, 40.1, 5.0)


def test_it_works() -> None:
    found = unpacked(packed({"server": "nginx", "x-e": "é\x00"}, PHASES))
    assert (found.phases, found.headers) == (PHASES, (("server", "nginx"), ("x-e", "é\x00")))
    assert unpacked(packed({}, None)) == type(found)(None, ())


@pytest.mark.parametrize(
    "name", ["set-cookie", "www-authenticate", "Authorization", "x-api-key", "x-csrf-token", "x-session-id"]
)
def test_what_may_be_a_secret_is_not_kept(name: str) -> None:
    assert unpacked(packed({name: "s3cret"}, None)).headers == ((name, HIDDEN),)


def test_a_hostile_server_cannot_fill_the_record() -> None:
    many = {f"x-{n}": str(n) * 9 for n in range(5_000)}
    large = {f"y-{n}": f"{n:04}" * 60_000 for n in range(40)}
    assert len(unpacked(packed(many, PHASES)).headers) == MAX_HEADERS
    values = [value for _, value in unpacked(packed(large, PHASES)).headers]
    assert max(map(len, values)) == MAX_VALUE
    assert sum(map(len, values)) <= 4_000
    assert unpacked(packed({"n" * 9_000: "v", "server": "nginx"}, None)).headers == ()


def test_half_a_character_costs_the_headers_only() -> None:
    assert unpacked(packed({"server": "\ud800"}, PHASES)).phases == PHASES


def test_a_kept_connection_has_no_phases_of_its_own() -> None:
    marks = Marks()
    assert marks.phases(1.0) is None
    marks.sent, marks.answered = 10.0, 10.25
    assert marks.phases(10.5) == Phases(None, None, None, 250.0, 250.0)
    marks.began, marks.resolved, marks.connected, marks.secured = 9.0, 9.1, 9.3, 9.9
    assert marks.phases(10.5) == Phases(100.0, 200.0, 600.0, 250.0, 250.0)
