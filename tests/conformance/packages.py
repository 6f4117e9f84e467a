"""Debian packages and source distributions from PyPI, fetched when asked for and kept in a cache folder."""

import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "crawlyard" / "conformance"


@dataclass(frozen=True, slots=True)
class Package:
    """A package and the folder in it that is served."""

    name: str
    folder: str


PACKAGES = (
    Package("sqlite3-doc", "usr/share/doc/sqlite3"),
    Package("apache2-doc", "usr/share/doc/apache2-doc/manual"),
    Package("postgresql-doc-15", "usr/share/doc/postgresql-doc-15/html"),
    Package("openjdk-17-doc", "usr/share/doc/openjdk-17-jre-headless/api"),
)


class Missing(Exception):
    """The package cannot be had here."""


def unpacked(package: Package) -> Path:
    """The folder to serve. Raises Missing when apt cannot fetch the package."""
    root = CACHE / package.name
    if not (root / package.folder).is_dir():
        _unpack_debian(package.name, root)
    return root / package.folder


def _unpack_debian(name: str, root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    _run(["apt-get", "download", "-qq", name], root)
    for archive in root.glob("*.deb"):
        _run(["dpkg", "-x", archive.name, "."], root)
        archive.unlink()


def debian_file(package: str, path: str) -> Path:
    """One file of a Debian package, by its end. Raises Missing when apt cannot fetch the package."""
    root = CACHE / package
    if not root.is_dir():
        _unpack_debian(package, root)
    found = sorted(root.glob(path))
    if not found:
        raise Missing(f"{package} has no {path}")
    return found[-1]


def sdist(name: str, version: str) -> Path:
    """The folder of a source distribution from PyPI. Raises Missing when pip cannot fetch it."""
    folder = CACHE / f"{name}-{version}"
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name, "--dest", "."]
        _run([*pip, f"{name}=={version}"], CACHE)
        archive = CACHE / f"{name}-{version}.tar.gz"
        with tarfile.open(archive) as tar:
            tar.extractall(CACHE, filter="data")
        archive.unlink()
    return folder


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        detail = getattr(error, "stderr", "") or str(error)
        raise Missing(f"{command[0]}: {detail.strip()[:200]}") from error
