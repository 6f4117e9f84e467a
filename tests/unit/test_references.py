"""What is remembered of references from page to page."""

import pytest

from shared.urls import url_key
from workers import references
from workers.references import Resolver, url_keys

URLS = [f"http://site.test/p{n}" for n in range(20)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "_keys", references._Known[int](10))
    monkeypatch.setattr(references, "_menus", references._Known[str](10))


def remembered() -> int:
    return sum(len(known) + 1 for kept in (references._keys, references._menus) for known in kept._names.values())


@pytest.mark.parametrize("start", [0, 5])
def test_keys_are_the_same_however_much_is_remembered(start: int) -> None:
    for _ in range(3):
        assert url_keys(URLS[start:]) == [url_key(url) for url in URLS[start:]]


def test_pages_in_ever_new_folders_are_not_remembered_for_ever() -> None:
    for n in range(1_000):
        links = Resolver(f"http://site.test/{n}/").resolved([f"a{n % 7}", f"/b{n}"])
        assert links == [f"http://site.test/{n}/a{n % 7}", f"http://site.test/b{n}"]
        assert url_keys(links) == [url_key(link) for link in links]
        assert remembered() < 40


def test_what_every_page_has_stays_while_the_rest_is_new() -> None:
    menu = URLS[:3]
    for n in range(20):
        url_keys([*menu, *(f"http://site.test/{n}-{m}" for m in range(2))])
        assert set(menu) <= references._keys.of("").keys()
        assert remembered() <= 11


def test_the_menu_of_another_site_is_remembered_after_a_while() -> None:
    url_keys(URLS)
    menu = [f"http://other.test/{n}" for n in range(9)]
    for _ in range(11):
        url_keys(menu)
    assert set(menu) <= references._keys.of("").keys()


def test_what_is_not_to_be_remembered_takes_no_room() -> None:
    for n in range(100):
        Resolver("http://site.test/").resolved(["a", f"?q={n}", "x" * 301])
        Resolver(f"http://site.test/{'x' * 300}/").resolved([f"b{n}"])
        url_keys([URLS[0], f"http://site.test/{n}{'x' * 300}"])
    Resolver("http://other.test/").resolved(["c"])
    url_keys(URLS[1:2])
    assert references._menus.of("http://other.test/") == {"c": "http://other.test/c"}
    assert set(references._keys.of("")) == set(URLS[:2])


def test_a_page_of_many_links_takes_no_more_room_than_there_is() -> None:
    links = Resolver("http://site.test/").resolved([f"b{n}" for n in range(10_000)])
    assert len(url_keys(links)) == 10_000
    assert remembered() <= 22


def test_long_ones_are_not_remembered() -> None:
    long = "http://site.test/" + "x" * 300
    assert url_keys([long, long]) == [url_key(long)] * 2
    assert Resolver("http://site.test/").resolved(["y" * 301]) == ["http://site.test/" + "y" * 301]
    assert remembered() == 2
