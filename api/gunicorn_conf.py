"""What every gunicorn of ours has in common. Address, processes and grace come from Settings, by `crawlyard api`."""

from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger

from api.context import EXTENSION
from shared import telemetry
from shared.affinity import Affinity


class PlainLogger(Logger):  # type: ignore[misc]
    """gunicorn's own lines in the form of all others: the root logger of api/wsgi.py writes them."""

    def setup(self, cfg: Config) -> None:
        """Called once, before the application is loaded."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


logger_class = PlainLogger
worker_class = "gthread"
# The address is taken when the application is there, not seconds before (a minute, on a machine that is full): until
# then a client is refused, which it can see, and does not hang; and SIGTERM finds no worker that still imports.
preload_app = True
threads = 16
# The control socket would sit in the home folder, shared by every gunicorn of this user.
control_socket_disable = True
# Heartbeat files in memory: on a busy disk a worker can look dead.
worker_tmp_dir = None
timeout = 60
keepalive = 75
accesslog = None
errorlog = "-"


def post_worker_init(worker: Any) -> None:
    """What is of each process: its threads, and the end of its event streams, which would hold up its own."""
    services = worker.wsgi.extensions[EXTENSION]
    telemetry.start(services.settings, "api")
    if services.settings.one_cpu:
        Affinity().start()
    services.streams.is_stopping = lambda: not worker.alive
