"""Every outgoing request goes through `workers/fetch.py`; here by what modules import, in
`tests/integration/test_one_egress.py` by what a worker process connects to.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = [p for top in ("api", "workers", "scheduler", "shared") for p in sorted((ROOT / top).rglob("*.py"))]

#: what can open a connection; a name covers all below it. Not here: redis and psycopg, whose addresses are the
#: operator's own settings (`test_architecture.py` keeps the latter in the store)
NETWORK = tuple(
    (
        "_socket socket socketserver ssl _ssl select selectors asyncio http.client http.server urllib.request "
        "xmlrpc ftplib smtplib imaplib poplib nntplib telnetlib wsgiref multiprocessing.connection logging.handlers "
        "requests urllib3 httpx httpcore h2 aiohttp anyio trio gevent eventlet tornado twisted websockets websocket "
        "pycurl paramiko dns psycopg2 apprise sentry_sdk opentelemetry prometheus_client.exposition "
        "google.auth.transport.requests google.auth.transport.urllib3 google.auth.transport.grpc "
        "googleapiclient standardwebhooks.http requests_oauthlib"
    ).split()
)
#: file → names and why: the guarded client, our own services, this machine
ALLOWED: dict[str, dict[str, str]] = {
    "workers/egress.py": {"socket": "the guard: looks up, checks, connects"},
    "workers/flight.py": {"socket": "a type", "ssl": "errors"},
    "workers/sockets.py": {
        **dict.fromkeys(("socket", "ssl"), "TLS on sockets from the guard"),
        "select": "asks whether an idle connection has ended",
    },
    "workers/messages.py": {"socket": "a type", "http.client": "reads odd answers from a given socket"},
    "workers/fetch.py": {"ssl": "a type", "http.client": "errors"},
    "workers/causes.py": {"http.client": "errors"},
    "workers/apprise_child.py": {"apprise": "in a process of its own, where the policy sees each connection"},
    "shared/apprise_urls.py": {"apprise": "asks whether it is installed"},
    "shared/addresses.py": {"socket": "looks names up, connects nowhere"},
    "workers/worker.py": {"socket": "this machine's name"},
    "shared/embedded.py": {"socket": "asks the embedded Redis on loopback whether it is there"},
    "shared/ports.py": {"socket": "looks for a free port by listening"},
    "shared/telemetry.py": {
        "sentry_sdk": "to the operator's own Sentry, which is no crawled host",
        "opentelemetry": "to the operator's own collector",
    },
    "api/cli/keyboard.py": {"select": "waits for a key on the terminal"},
    "api/cli/client.py": {"requests": "the command line's client of our own API"},
    "api/cli/demo_site.py": {"http.server": "the site of `crawlyard demo`, on loopback"},
}


def imported(path: Path) -> Iterator[str]:
    """Full names of what a module imports, also in functions and by `__import__` or `import_module` of a text."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in ("import_module", "__import__", "import_attribute", "find_spec"):
                yield str(node.args[0].value)


def network(path: Path) -> set[str]:
    """Which of NETWORK a module imports."""
    return {root for name in imported(path) for root in NETWORK if name == root or name.startswith(root + ".")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_module_can_open_a_connection(path: Path) -> None:
    allowed = ALLOWED.get(str(path.relative_to(ROOT)), {})
    assert network(path) - set(allowed) == set(), "use workers.fetch.Fetcher"


@pytest.mark.parametrize("name", ALLOWED)
def test_the_list_of_exceptions_is_not_longer_than_needed(name: str) -> None:
    assert set(ALLOWED[name]) <= network(ROOT / name)


@pytest.mark.parametrize(
    "code",
    [
        "import socket",
        "import requests as r",
        "from urllib.request import urlopen",
        "from urllib import request",
        "from http import client",
        "def f():\n    import httpx",
        "import importlib\nimportlib.import_module('smtplib')",
        "from google.auth.transport.requests import Request",
    ],
)
def test_each_way_to_import_is_seen(tmp_path: Path, code: str) -> None:
    (tmp_path / "m.py").write_text(code)
    assert network(tmp_path / "m.py")


def test_only_the_guard_connects() -> None:
    """Whoever may import `socket` beside the guard calls neither `connect` nor looks up names."""
    connecting = {"connect", "connect_ex", "create_connection", "getaddrinfo", "gethostbyname", "sendto"}
    for name, allowed in ALLOWED.items():
        if "socket" in allowed and name not in ("workers/egress.py", "shared/embedded.py"):
            called = {
                node.func.attr
                for node in ast.walk(ast.parse((ROOT / name).read_text()))
                if isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in ("socket", "sock", "probe")
            }
            assert not called & connecting, name
