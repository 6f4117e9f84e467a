from api.cli.demo_site import BROKEN, PAGES, REDIRECT, answer, links_of


def test_every_page_of_the_demo_can_be_reached_by_links() -> None:
    seen, todo = {"/"}, [0]
    while todo:
        fresh = [path for path in links_of(todo.pop()) if path not in seen]
        seen.update(fresh)
        todo += [int(path[6:]) for path in fresh if path.startswith("/page-")]
    codes = [answer(path, "x")[0] for path in seen]
    assert (codes.count(200), codes.count(404), codes.count(301)) == (PAGES, BROKEN, 1)


def test_robots_txt_names_the_sitemap_and_the_sitemap_names_pages_that_exist() -> None:
    assert b"Sitemap: http://h:1/sitemap.xml" in answer("/robots.txt", "h:1")[2]
    assert b"<loc>http://h:1/page-110</loc>" in answer("/sitemap.xml", "h:1")[2]


def test_the_redirect_leads_home() -> None:
    assert answer(REDIRECT, "x")[:2] == (301, {"Location": "/"})
