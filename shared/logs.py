"""Logs: one line an event on stderr, the process named, no secrets (callers never pass any)."""

import logging
import sys


def configure(level: str, process: str) -> None:
    """Sets up the root logger of a process. `process` names it in each line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {process} %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("rq", "rq.worker", "rq.queue", "rq_scheduler", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # it logs a traceback for each malformed header that a hostile server sends
    logging.getLogger("urllib3").setLevel(logging.ERROR)
