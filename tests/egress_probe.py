"""A worker process that tells what it connects to: `python -m tests.egress_probe <report> [worker options]`.

Each connection and each lookup of a name is a line of the report: `guard` or the innermost module of ours, and
the address. The audit hook hears whatever Python code opens a socket, however it came to do so.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = str(Path(__file__).parents[1])
GUARD = os.path.join(ROOT, "workers", "egress.py")
EVENTS = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname")


def _files() -> Iterator[str]:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back


def _is_ours(file: str) -> bool:
    # the virtual environment of `make` is a folder of the project
    return file.startswith(ROOT) and "site-packages" not in file


def install(report: int) -> None:
    """Writes to the open file `report` from now on."""

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if event not in EVENTS:
            return
        files = list(_files())
        who = "guard" if GUARD in files else next((f for f in files if _is_ours(f)), files[0])
        address = args[0] if "host" in event or "addrinfo" in event else args[-1]
        os.write(report, f"{who}\t{event}\t{_shown(address)}\n".encode())

    sys.addaudithook(hear)


def _shown(address: Any) -> str:
    if isinstance(address, tuple):
        return f"{address[0]}:{address[1]}"
    return address.decode() if isinstance(address, bytes) else str(address)


if __name__ == "__main__":
    install(os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    from workers.__main__ import main

    main()
