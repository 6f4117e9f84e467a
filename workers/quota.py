"""When to ask Google Analytics again after it has said that a quota is used up. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

#: quotas of a day begin at midnight there (Data API, "Limits and quotas on API requests")
_PACIFIC = ZoneInfo("America/Los_Angeles")
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_DELAY = re.compile(r"([0-9]{1,6})(?:\.[0-9]*)?s")
#: quotas without which no request can succeed, by how long they last
_TOKENS = ("tokensPerDay", "tokensPerHour", "tokensPerProjectPerHour")


def used_up(quota: Mapping[str, tuple[int, int]]) -> str | None:
    """The quota that an answer says nothing is left of, None when there is some of each."""
    return next((name for name in _TOKENS if name in quota and quota[name][1] <= 0), None)


def wait(message: str, error: Mapping[str, Any], headers: Mapping[str, str], now: datetime) -> float:
    """Seconds until it makes sense to ask again, from a minute to a day.

    `message` is Google's sentence or a quota's name; `error` the `error` object of the answer (google.rpc.Status).
    """
    told = _told(error, headers)
    if told is not None:
        return min(max(told, _MINUTE), _DAY)
    text = message.lower()
    if "per day" in text or "perday" in text:
        return _until_midnight(now)
    if "concurrent" in text or "per minute" in text:
        return _MINUTE
    return _HOUR


def _told(error: Mapping[str, Any], headers: Mapping[str, str]) -> float | None:
    """What the answer itself says: Retry-After in seconds, or a google.rpc.RetryInfo."""
    header = headers.get("retry-after", "")
    if header.isascii() and header.isdigit() and len(header) < 7:
        return float(header)
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        found = _DELAY.fullmatch(str(detail.get("retryDelay", ""))) if isinstance(detail, dict) else None
        if found:
            return float(found[1])
    return None


def _until_midnight(now: datetime) -> float:
    there = now.astimezone(_PACIFIC)
    midnight = (there + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(_MINUTE, (midnight.astimezone(UTC) - now).total_seconds() + _MINUTE)
