"""The files of CRAWLYARD_HOME that tell one command about another: the API key and the running system."""

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from api.cli.client import Client
from shared.errors import CrawlyardError
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Key:
    """The admin key of a home."""

    secret: str
    #: made just now, so nobody has seen it yet
    fresh: bool
    #: file that keeps it; None: it came from the environment
    path: Path | None


def ensure_key(settings: Settings) -> Key:
    """CRAWLYARD_BOOTSTRAP_KEY, else the key of `<home>/api-key`, made with 256 random bits the first time."""
    if settings.bootstrap_key:
        return Key(settings.bootstrap_key, False, None)
    path = settings.home / "api-key"
    known = read_key(settings)
    if known:
        return Key(known, False, path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = "cy_" + secrets.token_urlsafe(32)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
    return Key(secret, True, path)


def read_key(settings: Settings) -> str | None:
    """The key of `<home>/api-key`, None without one."""
    try:
        return (settings.home / "api-key").read_text().strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CrawlyardError(f"cannot read {settings.home / 'api-key'}: {error.strerror}") from None


def write_run(home: Path, url: str) -> None:
    """Says in `<home>/run.json` that this process runs a system with its API at `url`."""
    temporary = home / f"run.json.{os.getpid()}"
    temporary.write_text(json.dumps({"pid": os.getpid(), "api": url}))
    temporary.replace(home / "run.json")


def remove_run(home: Path) -> None:
    """Takes `run.json` away."""
    with suppress(FileNotFoundError):
        (home / "run.json").unlink()


def running_url(home: Path) -> str | None:
    """The API address of the system that runs on this home, None when none answers."""
    try:
        known = json.loads((home / "run.json").read_text())
        url = str(known["api"])
        os.kill(int(known["pid"]), 0)
    except PermissionError:
        pass  # it lives, under another user
    except (OSError, ValueError, KeyError, TypeError):
        return None
    client = Client(url, None)
    try:
        return url if client.answers() else None
    finally:
        client.close()


def connect(settings: Settings, url: str | None = None, key: str | None = None) -> Client:
    """The API of the options, of CRAWLYARD_API or of this home. Raises CrawlyardError when there is none."""
    address = url or settings.api_url or running_url(settings.home)
    if address is None:
        raise CrawlyardError("no running system found: start one with `crawlyard up`, or set CRAWLYARD_API")
    return Client(address, key or settings.api_key or settings.bootstrap_key or read_key(settings))
