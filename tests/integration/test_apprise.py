"""Messages by Apprise, sent by a real child process under its guard."""

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import webhooks as cases
from shared.addresses import AddressPolicy
from shared.clock import now_us
from shared.settings import Settings
from shared.store import Store, deliveries
from shared.store.deliveries import Started
from tests.site import Site, html
from workers.apprise import NotNotified, notify, text_of
from workers.apprise_child import Guard

SECRET = "a-topic-that-nobody-may-see"


@pytest.fixture
def chat() -> Iterator[Site]:
    """A service that speaks ntfy's protocol, as far as it goes."""
    with Site(fallback=lambda path: html("{}")) as made:
        yield made


class Mailbox(socketserver.ThreadingTCPServer):
    """An SMTP server (RFC 5321) that takes what it is given."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Smtp)
        self.messages: list[str] = []


class _Smtp(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self.wfile.write(b"220 mailbox\r\n")
        for line in self.rfile:
            is_data = line.strip().upper() == b"DATA"
            self.wfile.write(b"354 go on\r\n" if is_data else b"250 fine\r\n")
            if is_data:
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.messages.append(b"".join(lines).decode())
                self.wfile.write(b"250 taken\r\n")


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as made:
        threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
        yield made
        made.shutdown()


def started(store: Store, settings: Settings, url: str) -> Started:
    webhook, _ = cases.create(settings, store, 1, cases.Wanted("apprise", url, ["job.failed"], ""))
    delivery = cases.try_out(store, webhook)
    found = deliveries.start(store, delivery.id, now_us())
    assert found is not None
    return found


def settings_of(tmp_path: Path, allow: str = "") -> Settings:
    return Settings.from_env({"CRAWLYARD_HOME": str(tmp_path), "CRAWLYARD_ALLOW_PRIVATE": allow})


def test_a_message_reaches_an_allowed_service(sqlite_store: Store, tmp_path: Path, chat: Site) -> None:
    settings = settings_of(tmp_path, "127.0.0.1")
    notify(settings, started(sqlite_store, settings, f"ntfy://{chat.host}/{SECRET}"))
    (request,) = chat.requests
    assert b"webhook.test" in request.body


def test_an_e_mail_reaches_its_mailbox(sqlite_store: Store, tmp_path: Path, mailbox: Mailbox) -> None:
    settings = settings_of(tmp_path, "127.0.0.1")
    url = f"mailto://127.0.0.1:{mailbox.server_address[1]}?from=crawlyard@example.com&to=team@example.com"
    notify(settings, started(sqlite_store, settings, url))
    (message,) = mailbox.messages
    assert "Subject: Crawlyard: webhook.test" in message
    assert "To: team@example.com" in message


def test_a_private_address_is_refused_at_the_connection(sqlite_store: Store, tmp_path: Path, chat: Site) -> None:
    settings = settings_of(tmp_path)
    with pytest.raises(NotNotified, match="private or reserved") as refused:
        notify(settings, started(sqlite_store, settings, f"ntfy://{chat.host}/{SECRET}"))
    assert SECRET not in str(refused.value)
    assert chat.requests == []


def test_a_url_that_apprise_does_not_know_is_named_as_such(sqlite_store: Store, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with pytest.raises(NotNotified, match="does not understand"):
        notify(settings, started(sqlite_store, settings, "slack://x"))


@pytest.mark.parametrize(
    ("event", "args"),
    [
        ("socket.connect", (None, ("10.0.0.1", 25))),
        ("socket.connect", (None, ("localhost", 25))),
        ("socket.connect", (None, "/run/docker.sock")),
        ("socket.sendto", (None, ("169.254.169.254", 80))),
        ("subprocess.Popen", ("sh", [], None, None)),
        ("open", ("/etc/passwd", "r", 0)),
        ("open", ("/tmp/x", "w", 1)),
    ],
)
def test_the_guard_refuses_what_a_message_does_not_need(event: str, args: tuple[object, ...]) -> None:
    with pytest.raises(PermissionError):
        Guard(AddressPolicy())(event, args)


def test_the_guard_lets_public_addresses_and_pythons_own_files_pass() -> None:
    guard = Guard(AddressPolicy())
    guard("socket.connect", (None, ("8.8.8.8", 443)))
    guard("open", (pytest.__file__, "r", 0))
    guard("import", ("json", None, None, None, None))


def test_a_message_is_plain_and_bounded() -> None:
    event = {
        "type": "job.failed",
        "data": {"domain": "e.com\x1b[31m\n", "error": None, "total_tasks": 3, "x": "y" * 5000},
    }
    text = text_of(event)
    assert text.startswith("domain: e.com [31m \ntotal tasks: 3\n")
    assert len(text) < 700
