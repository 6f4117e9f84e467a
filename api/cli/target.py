"""The site to crawl, as it was typed."""

import ipaddress
from urllib.parse import SplitResult, urlsplit

import click


def check_target(text: str) -> str:
    """The trimmed URL or host. Raises click.BadParameter for what no crawl can start from."""
    text = text.strip()
    parts = _split(text)
    if parts is None or not parts.hostname or parts.scheme not in ("", "http", "https"):
        raise click.BadParameter(f"{text[:200]!r} is not a host or an http or https URL", param_hint="URL")
    return text


def loopback_host(text: str) -> str | None:
    """The target's host[:port] when it is this machine, else None."""
    parts = _split(text)
    if parts is None or not parts.hostname or not _is_loopback(parts.hostname):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{parts.port}" if parts.port else host


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
