"""The moments of one request on its way, and the phases between them."""

import time

from shared.answers import Phases


class Marks:
    """Monotonic moments; 0: not reached, or not needed on a kept connection."""

    __slots__ = ("answered", "began", "connected", "resolved", "secured", "sent")

    def __init__(self) -> None:
        self.began = self.resolved = self.connected = self.secured = self.sent = self.answered = 0.0

    def note_resolved(self) -> None:
        """The host's name has been looked up."""
        self.resolved = time.monotonic()

    def phases(self, ended: float) -> Phases | None:
        """How long each phase took, the last byte having come at `ended`; None where no answer came."""
        if not self.answered:
            return None
        dns, connect = _between(self.began, self.resolved), _between(self.resolved, self.connected)
        tls = _between(self.connected, self.secured)
        waited, download = _between(self.sent, self.answered), _between(self.answered, ended)
        return Phases(dns, connect, tls, waited or 0.0, download or 0.0)


def _between(start: float, end: float) -> float | None:
    """Milliseconds, to a tenth."""
    return round(max(0.0, end - start) * 1000, 1) if start and end else None
