"""REDIS_URL with sentinels: who is asked for the master's address, and how both are talked to.

`redis+sentinel://[user:password@]host[:26379],host…/service[/db][?option=…]`, also as `sentinel://`; `rediss+sentinel://`
speaks TLS to the sentinels and to Redis. There is no standard for it; this is what most libraries read.
"""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from shared.errors import SettingsError

SCHEMES = ("sentinel", "redis+sentinel", "rediss+sentinel")
#: in the query: what the sentinels want to know, where they ask for a password of their own
_SENTINEL_OPTIONS = {"sentinel_username": "username", "sentinel_password": "password"}  # nosec B105
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs")
_PORT = 26379

Arguments = dict[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """What such a URL says."""

    #: (host, port) of each sentinel
    sentinels: tuple[tuple[str, int], ...]
    #: what the sentinels call the master
    service: str
    #: arguments of redis-py for the master, and for the sentinels; they hold passwords
    redis: Arguments = field(repr=False)
    sentinel: Arguments = field(repr=False)


def is_sentinel(url: str) -> bool:
    """Whether the URL names sentinels."""
    return url.partition("://")[0] in SCHEMES


def parse(url: str) -> SentinelUrl:
    """Raises SettingsError, in one line without the URL's secrets, for what does not fit."""
    scheme, _, rest = url.partition("://")
    address, _, query = rest.partition("?")
    authority, _, path = address.partition("/")
    login, _, hosts = authority.rpartition("@")
    service, _, db = path.strip("/").partition("/")
    if not service or not (db or "0").isdecimal():
        raise SettingsError("REDIS_URL must end with the name of the master: redis+sentinel://host1,host2/mymaster/0")
    options = _options(query)
    tls: Arguments = {name: value for name, value in options.items() if name in _TLS_OPTIONS}
    both: Arguments = {"ssl": True, **tls} if scheme == "rediss+sentinel" else {}
    asked: Arguments = {_SENTINEL_OPTIONS[name]: v for name, v in options.items() if name in _SENTINEL_OPTIONS}
    return SentinelUrl(
        sentinels=tuple(_address(word) for word in hosts.split(",")),
        service=unquote(service),
        redis={"db": int(db or 0), **_login(login), **both},
        sentinel=asked | both,
    )


def _login(text: str) -> Arguments:
    user, _, password = text.partition(":")
    found = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in found.items() if value}


def _options(query: str) -> dict[str, str]:
    found = dict(parse_qsl(query))
    unknown = sorted(found.keys() - {*_SENTINEL_OPTIONS, *_TLS_OPTIONS})
    if unknown:
        known = ", ".join((*_SENTINEL_OPTIONS, *_TLS_OPTIONS))
        raise SettingsError(f"REDIS_URL with sentinels takes the options {known}, not {unknown[0][:40]!r}")
    return found


def _address(word: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{word.strip()}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0:
        raise SettingsError(f"REDIS_URL must list sentinels as host:port, separated by commas, not {word[:60]!r}")
    return host, _PORT if port is None else port
