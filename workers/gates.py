"""What stands between a request and its host."""

from typing import Protocol


class Gate(Protocol):
    """Lets each request of a `Fetcher.get` go when its host may be asked: twice asked, before and after connecting."""

    def __call__(self, url: str) -> None:
        """Waits until a connection for a request to `url` may be taken. Raises FetchError where it may not."""

    def go(self, url: str) -> None:
        """The connection is open: waits for the moment to send. Raises TurnLost where that is not soon."""

    def went(self, url: str) -> None:
        """The request that `go` let go has left."""

    def close(self) -> None:
        """The `get` is over."""
