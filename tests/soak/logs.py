"""What the processes wrote: a thread that died, an error that nobody caught."""

import re
from collections.abc import Iterable
from pathlib import Path

_BAD = re.compile(r"Traceback|Exception in thread|pubsub thread exiting|ended the hard way|cannot be committed")
#: a child that its supervisor did not see killed, but end
_ENDED = re.compile(r"ended with status (?!-9\b)(?!0\b)")


#: started again in an outage, for longer than a start waits: it says so and is started once more
_AWAY = re.compile(r"(worker\.\d+) +\| crawlyard worker: .* is away")
_NEAR = 200


def _is_told(lines: list[str], n: int) -> bool:
    """Whether the child of this line has told that a service was away at its start, as it should."""
    told = (_AWAY.match(line) for line in lines[max(0, n - _NEAR) : n])
    return any(found and lines[n].startswith(f"{found[1]} ended with status 1,") for found in told)


def complaints(files: Iterable[Path]) -> list[str]:
    """The lines that should not be there, each kind once a file, with a count and what follows the first."""
    found: list[str] = []
    for file in files:
        lines = file.read_text(errors="replace").splitlines() if file.exists() else []
        for pattern in (_BAD, _ENDED):
            hits = [n for n, line in enumerate(lines) if pattern.search(line) and not _is_told(lines, n)]
            if hits:
                found.append(f"{file.name}: {len(hits)} of {lines[hits[0]].strip()!r} at line {hits[0] + 1}")
    return found
