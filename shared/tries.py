"""How often a call to Redis is tried."""

from collections.abc import Callable
from typing import Any

from redis.retry import Retry


class Tries(Retry):
    """redis-py's, but only the outermost of nested calls tries again.

    A command, the connection that it needs and the look at that connection's health each try by themselves: with two
    tries more a Redis that takes connections and answers nothing cost 46 s a call, at 5 s a wait. Each connection has
    a copy of its own, and serves one thread at a time.
    """

    _is_inside = False

    def call_with_retry(self, do: Callable[[], Any], fail: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """The result of `do`, after so many failures at most. Raises the last one."""
        if self._is_inside:
            return do()
        self._is_inside = True
        try:
            return super().call_with_retry(do, fail, *args, **options)
        finally:
            self._is_inside = False
