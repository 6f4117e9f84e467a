"""Sitemaps of crawler-commons' test resources, where somebody has a checkout: no registry of ours holds them."""

from pathlib import Path

from tests.conformance.cases import Case, Suite
from workers.sitemap import entries

#: file, whether it is an index, and how many entries SiteMapParserTest.java counts in it
_FILES = (
    ("sitemaps/sitemap.ns.xml", False, 2),
    ("sitemaps/sitemap.badns.xml", False, 2),
    ("sitemaps/sitemap.index.xml", True, 15),
    ("sitemaps/xmlSitemap.gz", False, 5),
    ("sitemaps/sitemap.txt", False, 2),
    ("sitemaps/sitemap-with-bom.txt", False, 2),
    ("sitemaps/sitemap.txt.gz", False, 5),
    ("sitemaps/atom.xml", False, 1),
    ("rss/feed.rss", False, 4),
    ("rss/xmlRss_pubDate.xml", False, 7),
)
_KNOWN = {
    "sitemaps/atom.xml": "each alternate of an Atom entry is a page of its own",
    "rss/feed.rss": "a guid that says it is no permalink is none",
}


def suites(checkout: str) -> tuple[Suite, ...]:
    """The suite on a checkout of crawler-commons."""
    folder = Path(checkout) / "src" / "test" / "resources"

    def read() -> list[Case]:
        return [_case(folder, *row) for row in _FILES]

    return (Suite("sitemaps, crawler-commons' resources", "a checkout", read, _KNOWN),)


def _case(folder: Path, name: str, is_index: bool, count: int) -> Case:
    found = list(entries((folder / name).read_bytes()))
    kinds = {is_file for is_file, _ in found}
    return Case(name, len(found) == count and kinds == {is_index}, f"{len(found)} entries, not {count}")
