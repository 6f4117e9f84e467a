"""Time as the store keeps it (integer microseconds since the epoch, UTC) and as the API shows it."""

import time
from datetime import UTC, datetime

SECOND = 1_000_000


def now_us() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def iso(us: int | None) -> str | None:
    """ISO 8601 in UTC with `Z`, whole seconds where there is no fraction; None stays None."""
    if us is None:
        return None
    moment = datetime.fromtimestamp(us // SECOND, UTC).replace(microsecond=us % SECOND)
    return moment.isoformat().replace("+00:00", "Z")
