"""A lock on a file that the kernel drops with its last holder, however that one ends."""

import fcntl
import os
from pathlib import Path

from shared.errors import Conflict


class FileLock:
    """An exclusive flock, held until `release` or until every process that inherited `fd` is gone."""

    def __init__(self, path: Path, message: str) -> None:
        """Takes the lock without waiting. Raises Conflict with `message` when someone else has it."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self.fd)
            raise Conflict(message) from None

    def release(self) -> None:
        """Gives this process's hold back; once more does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
