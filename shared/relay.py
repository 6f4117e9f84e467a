"""Passes the output of child processes on to our own, line by line."""

import re
import subprocess
import sys
import threading

#: what a hostile page could steer a terminal with: C0 and C1 controls but the tab, DEL, separators of lines, and the
#: marks of direction, which make text look like another one
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LINE = 65_536


def plain(text: str) -> str:
    """The text without control characters: fit for a terminal, on one line."""
    return CONTROLS.sub("", text)


def say(line: str) -> None:
    """Writes one line to stderr, where nobody may be listening any more."""
    try:
        sys.stderr.write(plain(line) + "\n")
        sys.stderr.flush()
    except OSError:
        pass  # the reader of our output is gone; the children still need theirs drained


def relay(name: str, process: "subprocess.Popen[bytes]") -> threading.Thread:
    """Starts a thread that copies the child's output to stderr, each line prefixed with `name`.

    Lines of JSON (shared/logs.py) stay as they are: machines read them, and they name their process.
    """
    thread = threading.Thread(target=_copy, args=(name, process), name=f"relay-{name}", daemon=True)
    thread.start()
    return thread


def _copy(name: str, process: "subprocess.Popen[bytes]") -> None:
    if process.stdout is None:
        return
    with process.stdout as stream:
        while line := stream.readline(_LINE):
            text = line.decode(errors="replace").rstrip()
            say(text if text.startswith("{") else f"{name:9} | {text}")
