"""`python -m tests.soak`: crawls one site after another while faults are injected, and counts after each.

Exit status 1, the seed and the details on any violation.
"""

import argparse
import os
import random
import sys

from tests.soak import disk, fuzz
from tests.soak.run import REDIS, Soak


def main() -> None:
    """Runs the soak."""
    args = _arguments()
    if args.short:
        args.minutes, args.pages, args.every = 0.4, min(args.pages, 600), (1.0, 3.0)
        args.fuzz_seconds = min(args.fuzz_seconds, 10.0)
    args.can_mount = disk.make_private()
    problems = list(fuzz.run(args.fuzz_seconds))
    print(*(f"VIOLATION: fuzz {problem}" for problem in problems), sep="\n", flush=True)
    failed = bool(problems)
    for database, redis in _passes(args):
        seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
        print(f"soak on {database}, Redis {redis}: seed {seed}", flush=True)
        failed |= not Soak(args, database, redis, seed).run()
    sys.exit(1 if failed else 0)


def _passes(args: argparse.Namespace) -> list[tuple[str, str]]:
    """Each database with one Redis, then one of them with a Redis that fails over; or what is asked for."""
    if not args.minutes:
        return []
    databases = ("sqlite", "postgres") if args.database == "both" else (args.database,)
    passes = [(database, args.redis or "single") for database in databases]
    return passes if args.redis or args.short else [*passes, (databases[-1], "sentinel")]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=main.__doc__)
    parser.add_argument(
        "--minutes",
        type=float,
        default=float(os.environ.get("MINUTES", 5)),
        help="per pass: database and kind of Redis",
    )
    parser.add_argument("--fuzz-seconds", type=float, default=60.0, help="before the crawls; --minutes 0: these only")
    parser.add_argument("--short", action="store_true", help="one small crawl under fire, as CI runs it")
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=40)
    parser.add_argument("--threads", type=int, default=16, help="of each of the four workers")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument(
        "--redis", choices=tuple(REDIS), help="only this: one server, or a group that fails over; default: both"
    )
    parser.add_argument("--faults", default="", help="only these, comma-separated")
    parser.add_argument("--every", type=float, nargs=2, default=(2.0, 6.0), help="seconds between two faults")
    return parser.parse_args()


if __name__ == "__main__":
    main()
