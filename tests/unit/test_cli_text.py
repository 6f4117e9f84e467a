import csv
from pathlib import Path

import pytest

from api.cli.progress import Meter, Progress
from api.cli.summary import COLUMNS, Report, render, write_csv
from api.cli.text import cell, size, span, table
from shared.errors import CrawlyardError

HOSTILE = "https://x/\x1b[2J\x07\u009b31m\u202e\u2069\u200f"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_formula_is_neutralised(start: str) -> None:
    assert cell(f"{start}HYPERLINK(1)").startswith("'")


def test_numbers_and_nothing_stay_as_they_are() -> None:
    assert [cell(-3), cell(1.5), cell(None), cell("https://x")] == ["-3", "1.5", "", "https://x"]


def test_control_characters_do_not_reach_a_file_or_a_terminal() -> None:
    assert cell(HOSTILE) == "https://x/[2J31m"
    assert table([[HOSTILE]]) == ["  https://x/[2J31m"]


def test_a_table_aligns_numbers_right_and_text_left() -> None:
    assert table([["a", 5], ["long", 123]], indent="") == ["a       5", "long  123"]


def test_a_long_cell_does_not_push_the_others_out_of_sight() -> None:
    long, short = table([["x" * 300, "on a"], ["y", "on b"]])
    assert (long, short.split()) == (f"  {'x' * 300}  on a", ["y", "on", "b"])
    assert len(short) < 80


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (25_300, "25.3 kB"), (3e12, "3.0 TB")])
def test_sizes_are_for_people(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(7, "0:07"), (245, "4:05"), (3723, "1:02:03")])
def test_times_are_for_people(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_the_csv_file_has_every_task_and_no_formula(tmp_path: Path) -> None:
    tasks: list[dict[str, object]] = [
        {"url": "=cmd()", "status": "completed", "status_code": 200},
        {"url": "https://x/,\"'"},
    ]
    assert write_csv(tmp_path / "out.csv", tasks) == 2
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["url"] for row in rows] == ["'=cmd()", "https://x/,\"'"]
    assert tuple(rows[0]) == COLUMNS


def test_a_csv_file_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(CrawlyardError, match=r"cannot write .*: No such file"):
        write_csv(tmp_path / "no" / "out.csv", [])


def test_progress_counts_what_is_done_and_leaves_out_the_skipped() -> None:
    meter = Meter()
    meter.read({"progress": {"total_tasks": 10}}, now=0.0)
    counts = {"total_tasks": 32, "completed_tasks": 19, "failed_tasks": 1, "skipped_tasks": 2}
    seen = meter.read({"progress": counts}, now=2.0)
    assert seen == Progress(total=30, done=20, failed=1, rate=10.0)
    assert seen.line() == "20 of 30 pages, 10.0/s, 1 failed, ETA 0:01"


def test_there_is_no_eta_without_a_rate() -> None:
    assert Progress(5, 0, 0, 0.0).line().endswith("ETA -")


def test_the_summary_names_status_codes_slowest_and_broken() -> None:
    performance = {"avg_response_time": 12.4, "total_bytes": 5000, "cache_hit_ratio": 0.5, "slow_pages_count": 0}
    counts = {"by_status": {"completed": 1, "failed": 11}, "by_status_code": {"200": 1, "404": 11}}
    broken = [{"status_code": 404, "url": "https://x/a", "source_url": "https://x/"}] * 10
    slow = [{"response_time": 90, "status_code": 200, "url": "https://x/"}]
    summary = {"total_tasks": 12, "performance": performance, **counts}
    text = "\n".join(render(Report({"domain": "x", "status": "completed"}, summary, slow, broken)))
    for part in (
        "200: 1, 404: 11",
        "50% hits",
        "5.0 kB",
        "Slowest, in ms\n  90  200  https://x/",
        "on https://x/",
        "Broken (11)",
        "and 1 more",
    ):
        assert part in text
