"""Secrets that have to be kept to be used: sealed at rest, opened only by whoever sends them.

The key is `CRAWLYARD_SECRET_KEY`; where SQLite shows that all runs on one machine, a key file in the data folder.
Fernet (AES-128-CBC and HMAC-SHA-256) by `cryptography`, its key derived by HKDF (RFC 5869).
"""

import base64
import contextlib
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors import Conflict, CrawlyardError
from shared.settings import Settings

_KEY_FILE = "secret.key"


class NoSecretKey(Conflict):
    """Secrets cannot be kept here: the operator has to set CRAWLYARD_SECRET_KEY, the same for all processes."""


class SecretUnreadable(CrawlyardError):
    """A kept secret cannot be opened: CRAWLYARD_SECRET_KEY is not the one it was sealed with."""


def seal(settings: Settings, plaintext: bytes | str) -> str:
    """The text under which a secret can be stored. Raises NoSecretKey."""
    raw = plaintext.encode() if isinstance(plaintext, str) else plaintext
    return _box(settings).encrypt(raw).decode()


def open_sealed(settings: Settings, token: str) -> str:
    """The secret behind what `seal` gave, under any of the keys. Raises NoSecretKey, SecretUnreadable."""
    try:
        return _box(settings).decrypt(token.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable from None


def _box(settings: Settings) -> MultiFernet:
    keys = settings.secret_keys or (_from_file(settings),)
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"crawlyard vault 1")
    return base64.urlsafe_b64encode(derive.derive(key.encode()))


def _from_file(settings: Settings) -> str:
    if not settings.effective_database_url.startswith("sqlite"):
        raise NoSecretKey
    path = settings.home / _KEY_FILE
    try:
        if not path.exists():
            _create(path)
        key = path.read_text().strip()
    except OSError as error:
        raise NoSecretKey(f"The key file in the data folder cannot be used: {error.strerror}") from None
    if len(key) < 32:
        raise NoSecretKey("The key file in the data folder is damaged")
    return key


def _create(path: Path) -> None:
    """Makes the file at once and whole: of two processes that try, one wins and both read its key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = path.with_name(f".{_KEY_FILE}.{secrets.token_hex(8)}")
    fd = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "w") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(mine, path)
    finally:
        mine.unlink()
