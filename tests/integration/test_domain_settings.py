"""What a domain has one of, written by two at the same moment for the first time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.change_settings import ChangeSettings
from shared.clock import now_us
from shared.models import Domain
from shared.store import Store, analytics, change_settings, domains
from tests.crawls import Crawl

PUTS: dict[str, Callable[[Store, Domain], None]] = {
    "changes": lambda store, domain: change_settings.put(store, domain, ChangeSettings(), now_us()),
    "analytics": lambda store, domain: analytics.put(store, domain, "1", "a@b.example", "sealed", now_us()),
}


@pytest.mark.parametrize("name", PUTS)
def test_two_first_writes_both_hold(store: Store, name: str) -> None:
    owner = Crawl(store).organisation_id
    for n in range(5):
        domain = store.write(lambda conn, host=f"site{n}.test": domains.ensure(conn, owner, host, now_us()))  # type: ignore[misc]
        with ThreadPoolExecutor(6) as threads:
            puts = [threads.submit(PUTS[name], store, domain) for _ in range(6)]
        assert [put.exception() for put in puts] == [None] * 6
