"""`make bench ARGS="reads"`: builds the data once, measures, prints the tables; fails when a limit is not kept."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import reads
from tests.bench.dataset import Dataset, postgres_dataset, sqlite_dataset
from tests.bench.servers import KeptServer
from tests.postgres import find_binaries

_SHORT = 50_000


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reading")
    parser.add_argument("--tasks", type=int, help="page tasks of the large job; as many again around it")
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--door", choices=["store", "http", "both"], default="both")
    parser.add_argument("--short", action="store_true", help=f"{_SHORT} tasks and a few sorts: seconds")
    parser.add_argument("--few", action="store_true", help="a few sorts")
    parser.add_argument("--scan", action="store_true", help="without order snapshots, as while a job runs")
    parser.add_argument(
        "--only", default="", help="groups of queries whose names have this in them: path, no filter ..."
    )
    parser.add_argument("--every", action="store_true", help="print every query")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "crawlyard-bench")
    return parser.parse_args()


@contextmanager
def _datasets(folder: Path, n: int, database: str) -> Iterator[list[Dataset]]:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    found: list[Dataset] = []
    if database != "postgres":
        found.append(sqlite_dataset(folder, n))
    binaries = find_binaries() if database != "sqlite" else None
    if binaries is None:
        if database != "sqlite":
            print("PostgreSQL is not installed: left out", file=sys.stderr)
        yield found
        return
    server = KeptServer(binaries, folder / "postgres")
    try:
        yield [*found, postgres_dataset(server, n)]
    finally:
        server.stop()


def main() -> int:
    """The exit code: 1 when a group of queries is over its limit."""
    given = _arguments()
    n = given.tasks or (_SHORT if given.short else 1_000_000)
    doors = ("store", "http") if given.door == "both" else (given.door,)
    groups = []
    with _datasets(given.cache, n, given.database) as datasets:
        for dataset in datasets:
            for door in doors:
                groups += reads.measure(dataset, door, given.scan, given.few or given.short, given.every, given.only)
    late = [group.name for group in groups if not group.is_within]
    print(f"over the limit: {', '.join(late)}" if late else "every limit kept")
    return 1 if late and not given.scan else 0


if __name__ == "__main__":
    sys.exit(main())
