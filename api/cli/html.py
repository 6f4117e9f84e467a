"""A crawl as one HTML file that needs nothing else: for people who were not there."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from api.cli.client import ApiError, Client
from api.cli.survey import MOST, SLOW_MS, leading, survey
from api.dashboard import charts
from api.dashboard.text import FILTERS
from shared.clock import iso, now_us
from shared.errors import CrawlyardError
from shared.store.counters import bucket_of

_FOLDER = Path(__file__).parent / "templates"


def write_html(client: Client, job: dict[str, Any], path: Path) -> None:
    """Writes the report of a crawl. Raises as Client does, CrawlyardError where the file cannot be written."""
    text = render_html(client, job)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CrawlyardError(f"cannot write {path}: {error.strerror}") from None


def render_html(client: Client, job: dict[str, Any]) -> str:
    """The report of a crawl. Raises as Client does."""
    summary = client.tasks(job["id"], limit=1)["summary"]
    lines = client.lines(f"/v1/jobs/{job['id']}/export", type="job", format="jsonl")
    found = survey(orjson.loads(line) for line in lines)
    buckets: Counter[int] = Counter()
    for ms, n in found.times.items():
        buckets[bucket_of(ms)] += n
    return _template().render(
        job=job,
        summary=summary,
        found=asdict(found),
        types=leading(found.types),
        caches=leading(found.caches),
        arcs=charts.donut(summary["by_status"]),
        bars=charts.histogram(buckets, SLOW_MS),
        changes=_changes(client, job["id"]),
        made_at=iso(now_us()),
        most=MOST,
    )


def _template() -> Template:
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    return made.get_template("report.html")


def _changes(client: Client, job_id: str) -> dict[str, Any] | None:
    """The comparison with the crawl before, None where there was none."""
    try:
        return client.get(f"/v1/jobs/{job_id}/compare", limit=MOST)
    except ApiError as error:
        if error.status != 409:
            raise
        return None
