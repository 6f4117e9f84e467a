"""Charts as numbers for SVG attributes: a strict CSP allows no style in the page. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.store.counters import bucket_ms

#: milliseconds: upper ends of the histogram's bars
_EDGES = (10, 20, 50, 100, 200, 500, 1000, 2000, 3000, 5000, 10_000, 30_000)


@dataclass(frozen=True, slots=True)
class Arc:
    """A part of a donut whose circumference is 100."""

    name: str
    value: int
    length: float
    #: dash offset at which it begins, from twelve o'clock
    offset: float


def donut(parts: Mapping[str, int]) -> list[Arc]:
    """One arc for each part that is not empty."""
    total, start, arcs = sum(parts.values()), 0.0, []
    for name, value in parts.items():
        if value > 0:
            length = 100 * value / total
            arcs.append(Arc(name, value, round(length, 3), round(25 - start, 3)))
            start += length
    return arcs


def sparkline(values: Sequence[tuple[float, float]], since: float, until: float) -> str:
    """Moments (seconds) and values as the points of a line in 100 × 24, nought at the bottom; `` without two."""
    highest = max((value for _, value in values), default=0.0)
    if len(values) < 2 or until <= since:
        return ""
    points = ((100 * (at - since) / (until - since), 23 - 22 * value / (highest or 1)) for at, value in values)
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram."""

    label: str
    value: int
    #: 0-100, at least visible where there is anything
    height: float
    #: whether these pages are slow
    is_slow: bool


def histogram(times: Mapping[int, int], slow_ms: int) -> list[Bar]:
    """Response times (bucket to number, as the counters keep them) in bars, from the first to the last used."""
    counts = [0] * (len(_EDGES) + 1)
    for bucket, n in times.items():
        counts[sum(edge < bucket_ms(bucket) for edge in _EDGES)] += max(0, n)
    used = [i for i, n in enumerate(counts) if n]
    if not used:
        return []
    highest = max(counts)
    return [_bar(i, counts[i], highest, slow_ms) for i in range(used[0], used[-1] + 1)]


def _bar(i: int, n: int, highest: int, slow_ms: int) -> Bar:
    label = f"> {_short(_EDGES[-1])}" if i == len(_EDGES) else f"≤ {_short(_EDGES[i])}"
    lower = _EDGES[i - 1] if i else 0
    return Bar(label, n, round(max(1.5 if n else 0.0, 100 * n / highest), 1), lower >= slow_ms)


def _short(ms: int) -> str:
    return f"{ms} ms" if ms < 1000 else f"{ms // 1000} s"
