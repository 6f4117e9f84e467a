"""What a crawl took, told on standard output. Standard library only."""

import json
import resource
import time

from meter import cpu_seconds


class Meter:
    """Counts from its making: interpreter and imports are nobody's fault."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), cpu_seconds()

    def tell(self, pages: int) -> None:
        """Prints the report."""
        told = {
            "pages": pages,
            "seconds": time.perf_counter() - self._wall,
            "cpu": cpu_seconds() - self._cpu,
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        print(json.dumps(told), flush=True)
