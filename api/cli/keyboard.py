"""Single key presses from a terminal."""

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Keyboard:
    """Where keys come from; None: from nowhere."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def pressed(self, keys: str, seconds: float) -> bool:
        """Waits that long for one of the keys, and says whether it came. A terminal that is gone counts as a key."""
        end = time.monotonic() + seconds
        sources = [] if self._descriptor is None else [self._descriptor]
        while (left := end - time.monotonic()) > 0:
            if not select.select(sources, [], [], left)[0] or self._descriptor is None:
                return False
            typed = os.read(self._descriptor, 100).decode(errors="replace")
            if not typed or any(key in keys for key in typed):
                return True
        return False


@contextmanager
def keyboard(file: TextIO) -> Iterator[Keyboard]:
    """Keys without Enter and unseen, until the block ends; Ctrl-C stays Ctrl-C."""
    if not file.isatty():
        yield Keyboard(None)
        return
    import termios
    import tty

    descriptor = file.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor, termios.TCSADRAIN)
    try:
        yield Keyboard(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
