"""Starts child processes that cannot outlive their parent."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

# A shim instead of preexec_fn, which may deadlock in a process with threads. The kernel sends the
# signal when the thread that started the child ends, SIGKILL of the parent included; exec keeps it.
# The second look at the parent covers one that died before prctl. Elsewhere than on Linux: best effort.
_SHIM = """
import os, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        os._exit(1)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.stderr.write(f"cannot start {sys.argv[2]}: {error.strerror}\\n")
    os._exit(127)
"""


def spawn(
    argv: Sequence[str],
    env: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    pass_fds: Sequence[int] = (),
) -> "subprocess.Popen[bytes]":
    """Starts `argv` in a process group of its own, killed when the calling thread or process ends.

    `output` takes stdout and stderr; stdin is empty.
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid()), *argv],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        pass_fds=tuple(pass_fds),
        process_group=0,
    )
