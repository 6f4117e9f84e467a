"""E-mail and chat: an event as a text, sent by Apprise in a process of its own (workers/apprise_child.py)."""

import subprocess
import sys
from typing import Any, ClassVar

import orjson

from shared import vault
from shared.errors import CrawlyardError
from shared.settings import Settings, child_env
from shared.store.deliveries import Started

#: seconds; well under `deliveries.CLAIM`
_LIMIT = 20.0
_MOST = 2000
#: nothing of the worker's own surroundings that could lead the request elsewhere, or that is a secret
_ENVIRON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "VIRTUAL_ENV")


class NotNotified(CrawlyardError):
    """The message could not be sent."""

    retryable: ClassVar[bool] = True


def notify(settings: Settings, started: Started) -> None:
    """Sends a delivery's event as a text. Raises NotNotified with a reason that holds no part of the URL."""
    event = orjson.loads(started.delivery.payload)
    request = {
        "url": vault.open_sealed(settings, started.webhook.sealed_url or ""),
        "title": f"Crawlyard: {event['type']}",
        "body": text_of(event),
        "allow_private": settings.allow_private,
    }
    environ = {name: value for name, value in child_env(settings).items() if name in _ENVIRON}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "workers.apprise_child"],
            input=orjson.dumps(request),
            capture_output=True,
            timeout=_LIMIT,
            env=environ,
        )
    except subprocess.TimeoutExpired:
        raise NotNotified(f"The message was not taken within {_LIMIT:g} s") from None
    except OSError as error:
        raise NotNotified(f"No process for the message: {error.strerror}") from None
    if done.returncode != 0:
        raise NotNotified(_REASONS.get(done.returncode, "Apprise broke off"))


#: exit statuses of the child: it says nothing in words, for Apprise's own may hold parts of the URL
_REASONS = {
    3: "The extra `apprise` is not installed for the workers",
    4: "Apprise does not understand the URL",
    5: "The service did not take the message",
    6: "The URL leads to an address that is private or reserved",
}


def text_of(event: dict[str, Any]) -> str:
    """An event for people: a line a field, without those that are null."""
    lines = [f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in event["data"].items() if value is not None]
    return "\n".join(lines)[:_MOST]


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return "".join(c if c.isprintable() else " " for c in text[:500])
