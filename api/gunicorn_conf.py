"""What every gunicorn of ours has in common. Address, processes and grace come from Settings, by `crawlyard api`."""

from typing import Any

from api.context import EXTENSION

worker_class = "gthread"
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
    """Event streams end when their process is told to: they would hold up its end for minutes."""
    worker.wsgi.extensions[EXTENSION].streams.is_stopping = lambda: not worker.alive
