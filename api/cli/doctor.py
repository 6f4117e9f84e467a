"""`doctor`: what is missing or wrong, one line each."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import click

from api.cli.home import running_url
from api.cli.text import echo, echo_json
from shared.errors import CrawlyardError, SettingsError
from shared.ports import check_port
from shared.settings import Settings

#: no clock that is right can show less: 2025-01-01, seconds since the epoch
_PAST = 1_735_689_600
_SKEW_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor."""

    ok: bool
    subject: str
    text: str

    def line(self) -> str:
        """ok or problem, subject, explanation."""
        return f"{'ok' if self.ok else 'problem':8} {self.subject:10} {self.text}"


Check = Callable[[Settings], tuple[bool, str]]


def check_python(settings: Settings) -> tuple[bool, str]:
    """Python 3.11 or newer."""
    version = ".".join(map(str, sys.version_info[:3]))
    return sys.version_info >= (3, 11), f"Python {version}"


def check_home(settings: Settings) -> tuple[bool, str]:
    """The home folder, or the nearest existing one above it, can be written to."""
    folder = next(p for p in (settings.home, *settings.home.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True, f"{settings.home} is writable"
    except OSError as error:
        return False, f"cannot write to {folder}: {error.strerror}"


def check_redis(settings: Settings) -> tuple[bool, str]:
    """A named Redis fits; without one there is a binary for the embedded server."""
    if not settings.redis_url:
        from shared.embedded import redis_binary

        return True, f"embedded: {redis_binary()}"
    from api.cli.redis_facts import redis_facts

    facts = redis_facts(settings.redis_url)
    wrong = []
    if int(facts.version.split(".")[0]) < 7:
        wrong.append("version 7 or newer is needed")
    if facts.policy != "noeviction":
        wrong.append(f"maxmemory-policy must be noeviction, not {facts.policy}")
    if not facts.persistent:
        wrong.append("no persistence: a restart loses queued work until the sweep finds it")
    return not wrong, "; ".join([f"version {facts.version}", *wrong])


def check_database(settings: Settings) -> tuple[bool, str]:
    """The database answers and has the newest schema."""
    from shared.store.migrate import is_current

    if settings.database_url is None and not (settings.home / "crawlyard.db").exists():
        return True, f"SQLite in {settings.home}, made at the first start"
    if is_current(settings.effective_database_url):
        return True, "reachable, schema up to date"
    return False, "schema out of date: run `crawlyard migrate`"


def check_api(settings: Settings) -> tuple[bool, str]:
    """The API answers, or its port is free for it."""
    url = running_url(settings.home)
    if url:
        return True, f"answers at {url}"
    check_port(settings.bind or "0.0.0.0", settings.port)  # nosec B104
    return True, f"not running; port {settings.port} is free"


def check_clock(settings: Settings) -> tuple[bool, str]:
    """The clock is plausible, and agrees with Redis where one is named."""
    now = time.time()
    if now < _PAST:
        return False, "the clock is years behind"
    if not settings.redis_url:
        return True, "plausible"
    from api.cli.redis_facts import redis_facts

    skew = abs(redis_facts(settings.redis_url).clock - now)
    return skew < _SKEW_SECONDS, f"{skew:.1f} s from that of Redis"


CHECKS: dict[str, Check] = {
    "python": check_python,
    "home": check_home,
    "redis": check_redis,
    "database": check_database,
    "api": check_api,
    "clock": check_clock,
}


def examine(settings: Settings) -> Iterator[Finding]:
    """All findings; what raises is a problem like any other."""
    for subject, check in CHECKS.items():
        try:
            ok, text = check(settings)
        except CrawlyardError as error:
            ok, text = False, error.message
        yield Finding(ok, subject, text)


def _settings() -> tuple[Settings | None, Finding]:
    try:
        return Settings.from_env(), Finding(True, "settings", "valid")
    except SettingsError as error:
        return None, Finding(False, "settings", error.message)


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def doctor_command(ctx: click.Context, as_json: bool) -> None:
    """Say what is missing or misconfigured."""
    settings, first = _settings()
    findings = [first, *(examine(settings) if settings else ())]
    if as_json:
        echo_json({"data": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            echo(finding.line())
    ctx.exit(0 if all(f.ok for f in findings) else 1)
