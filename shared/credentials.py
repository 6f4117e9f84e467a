"""What a job sends to its own hosts besides a request: headers, cookies, a user's name and password.

They are sealed as soon as they are read and opened by the worker that sends them: nothing between, neither the
record nor Redis, a log or an answer, holds them in clear.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson

from shared import vault
from shared.models import JobOptions
from shared.settings import Settings

#: what the client itself says, what belongs to a connection (RFC 9110, 7.6.1), and what would change the answer's
#: meaning
FORBIDDEN_HEADERS = frozenset(
    "host content-length transfer-encoding connection keep-alive proxy-connection proxy-authorization"
    " proxy-authenticate te trailer upgrade expect accept-encoding content-encoding content-type range if-match"
    " if-none-match if-modified-since if-unmodified-since if-range user-agent cookie".split()
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """In clear. Nothing of it is shown in a repr."""

    #: names in lower case
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: for Basic authentication (RFC 7617)
    username: str | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)

    def request_headers(self) -> dict[str, str]:
        """As they are sent."""
        made = dict(self.headers)
        if self.cookies:
            made["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self.username is not None:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            made["authorization"] = f"Basic {pair}"
        return made


def sealed(settings: Settings, options: JobOptions, given: Credentials) -> JobOptions:
    """The options with these credentials, encrypted; what may be shown of them is their names. Raises NoSecretKey."""
    headers = given.request_headers()
    if not headers:
        return options
    return replace(
        options,
        sealed=vault.seal(settings, orjson.dumps(headers)),
        header_names=tuple(sorted(given.headers)),
        cookie_names=tuple(sorted(given.cookies)),
        has_auth=given.username is not None,
    )


def opened(settings: Settings, token: str) -> dict[str, str]:
    """The headers to send. Raises NoSecretKey, SecretUnreadable."""
    headers: dict[str, str] = orjson.loads(vault.open_sealed(settings, token))
    return headers
