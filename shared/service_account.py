"""The key of a Google service account: what a usable one looks like. Nothing is asked of Google here."""

from collections.abc import Mapping
from typing import Any

import orjson

from shared.errors import Invalid

#: read page views and nothing else
SCOPE = "https://www.googleapis.com/auth/analytics.readonly"
#: where a key's assertion may be sent
_TOKEN_ENDPOINTS = ("https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token")
_UNIVERSE = "googleapis.com"
_NEEDED = ("private_key", "client_email", "token_uri")
_KEPT = (*_NEEDED, "type", "private_key_id", "project_id")
_LONGEST = 10_000


def check(info: Mapping[str, Any], endpoint: str) -> str:
    """The JSON to keep of a key file, without what is never used. Raises Invalid that names the wrong field.

    `endpoint` is the analytics API's address: an emulator's tokens come from its own host.
    """
    wrong = list(_wrong(info, endpoint))
    if not wrong:
        kept = {name: info[name] for name in _KEPT if info.get(name) is not None}
        try:
            credentials(kept)
        except Invalid as error:
            wrong = list(error.details)
        else:
            return orjson.dumps(kept).decode()
    raise Invalid(f"Not valid: {', '.join(field for field, _ in wrong)}", wrong)


def _wrong(info: Mapping[str, Any], endpoint: str) -> list[tuple[str, str]]:
    found = [
        (f"serviceAccount.{name}", "is missing: give the whole JSON key file of the service account")
        for name in _NEEDED
        if not isinstance(info.get(name), str) or not 0 < len(info[name]) <= _LONGEST
    ]
    if found:
        return found
    if info.get("type", "service_account") != "service_account":
        return [("serviceAccount.type", "must be service_account: this is another kind of credentials")]
    if info.get("universe_domain", _UNIVERSE) != _UNIVERSE:
        return [("serviceAccount.universe_domain", f"must be {_UNIVERSE}")]
    if "@" not in info["client_email"] or not info["client_email"].isprintable():
        return [("serviceAccount.client_email", "is not an e-mail address")]
    if info["token_uri"] not in _TOKEN_ENDPOINTS and not info["token_uri"].startswith(endpoint + "/"):
        return [("serviceAccount.token_uri", f"must be {_TOKEN_ENDPOINTS[0]}")]
    return []


def credentials(info: Mapping[str, Any]) -> Any:
    """google-auth's credentials of a key, for reading analytics. Raises Invalid for a key that cannot sign."""
    # Imported here: it takes half a second that only the few who use page views should wait for.
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2.service_account import Credentials

    try:
        return Credentials.from_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, GoogleAuthError):
        message = 'is not an RSA private key in PEM form ("-----BEGIN PRIVATE KEY-----" …)'
        raise Invalid(details=[("serviceAccount.private_key", message)]) from None
