"""What a CDN or proxy says about its cache, in one vocabulary."""

import re
from collections.abc import Mapping

#: the first pattern found in the upper-case header names the state
_WORDS = (
    (re.compile("REFRESH_?MISS|EXPIRED"), "EXPIRED"),
    (re.compile("REFRESH_?FAIL"), "STALE"),
    (re.compile("REFRESH|REVALIDATED"), "REVALIDATED"),
    (re.compile("STALE|UPDATING"), "STALE"),
    (re.compile("DYNAMIC|GENERATED"), "DYNAMIC"),
    (re.compile("BYPASS|PASS|NO_?CACHE|UNCACHEABLE|NO_?STORE"), "BYPASS"),
    (re.compile("MISS"), "MISS"),
    (re.compile("HIT|PRERENDER"), "HIT"),
)
_PLAIN = ("x-cache", "x-cache-remote", "x-vercel-cache")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def cache_status(headers: Mapping[str, str]) -> str | None:
    """HIT, MISS, EXPIRED, DYNAMIC, BYPASS, STALE or REVALIDATED; None where no header tells.

    `headers` has lower-case names. Order: CF-Cache-Status, X-Cache, X-Cache-Remote, X-Vercel-Cache,
    Cache-Status (RFC 9211), X-Varnish. In a list the last hop, the one nearest to us, counts.
    """
    for name in ("cf-cache-status", *_PLAIN):
        if name in headers and (status := _word(_last(headers[name]))):
            return status
    if "cache-status" in headers and (status := _rfc9211(headers["cache-status"])):
        return status
    ids = headers.get("x-varnish", "").split()
    return {1: "MISS", 2: "HIT"}.get(len(ids))


def _last(value: str) -> str:
    hops = [hop for hop in value.split(",") if hop.strip()]
    return hops[-1] if hops else ""


def _word(text: str) -> str | None:
    # what follows is the name of a host, which may hold any word
    text = text.upper().partition(" FROM ")[0].replace("-", "_")
    return next((status for pattern, status in _WORDS if pattern.search(text)), None)


def _rfc9211(value: str) -> str | None:
    hop = _last(_QUOTED.sub("", value))
    name, *parameters = (part.strip().lower() for part in hop.split(";"))
    if "hit" in parameters or "hit=?1" in parameters:
        return "HIT"
    if any(parameter.startswith("fwd=") for parameter in parameters):
        return "MISS"
    return _word(name) if not parameters else None  # some proxies send just the word
