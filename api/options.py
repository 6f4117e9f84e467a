"""From what a caller asks for to the options of a job: the scope it needs, its secrets sealed, its start named."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from api.auth import allowed
from api.context import Call
from api.schemas.options import BasicAuth, DropNames, KeepNames
from shared import urls
from shared.credentials import Credentials, sealed
from shared.errors import Invalid
from shared.models import JobOptions

#: a domain given as one of these is a sitemap to start from
_SITEMAP = re.compile(r"/[^/?]*(?:\.xml|\.xml\.gz|sitemap[^/?]*\.(?:txt|gz))(?:\?|$)", re.I).search
_SECRET = ("headers", "cookies", "auth")


def job_options(call: Call, given: Mapping[str, Any], domain: str | None = None, **defaults: Any) -> JobOptions:
    """The options that were given (`Options.given`), for a crawl of what `domain` names.

    Raises Forbidden, Invalid, and NoSecretKey where secrets cannot be kept.
    """
    values = {name: value for name, value in given.items() if name not in _SECRET}
    plain = JobOptions(**defaults | _start(values, domain) | values | _query(values.get("query", "keep")))
    credentials = _credentials(*(given.get(name) for name in _SECRET))
    return sealed(call.services.settings, allowed(call.key, _canonical(plain)), credentials)


def _start(values: Mapping[str, Any], domain: str | None) -> dict[str, Any]:
    """What is different by default where the home page is not the start."""
    if values.get("urls"):
        return {"find_links": False, "source_type": "manual"}
    path = urls.parse_domain(domain).path if domain else "/"
    return {"sitemap_url": path} if _SITEMAP(path) else {}


def _query(given: Any) -> dict[str, Any]:
    if isinstance(given, KeepNames):
        return {"query": "keep", "query_names": given.keep}
    if isinstance(given, DropNames):
        return {"query": "drop", "query_names": given.drop}
    return {"query": given}


def _canonical(options: JobOptions) -> JobOptions:
    """Each URL once, as it will be asked for."""
    named = tuple(dict.fromkeys(map(urls.canonicalise, options.urls)))
    return replace(options, urls=named, url_count=len(named))


def _credentials(headers: Any, cookies: Any, auth: BasicAuth | None) -> Credentials:
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    if auth is None:
        return Credentials(sent, cookies or {})
    if "authorization" in sent:
        raise Invalid("Not valid: auth", [("auth", "there is an Authorization header already")])
    return Credentials(sent, cookies or {}, auth.username, auth.password)
