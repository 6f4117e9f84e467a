"""The reads worth measuring: every filter with every sort at several depths."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from shared.store.task_lists import SORTS

BOTH_WAYS = tuple(sign + name for name in SORTS for sign in ("", "-"))
_FEW_WAYS = ("created_at", "-response_time", "path", "status_code")
_ONE: tuple[dict[str, Any], ...] = (
    {"status": "completed"},
    {"status": "failed"},
    {"status": "skipped"},
    {"status": "pending"},
    {"status": "running"},
    {"cache": "hit"},
    {"cache": "miss"},
    {"status_code": 200},
    {"status_code": 404},
    {"status_code": 503},
    {"status_code": 418},
)
_MORE: tuple[dict[str, Any], ...] = (
    {"status": "completed", "cache": "miss"},
    {"status": "failed", "status_code": 404},
    {"status": "failed", "cache": "hit", "status_code": 500},
    {"status": "completed", "cache": "miss", "status_code": 301},
)
#: in every path (twice), in nearly every one, in half of them, in 1 of 200, in some tasks, in one, in none
_PATHS = ("html", "/", "a", "shop", "/shop/garden/", "00123", "-0004242.html", "nowhere")
#: searches whose text nobody has searched for yet, and those of the next page
FIRST_SEARCH, NEXT_SEARCH = "path, first search", "path, next page"
#: parts of the way to the end of a list
_DEPTHS = (0.0, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Query:
    """A read: parameters as the API takes them, and how deep into the list to go."""

    group: str
    params: dict[str, Any]
    depth: float = 0.0

    def __str__(self) -> str:
        shown = "&".join(f"{name}={value}" for name, value in self.params.items())
        return shown + {0.0: "", 0.5: " middle", 1.0: " end"}[self.depth]


def queries(few: bool) -> Iterator[Query]:
    """All queries; `few`: with a few sorts."""
    ways = _FEW_WAYS if few else BOTH_WAYS
    for group, filters in (("no filter", ({},)), ("one filter", _ONE), ("more filters", _MORE)):
        for one, way, depth in product(filters, ways, _DEPTHS):
            yield Query(group, {**one, "sort": way}, depth)
    for group in (FIRST_SEARCH, NEXT_SEARCH):
        for path, way, depth in product(_PATHS, _FEW_WAYS, _DEPTHS):
            yield Query(group, {"path": path, "sort": way}, depth)
        for path, one in product(_PATHS, _MORE):
            yield Query(group, {**one, "path": path, "sort": "-response_time"})
