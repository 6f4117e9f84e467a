"""Typed, validated reads of environment variables."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from shared.errors import SettingsError

N = TypeVar("N", int, float)
_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s/@?#:,\[\]]+)(:\d{1,5})?")


class Reader:
    """Typed reads of one environment. Each raises SettingsError with one line that names the variable."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._env = environ

    def text(self, name: str, default: str) -> str:
        """Trimmed text."""
        return self._env.get(name, "").strip() or default

    def words(self, name: str) -> tuple[str, ...]:
        """Comma-separated words."""
        return tuple(w.strip() for w in self._env.get(name, "").split(",") if w.strip())

    def targets(self, name: str) -> tuple[str, ...]:
        """Hosts, host:port pairs or networks."""
        found = self.words(name)
        for word in found:
            match = _HOST_PORT.fullmatch(word)
            if not _is_network(word) and not (match and int((match[2] or ":1")[1:]) in range(1, 65536)):
                raise SettingsError(f"{name} must list host, host:port or CIDR, separated by commas, not {word!r}")
        return found

    def host(self, name: str) -> str | None:
        """An address or a host name, None when unset."""
        value = self.text(name, "") or None
        if value and not re.fullmatch(r"[A-Za-z0-9_.:-]+", value):
            raise SettingsError(f"{name} must be an address or a host name, not {value!r}")
        return value

    def header(self, name: str, default: str) -> str:
        """A value fit for an HTTP header."""
        value = self.text(name, default)
        if not value.isascii() or not value.isprintable() or len(value) > 500:
            raise SettingsError(f"{name} must be printable ASCII of at most 500 characters")
        return value

    def key(self, name: str) -> str | None:
        """A secret of at least 16 characters."""
        value = self._env.get(name, "").strip() or None
        if value and (len(value) < 16 or not value.isascii() or not value.isprintable() or " " in value):
            raise SettingsError(f"{name} must be at least 16 printable characters without spaces")
        return value

    def keys(self, name: str) -> tuple[str, ...]:
        """Comma-separated secrets of at least 32 characters each."""
        found = self.words(name)
        if any(len(word) < 32 or not word.isascii() or not word.isprintable() for word in found):
            raise SettingsError(f"{name} must be at least 32 printable characters; older keys follow after a comma")
        return found

    def url(self, name: str, schemes: tuple[str, ...]) -> str | None:
        """A URL of one of `schemes`, None when unset."""
        value = self._env.get(name, "").strip()
        if not value:
            return None
        try:
            parts = urlsplit(value)
            known = parts.scheme in schemes and (parts.port is None or parts.port > 0)
        except ValueError:
            known = False
        if not known:
            raise SettingsError(f"{name} must be a URL that starts with one of {', '.join(s + '://' for s in schemes)}")
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of `choices`, in any case."""
        value = self.text(name, default).upper()
        if value not in choices:
            raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        return value

    def flag(self, name: str) -> bool:
        """Yes or no; no when unset."""
        return self.choice(name, "0", ("0", "1", "NO", "YES", "FALSE", "TRUE", "OFF", "ON")) in (
            "1",
            "YES",
            "TRUE",
            "ON",
        )

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds."""
        return self._within(name, str(default), low, high, int, "a whole number")

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number within bounds."""
        return self._within(name, str(default), low, high, float, "a number")

    def _within(self, name: str, default: str, low: float, high: float, convert: Callable[[str], N], what: str) -> N:
        text = self.text(name, default)
        value: N | None
        try:
            value = convert(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise SettingsError(f"{name} must be {what} from {low:g} to {high:g}, not {text!r}")
        return value


def _is_network(word: str) -> bool:
    try:
        ipaddress.ip_network(word, strict=False)
    except ValueError:
        return False
    return True
