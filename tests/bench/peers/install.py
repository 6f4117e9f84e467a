"""Peers, each in an environment of its own under a cache folder, installed when first asked for."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a peer runs, and what it is."""

    command: tuple[str, ...]
    version: str


def python(cache: Path, name: str, *requirements: str) -> Environment:
    """A virtual environment with these packages. Raises CalledProcessError."""
    folder = cache / "peers" / name
    interpreter = folder / "bin" / "python"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        (folder / "ready").touch()
    asked = f"import importlib.metadata as m; print(m.version({_distribution(requirements[0])!r}))"
    version = subprocess.run([interpreter, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()
    return Environment((str(interpreter),), version)


def node(cache: Path, name: str, script: str, package: str, *more: str) -> Environment:
    """A folder with a package of the npm registry and a script of ours. Raises CalledProcessError."""
    folder = cache / "peers" / name
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, package, *more]
        subprocess.run(command, check=True, stdout=sys.stderr, stderr=subprocess.DEVNULL)
        (folder / "ready").touch()
    shutil.copy(HERE / script, folder / script)
    asked = f"console.log(require('{folder}/node_modules/{package}/package.json').version)"
    version = subprocess.run(["node", "-e", asked], check=True, capture_output=True, text=True).stdout.strip()
    return Environment(("node", str(folder / script)), version)


def _distribution(requirement: str) -> str:
    return requirement.split("[")[0].split("=")[0].split("<")[0].split(">")[0]
