"""A disk small enough to be filled: a tmpfs in a mount namespace of our own, gone with the process."""

import ctypes
import os
import subprocess
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CHUNK = b"\0" * (1 << 20)


def make_private() -> bool:
    """Gives this process and its children mounts of their own; False where only root may and we are not.

    Call it before the first thread is started.
    """
    if os.geteuid() != 0 or ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS) != 0:
        return False
    done = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, check=False)
    return done.returncode == 0


class SmallDisk:
    """A folder on a disk of its own."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        """Raises CalledProcessError where mounting is not allowed."""
        folder.mkdir(parents=True, exist_ok=True)
        options = f"size={megabytes}m,mode=0777"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "crawlyard-soak", str(folder)], check=True)
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leaves not one byte."""
        with self._ballast.open("wb", buffering=0) as file:
            size = len(_CHUNK)
            while size:
                try:
                    file.write(_CHUNK[:size])
                except OSError:
                    size //= 2

    def free(self) -> None:
        """Gives the space back."""
        self._ballast.unlink(missing_ok=True)
