"""A bound on each wait for PostgreSQL, on both ends of the line.

`statement_timeout` ends what is slow. A server that is frozen or overwhelmed does not even look at its clock, and
its kernel goes on answering keepalives: then the client gives the connection up by itself.
"""

from collections.abc import Callable
from typing import Any

from psycopg import Connection, OperationalError, errors

#: seconds more than the server has, so that a server that is alive is the one to say so
_GRACE = 2.0


def bounded(seconds: float) -> Callable[[Any, Any, list[Any], dict[str, Any]], Any]:
    """What opens a connection (SQLAlchemy's event `do_connect`) on which no statement takes longer."""

    class Bounded(Connection[Any]):
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, seconds + _GRACE if timeout is None else timeout)
            except errors._WaitTimeout:
                if timeout is not None:
                    raise
                self.close()
                raise OperationalError(f"no answer within {seconds:g} s") from None

    def connect(_dialect: Any, _record: Any, args: list[Any], options: dict[str, Any]) -> Any:
        timeout = f"{options['options']} -c statement_timeout={round(seconds * 1000)}"
        return Bounded.connect(*args, **{**options, "options": timeout})

    return connect
