"""`make bench-check`: has something become slower? Compares ratios within one run with those in `ratios.json`.

Seconds of a busy machine say nothing, but two things done in turns suffer alike. Each ratio is the best of some
rounds and may be worse by a generous factor before it fails; `--write` stores what was measured.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from shared.store import open_store
from shared.store.migrate import upgrade
from tests.bench import gauge
from tests.bench.frontier import Frontier
from tests.bench.sites import body
from workers.parse import parse_html

STORED = Path(__file__).with_name("ratios.json")
#: a ratio that is this many times the stored one fails
TOLERANCE = 3.0
_ROUNDS = 7
_PAGES = 100
#: pages behind a larger crawl
_LARGER = 2_000


def ratio(measured: Callable[[], float], yardstick: Callable[[], float], rounds: int = _ROUNDS) -> float:
    """The least cost of the one by the least cost of the other, taken in turns."""
    pairs = [(measured(), yardstick()) for _ in range(rounds)]
    return min(a for a, _ in pairs) / min(b for _, b in pairs)


def yardstick() -> float:
    """CPU seconds of work in Python that no change of ours makes slower."""
    began = time.thread_time()
    words = {f"{n:x}": n * n for n in range(3_000)}
    sum(len(key) + value for key, value in sorted(words.items()))
    return time.thread_time() - began


def _parsing(parse: Callable[[bytes], object]) -> Callable[[], float]:
    page = body(7, 3_000)

    def timed() -> float:
        began = time.thread_time()
        for _ in range(20):
            parse(page)
        return time.thread_time() - began

    return timed


def _step(folder: Path, before: int) -> Callable[[], float]:
    url = f"sqlite:///{folder}/check-{before}.db"
    upgrade(url)
    frontier = Frontier(open_store(url, by_index=True), 1_000_000)
    frontier.stretch(before)
    return lambda: frontier.stretch(_PAGES).cpu


def measure() -> dict[str, float]:
    """Name to ratio; less is better."""
    ours = _parsing(lambda page: parse_html(page, "http://site.test/p7.html", "text/html"))
    with tempfile.TemporaryDirectory() as folder:
        step = _step(Path(folder), _PAGES)
        return {
            "parse / lexbor alone": ratio(ours, _parsing(LexborHTMLParser)),
            "parse / yardstick": ratio(ours, yardstick),
            "store step / yardstick": ratio(step, yardstick),
            "step of a larger crawl / of a small one": ratio(_step(Path(folder), _LARGER), step, 3),
        }


def main() -> int:
    """Prints the table; 1 where a ratio has become too large."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.check")
    parser.add_argument("--write", action="store_true", help="store what was measured")
    given = parser.parse_args()
    found = measure()
    if given.write:
        STORED.write_text(json.dumps({name: round(value, 2) for name, value in found.items()}, indent=2) + "\n")
    stored: dict[str, float] = json.loads(STORED.read_text())
    worse = [name for name, value in found.items() if value > TOLERANCE * stored.get(name, value)]
    rows = [[name, value, stored.get(name, ""), name not in worse] for name, value in found.items()]
    gauge.table("Ratios of this run", ["ratio", "measured", "stored", "kept"], rows)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
