"""What a worker's threads share of the memory that glibc keeps."""

import platform
import re
import subprocess
from pathlib import Path

import pytest

from shared.settings import Settings, worker_env

SETTINGS = Settings.from_env({})


def tunables(env: dict[str, str]) -> dict[str, int]:
    """As the loader of a process with that environment takes them."""
    maps = Path("/proc/self/maps").read_text()
    loader = next(line.split()[-1] for line in maps.splitlines() if "/ld-linux" in line)
    told = subprocess.run([loader, "--list-tunables"], env=env, check=True, capture_output=True, text=True, timeout=60)
    return {name: int(value, 16) for name, value in re.findall(r"^(\S+): (0x[0-9a-f]+)", told.stdout, re.M)}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have no tunables")
def test_a_worker_has_one_arena_and_small_caches_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    found = tunables(worker_env(SETTINGS))
    assert (found["glibc.malloc.arena_max"], found["glibc.malloc.tcache_count"]) == (1, 1)


def test_what_an_operator_has_named_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=4:glibc.rtld.nns=2")
    named = worker_env(SETTINGS)["GLIBC_TUNABLES"]
    assert named == "glibc.malloc.arena_max=4:glibc.rtld.nns=2:glibc.malloc.tcache_count=1"


def test_it_is_set_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", worker_env(SETTINGS)["GLIBC_TUNABLES"])
    assert worker_env(SETTINGS)["GLIBC_TUNABLES"].count("arena_max") == 1
