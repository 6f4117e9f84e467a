"""What is kept of pages to ask whether they changed, on both databases."""

from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from shared.store import Store, validators
from shared.validators import KeptPage, Validators, packed, unpacked

DAY = 86_400_000_000


def keep(store: Store, domain: int, page: int, key: int, now: int) -> None:
    data = packed((f"http://h/{key}",))
    assert data is not None
    kept = KeptPage(Validators(key, '"v"', None, "text/html"), data)
    work = SimpleNamespace(job=SimpleNamespace(domain=SimpleNamespace(id=domain)))
    finish: Any = SimpleNamespace(kept=kept, work=work)
    store.write(lambda conn: validators.keep(conn, [(finish, SimpleNamespace(url_hash=page))], now))


def links(store: Store, domain: int, page: int) -> tuple[str, ...] | None:
    """What a task that starts is told of a page."""
    with store.read() as conn:
        found = conn.execute(
            select(*validators.COLUMNS).where(
                validators.page_validators.c.domain_id == domain, validators.page_validators.c.url_hash == page
            )
        ).first()
    known = validators.of_row(found) if found else None
    return unpacked(known.links) if known else None


def test_it_works(store: Store) -> None:
    keep(store, 1, -(2**63), 7, 0)
    assert links(store, 1, -(2**63)) == ("http://h/7",)
    assert links(store, 2, -(2**63)) is None


def test_the_newest_replaces_the_others(store: Store) -> None:
    keep(store, 1, 5, 7, 0)
    keep(store, 1, 5, 8, 1)
    assert links(store, 1, 5) == ("http://h/8",)


def test_what_is_too_old_goes(store: Store) -> None:
    keep(store, 1, 5, 7, 0)
    keep(store, 1, 6, 8, 10 * DAY)
    assert validators.purge(store, validators.DAYS * DAY + 1) == 1
    assert links(store, 1, 6) is not None


def test_a_domain_is_forgotten_alone(store: Store) -> None:
    for domain in (1, 2):
        keep(store, domain, 5, 7, 0)
    assert store.write(lambda conn: validators.forget_domain(conn, 1)) == 1
    assert [links(store, domain, 5) is None for domain in (1, 2)] == [True, False]
