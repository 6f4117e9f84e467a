"""Logs: one line an event on stderr, as text or JSON, with the ids of what the process is at. No secrets.

What crawled sites say can end up in a message, so control characters are escaped: no line is forged, no terminal led.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

import orjson

from shared.relay import CONTROLS

_ids: ContextVar[dict[str, str]] = ContextVar("log_ids")
_LONGEST = 8_000


@contextmanager
def bound(**ids: str) -> Iterator[None]:
    """Adds ids (`request_id`, `job_id`, `task_id`) to what this thread logs inside."""
    token = _ids.set(_ids.get({}) | ids)
    try:
        yield
    finally:
        _ids.reset(token)


def bind(**ids: str) -> None:
    """The ids of what this thread logs from now on, in place of earlier ones."""
    _ids.set(ids)


def configure(level: str, process: str, form: str = "TEXT") -> None:
    """Sets up the root logger of a process. `process` names it in each line; `form` is TEXT or JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process) if form == "JSON" else TextLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("rq", "rq.worker", "rq.queue", "rq_scheduler", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class TextLines(logging.Formatter):
    """For people. A traceback follows its line."""

    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {process} %(name)s: %(line)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line without the traceback."""
        ids = "".join(f" {name}={value}" for name, value in _ids.get({}).items())
        record.line = _plain(record.getMessage()) + _plain(ids)
        return super().formatMessage(record)


class JsonLines(logging.Formatter):
    """For machines: one object a line, with `time` in ISO 8601 UTC."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": self._process,
            "pid": record.process,
            "logger": record.name,
            "message": record.getMessage()[:_LONGEST],
            **_ids.get({}),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = "".join(traceback.format_exception(*record.exc_info, limit=-20))[-_LONGEST:]
        return orjson.dumps(line, default=str).decode(errors="replace")


def _plain(text: str) -> str:
    return CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text[:_LONGEST])
