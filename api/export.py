"""`/v1/jobs/{id}/export`: a job's tasks as one document, or streamed as CSV or JSON lines."""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import orjson

from api import lookup
from api.context import Answer, Call, Stream
from api.schemas.tasks import Column, Export, ExportQuery
from api.tasks import task_result
from shared.clock import iso, now_us
from shared.models import Job
from shared.store import exports
from shared.store.exports import ExportType
from shared.store.task_records import TaskRecord

MOST = 10_000
_LABELS = {"id": "ID", "job_id": "Job ID", "url": "URL"}
_JOB = (
    "id job_id path url content_type status cache_status status_code response_time second_cache_status"
    " second_response_time retry_count error source_type source_url created_at started_at completed_at"
)
_BROKEN = "source_url url status status_code error created_at source_type"
_COLUMNS = {
    ExportType.JOB: _JOB.split(),
    ExportType.BROKEN_LINKS: _BROKEN.split(),
    ExportType.BROKEN_LINKS_BY_PAGE: _BROKEN.split(),
    ExportType.SLOW_PAGES: "url content_type cache_status response_time second_response_time created_at".split(),
}
_FOUND = {"source_url": "Found on", "url": "Broken link"}
_OTHER_LABELS = {ExportType.BROKEN_LINKS: _FOUND, ExportType.BROKEN_LINKS_BY_PAGE: _FOUND}
_PAGE_VIEWS = ["page_views_7d", "page_views_28d", "page_views_180d"]
#: what makes a spreadsheet take a cell for a formula
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_ROWS_A_PART = 200


def export_tasks(call: Call, given: ExportQuery) -> Answer | Stream:
    """Exports the tasks of a job."""
    job, which = lookup.job(call, call.path["job_id"]), ExportType(given.type)
    keys = _COLUMNS[which] + (_PAGE_VIEWS if exports.has_page_views(call.store, job) else [])
    if given.format == "json":
        return Answer(_document(call, job, which, keys))
    rows = (_row(record, keys) for record in exports.rows(call.store, job, which))
    name = f"{which}-{job.uid}.{given.format}"
    if given.format == "jsonl":
        return Stream(_parts(_lines(rows)), "application/x-ndjson", name)
    return Stream(_parts(_csv(keys, rows)), "text/csv; charset=utf-8", name)


def _document(call: Call, job: Job, which: ExportType, keys: list[str]) -> Export:
    rows = [_row(record, keys) for record in islice(exports.rows(call.store, job, which, limit=MOST), MOST)]
    return Export(
        export_type=which,
        export_time=iso(now_us()) or "",
        total_tasks=len(rows),
        columns=[Column(key=key, label=_label(which, key)) for key in keys],
        tasks=rows,
    )


def _row(record: TaskRecord, keys: list[str]) -> dict[str, Any]:
    shown = task_result(record)
    return {key: getattr(shown, key) for key in keys}


def _label(which: ExportType, key: str) -> str:
    plain = _LABELS.get(key, key.replace("_", " ").capitalize())
    return _OTHER_LABELS.get(which, {}).get(key, plain)


def _lines(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _csv(keys: list[str], rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(keys)
    for row in rows:
        writer.writerow([_cell(row[key]) for key in keys])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue().encode()


def _cell(value: Any) -> Any:
    """A crawled site must not be able to put a formula into our user's spreadsheet."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _parts(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Lines in parts of some size: a write each would cost more than the line."""
    held: list[bytes] = []
    for line in lines:
        held.append(line)
        if len(held) == _ROWS_A_PART:
            yield b"".join(held)
            held.clear()
    yield b"".join(held)
