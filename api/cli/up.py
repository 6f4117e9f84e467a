"""`crawlyard up`: the whole system in the foreground."""

import threading
from dataclasses import replace

import click

from api.cli.client import Client
from api.cli.home import Key, ensure_key, remove_run, write_run
from api.cli.system import EXTRA_GRACE, LOOPBACK, children, prepared
from api.cli.text import echo
from shared.ports import check_port
from shared.settings import Settings
from shared.supervisor import Supervisor


@click.command("up")
@click.pass_context
def up_command(ctx: click.Context) -> None:
    """Run everything here until Ctrl-C: Redis, database, API, workers, scheduler."""
    given = Settings.from_env()
    settings = replace(given, bind=given.bind or LOOPBACK)
    check_port(settings.bind or LOOPBACK, settings.port)
    with prepared(settings) as ready:
        ctx.exit(_run(ready, ensure_key(ready)))


def _run(settings: Settings, key: Key) -> int:
    url = f"http://{_reachable(settings.bind or LOOPBACK)}:{settings.port}"
    supervisor = Supervisor(children(settings, key), settings.grace + EXTRA_GRACE)
    over = threading.Event()
    threading.Thread(target=_announce, args=(settings, key, url, over), daemon=True).start()
    try:
        return supervisor.run()
    finally:
        over.set()
        remove_run(settings.home)


def _reachable(host: str) -> str:
    """The address under which this machine reaches a server that listens on `host`."""
    if host in ("0.0.0.0", "::"):  # nosec B104
        return LOOPBACK
    return f"[{host}]" if ":" in host else host


def _announce(settings: Settings, key: Key, url: str, over: threading.Event) -> None:
    client = Client(url, None)
    while not client.answers():
        if over.wait(0.1):
            return
    client.close()
    write_run(settings.home, url)
    if over.is_set():
        remove_run(settings.home)
    for line in greeting(key, url):
        echo(line)


def greeting(key: Key, url: str) -> list[str]:
    """What `up` prints once the API answers: the addresses, and the key on the first start only."""
    if key.fresh:
        secret = f"{key.secret}  (kept in {key.path}, not shown again)"
    else:
        secret = f"in {key.path}" if key.path else "the one of CRAWLYARD_BOOTSTRAP_KEY"
    return [f"API        {url}", f"Dashboard  {url}/", f"API key    {secret}", "Ctrl-C stops everything."]
