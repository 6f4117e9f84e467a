"""How many arenas a process of many threads has."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_COUNT = """
import ctypes, sys, threading
from workers.arena import one_arena
if sys.argv[1] == "one":
    one_arena()
ready, kept = threading.Barrier(9), []
def allocate():
    kept.append(bytes(50_000))
    ready.wait(30)
threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
ready.wait(30)
libc = ctypes.CDLL(None)
libc.fopen.restype, libc.malloc_info.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
file = libc.fopen(sys.argv[2].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(ctypes.c_void_p(file))
"""


def arenas(tmp_path: Path, how: str) -> int:
    told = tmp_path / "arenas.xml"
    clean = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    subprocess.run([sys.executable, "-c", _COUNT, how, str(told)], check=True, cwd=ROOT, env=clean, timeout=60)
    return told.read_text().count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have no arenas")
def test_all_threads_share_one(tmp_path: Path) -> None:
    assert arenas(tmp_path, "any") > 1
    assert arenas(tmp_path, "one") == 1
