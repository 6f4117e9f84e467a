"""Apprise URLs: e-mail and chat as targets of webhooks, where the optional extra is installed."""

from importlib.util import find_spec

from shared.errors import Invalid

#: services that talk to a server and to nothing on the machine that they run on
SCHEMES = (
    "discord gchat gotify gotifys mailto mailtos matrix matrixs mmost mmosts msteams ntfy ntfys pbul pover rocket "
    "rockets slack tgram workflows zulip"
).split()


def require_apprise() -> None:
    """Raises Invalid where the extra is not installed."""
    if find_spec("apprise") is None:
        reason = "e-mail and chat need the extra: pip install 'crawlyard[apprise]' for the API and the workers"
        raise Invalid("Not valid: type", [("type", reason)])


def shown(url: str) -> str:
    """What may be shown of an Apprise URL: its scheme, for the rest may be a password or a token."""
    return f"{url.partition('://')[0].lower()}://…"
