"""Every trap of the table costs little, and says what it was."""

import socket
from itertools import cycle

import pytest

from shared.settings import FetchLimits
from tests.hostile.sites import rows
from tests.site import Site, html
from workers.egress import EgressPolicy
from workers.errors import ForbiddenAddress
from workers.fetch import Fetcher


def test_every_trap_costs_little_and_says_what_it_was() -> None:
    wrong = {f"{row.cost.kind} {row.cost.name}": row.wrong for row in rows() if row.wrong}
    assert wrong == {}


def test_a_name_whose_address_changes_is_checked_at_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = cycle(("127.0.0.1", "127.0.0.2"))

    def rebinding(host: bytes, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    page = html("x", headers={"Connection": "close"})
    with Site({"/": page}) as site:
        fetcher = Fetcher(FetchLimits(), EgressPolicy(("127.0.0.1",)), "t")
        url = f"http://rebind.test:{site.host.rpartition(':')[2]}/"
        assert fetcher.get(url).status_code == 200
        with pytest.raises(ForbiddenAddress, match=r"127\.0\.0\.2"):
            fetcher.get(url)
        assert len(site.requests) == 1
