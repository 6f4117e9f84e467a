"""`python -m workers.apprise_child`: sends one message, guarded, and ends.

Apprise opens connections of its own, so the guard sits below it: an audit hook (PEP 578), which nothing in the
process can take away, sees every connection, file and program before Python touches it.
"""

import os
import sys
import sysconfig
from typing import Any

import orjson

from shared.addresses import AddressPolicy

_NETWORK = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_FORBIDDEN = frozenset(
    {
        *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn"),
        *("socket.bind", "ctypes.dlopen", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink"),
    }
)
#: what TLS, time zones and the resolver read
_READABLE = ("/etc/ssl/", "/usr/lib/ssl/", "/usr/share/zoneinfo/", "/etc/mime.types", "/dev/null", "/dev/urandom")


class Guard:
    """The hook: public addresses and Python's own files only."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        folders = [path for path in (*sys.path, *sysconfig.get_paths().values()) if path]
        self._readable = (*(os.path.abspath(folder) + os.sep for folder in folders), *_READABLE)
        #: whether it kept Apprise from an address
        self.refused = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Raises PermissionError for what a message does not need."""
        if event in _FORBIDDEN:
            raise PermissionError(event)
        if event in _NETWORK:
            self._check_address(args[-1])
        elif event == "open" and isinstance(args[0], str):
            self._check_file(args[0], args[2])

    def _check_address(self, address: Any) -> None:
        try:
            host, port = str(address[0]), int(address[1])
            allowed = self._policy.allows(host, port, host)
        except (TypeError, ValueError, IndexError):  # a name or a local socket, which nobody has checked
            allowed = False
        if not allowed:
            self.refused = True
            raise PermissionError("address")

    def _check_file(self, path: str, flags: int) -> None:
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or not os.path.abspath(path).startswith(self._readable):
            raise PermissionError("file")


def main() -> int:
    """Sends the message on standard input; the exit status says how it went (workers/apprise.py)."""
    request = orjson.loads(sys.stdin.buffer.read())
    try:
        import apprise
    except ImportError:
        return 3
    guard = Guard(AddressPolicy(tuple(request["allow_private"])))
    sender = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    sys.addaudithook(guard)
    if not sender.add(request["url"]):
        return 4
    if sender.notify(body=request["body"], title=request["title"], body_format=apprise.NotifyFormat.TEXT):
        return 0
    return 6 if guard.refused else 5


if __name__ == "__main__":
    sys.exit(main())
