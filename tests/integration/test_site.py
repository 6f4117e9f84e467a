"""The test site itself: what the other tests and the demo rely on."""

from pathlib import Path

import pytest
import requests

from tests.site import Site, linked_site, serve_folder
from workers.parse import parse_html


@pytest.mark.parametrize(("n", "links"), [(1, 10), (2, 1), (57, 3), (200, 10)])
def test_a_linked_site_has_exactly_its_pages_all_reachable(n: int, links: int) -> None:
    pages, seen, todo = linked_site(n, links), {"/"}, ["/"]
    while todo:
        body = pages[todo.pop()][2]  # type: ignore[index]
        found = {url.removeprefix("http://e.com") for url in parse_html(body, "http://e.com/", None).links}
        todo += found - seen
        seen |= found
    assert seen == set(pages)
    assert len(seen) == n


def test_the_sitemap_names_the_site_itself() -> None:
    with Site(linked_site(3, robots="User-agent: *", sitemap=True)) as site:
        assert f"<loc>{site.url('/page/2')}</loc>" in requests.get(site.url("/sitemap.xml"), timeout=5).text
        assert requests.get(site.url("/robots.txt"), timeout=5).text == "User-agent: *"
        assert site.paths() == ["/sitemap.xml", "/robots.txt"]


def test_a_folder_is_served_and_nothing_outside_of_it(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text("home")
    (tmp_path / "secret.txt").write_text("secret")
    with serve_folder(tmp_path / "site") as site:
        assert requests.get(site.url("/?x"), timeout=5).text == "home"
        assert [requests.get(site.url(p), timeout=5).status_code for p in ("/%2e%2e/secret.txt", "/no")] == [404, 404]
