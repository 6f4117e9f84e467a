"""What is kept of pages to ask whether they changed, on both databases."""

from types import SimpleNamespace
from typing import Any

from shared.store import Store, validators
from shared.validators import KeptPage, Validators, packed

DAY = 86_400_000_000


def keep(store: Store, domain: int, page: int, key: int, now: int) -> None:
    data = packed((f"http://h/{key}",))
    assert data is not None
    kept = KeptPage(Validators(key, '"v"', None, "text/html"), data)
    work = SimpleNamespace(job=SimpleNamespace(domain=SimpleNamespace(id=domain)))
    finish: Any = SimpleNamespace(kept=kept, work=work)
    store.write(lambda conn: validators.keep(conn, [(finish, SimpleNamespace(url_hash=page))], now))


def test_it_works(store: Store) -> None:
    keep(store, 1, -(2**63), 7, 0)
    assert validators.links(store, 1, -(2**63), 7) == ("http://h/7",)
    assert validators.links(store, 2, -(2**63), 7) is None


def test_the_newest_replaces_the_others(store: Store) -> None:
    keep(store, 1, 5, 7, 0)
    keep(store, 1, 5, 8, 1)
    assert [validators.links(store, 1, 5, key) for key in (7, 8)] == [None, ("http://h/8",)]


def test_what_is_too_old_goes(store: Store) -> None:
    keep(store, 1, 5, 7, 0)
    keep(store, 1, 6, 8, 10 * DAY)
    assert validators.purge(store, validators.DAYS * DAY + 1) == 1
    assert validators.links(store, 1, 6, 8) is not None


def test_a_domain_is_forgotten_alone(store: Store) -> None:
    for domain in (1, 2):
        keep(store, domain, 5, 7, 0)
    assert store.write(lambda conn: validators.forget_domain(conn, 1)) == 1
    assert [validators.links(store, domain, 5, 7) is None for domain in (1, 2)] == [True, False]
