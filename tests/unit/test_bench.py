"""What the benchmarks compute, without measuring anything."""

import json
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import check, crawl, gauge, sites, waiting
from workers.parse import parse_html


def test_a_page_of_the_site_has_as_many_links_as_the_table_says() -> None:
    page = parse_html(sites.body(7, 3_000), "http://site.test/p7.html", "text/html")
    assert len(page.links) == sites.LINKS


def test_every_page_of_the_site_is_linked() -> None:
    linked = {url for n in range(200) for url in parse_html(sites.body(n, 200), "http://s.test/", "text/html").links}
    assert linked == {f"http://s.test/p{n}.html" for n in range(200)}


@pytest.mark.parametrize(("shares", "index"), [([1.0, 1.0, 1.0], 1.0), ([3.0, 0.0, 0.0], 1 / 3)])
def test_fairness_is_one_when_all_have_the_same(shares: list[float], index: float) -> None:
    assert waiting.jain(shares) == pytest.approx(index)


def test_a_crawler_of_twice_our_cpu_has_a_ratio_of_two() -> None:
    ours, theirs = (crawl.Result(1_000, 2.0, cpu, 0.0, 50.0) for cpu in (1.0, 2.0))
    mine, peer = crawl.RUNNERS[0], crawl.RUNNERS[2]
    table = crawl.rows({mine.name: ours, peer.name: theirs}, [mine, peer], {mine.name: "this", peer.name: "1"})
    assert [row[4] for row in table] == [1.0, 2.0]


@pytest.mark.parametrize(("measured", "status"), [(0.9 * check.TOLERANCE, 0), (1.1 * check.TOLERANCE, 1)])
def test_the_check_fails_only_over_its_tolerance(
    measured: float, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = tmp_path / "ratios.json"
    stored.write_text(json.dumps({"x": 1.0}))
    monkeypatch.setattr(check, "STORED", stored)
    monkeypatch.setattr(check, "measure", lambda: {"x": measured})
    monkeypatch.setattr("sys.argv", ["check"])
    assert check.main() == status


def test_the_usage_of_this_process_counts_its_memory() -> None:
    import os

    assert gauge.usage(os.getpid()).memory_mb > 5


def test_an_unknown_section_is_refused_with_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["nothing"]) == 2
    assert "crawl" in capsys.readouterr().err
