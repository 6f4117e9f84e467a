"""How values look to people. Pure functions, used as template filters."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from shared.clock import iso

NOTHING = "–"
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def number(value: int | float | None) -> str:
    """1,234."""
    return NOTHING if value is None else f"{value:,}"


def size(n: int | None) -> str:
    """12.3 MB."""
    if n is None:
        return NOTHING
    amount, unit = float(n), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def milliseconds(ms: int | None) -> str:
    """120 ms, 3.41 s."""
    if ms is None:
        return NOTHING
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:.2f} s"


def share(ratio: float | None) -> str:
    """0.9313 as 93.1 %."""
    return NOTHING if ratio is None else f"{100 * ratio:.1f} %"


def duration(seconds: float | None) -> str:
    """Two steps of time at most: 2 h 5 min."""
    if seconds is None:
        return NOTHING
    left = max(0, round(seconds))
    words: list[str] = []
    for size_of_step, unit in _STEPS:
        n, left = divmod(left, size_of_step)
        if n or words:
            words.append(f"{n} {unit}")
        if len(words) == 2:
            break
    return " ".join(word for word in words if not word.startswith("0 ")) or "0 s"


def moment(iso: str | None) -> datetime | None:
    """The moment behind an ISO 8601 text, whoever wrote it."""
    try:
        parsed = datetime.fromisoformat(iso) if iso else None
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed and parsed.tzinfo is None else parsed


def clock(iso: str | None) -> str:
    """2026-11-22 10:15:00 UTC."""
    at = moment(iso)
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else NOTHING


def local(at_iso: str) -> str:
    """Monday 2026-11-23 06:30, by the clock of the zone that the text names."""
    at = moment(at_iso)
    return f"{at:%A %Y-%m-%d %H:%M}" if at else NOTHING


def ago(iso: str | None) -> str:
    """5 min ago."""
    at = moment(iso)
    if at is None:
        return NOTHING
    words = duration((datetime.now(UTC) - at).total_seconds()).split()
    return "just now" if words[1:] == ["s"] and int(words[0]) < 2 else f"{words[0]} {words[1]} ago"


def until(iso: str | None) -> str:
    """in 5 min."""
    at = moment(iso)
    if at is None:
        return NOTHING
    left = (at - datetime.now(UTC)).total_seconds()
    return f"in {duration(left)}" if left > 1 else "now"


def clean(value: Any, longest: int = 300) -> str:
    """Text of a crawled site: no control or direction marks that could dress it up, and no end without end."""
    text = str(value)[: longest + 1]
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:longest])
    return shown + "…" if len(text) > longest else shown


def lines(value: Any, longest: int = 300) -> str:
    """`clean` for a text of several lines."""
    return " ⏎ ".join(clean(line, longest) for line in str(value)[:longest].splitlines())


def option(value: Any) -> str:
    """A crawl's option: yes for true, words for a list, `keep: a, b` for a rule that names some."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {option(part)}" for name, part in value.items())
    return clean(", ".join(map(str, value)) if isinstance(value, list) else value, 500)


def web_link(url: str | None) -> str | None:
    """The URL where a browser may follow it, None for every scheme that is not the web's."""
    return url if url and url.startswith(("http://", "https://")) else None


FILTERS: Mapping[str, Callable[..., Any]] = {
    "number": number,
    "size": size,
    "milliseconds": milliseconds,
    "share": share,
    "duration": duration,
    "clock": clock,
    "ago": ago,
    "clean": clean,
    "web_link": web_link,
    "option": option,
    "iso": iso,
    "local": local,
    "lines": lines,
    "until": until,
}
