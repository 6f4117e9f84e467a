"""Examples of `/api/domains/{id}/analytics`."""

from collections.abc import Mapping
from typing import Any

from api.examples.values import CREATED, DOMAIN

_EMAIL = "crawlyard@project.iam.gserviceaccount.com"
_SHOWN = {
    "domainId": DOMAIN,
    "propertyId": "123456789",
    "clientEmail": _EMAIL,
    "state": "ready",
    "error": None,
    "pages": 1234,
    "quota": [{"name": "tokensPerDay", "consumed": 6, "remaining": 199_982}],
    "createdAt": CREATED,
    "refreshedAt": "2024-01-15T10:30:20Z",
    "nextRefreshAt": "2024-01-16T10:41:02Z",
}
_PENDING = _SHOWN | {"state": "pending", "pages": 0, "quota": [], "refreshedAt": None, "nextRefreshAt": CREATED}
_KEY = {
    "type": "service_account",
    "private_key": "-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n",
    "client_email": _EMAIL,
    "token_uri": "https://oauth2.googleapis.com/token",  # nosec B105
}

#: by operation id
ANSWERS: Mapping[str, Any] = {
    "get_analytics": {"data": _SHOWN},
    "set_analytics": {"data": _PENDING},
    "delete_analytics": {"data": _SHOWN},
    "refresh_analytics": {"data": _SHOWN},
}
#: bodies to send
BODIES: Mapping[str, Any] = {"set_analytics": {"propertyId": "123456789", "serviceAccount": _KEY}}
