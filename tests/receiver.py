"""A receiver of webhooks that verifies what it gets with the verifier of `standardwebhooks` itself."""

from collections.abc import Iterable
from typing import Any

from standardwebhooks.webhooks import Webhook

from tests.site import Page, Request, Site, html


class Receiver(Site):
    """Takes everything at `/hook`, after these statuses."""

    def __init__(self, *statuses: int, page: Any = None) -> None:
        super().__init__({"/hook": page} if page else {}, fallback=self._answer)
        self._statuses = list(statuses)

    def _answer(self, path: str) -> Page | None:
        status = self._statuses.pop(0) if self._statuses else 200
        return html("thank you", status=status) if path == "/hook" else None

    @property
    def received(self) -> list[Request]:
        """What was sent to the hook."""
        return [request for request in self.requests if request.path == "/hook"]

    def verified(self, *secrets: str) -> list[Any]:
        """The events, each verified with each of the secrets. Raises WebhookVerificationError."""
        return [event for request in self.received for event in self._opened(request, secrets)]

    @staticmethod
    def _opened(request: Request, secrets: Iterable[str]) -> list[Any]:
        opened = [Webhook(secret).verify(request.body, dict(request.headers)) for secret in secrets]
        return opened[:1]
