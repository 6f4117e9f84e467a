import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from api.cli import home
from api.cli.home import Key, ensure_key
from api.cli.processes import api_argv, module_argv
from api.cli.root import VERBS, cli
from api.cli.target import check_target, loopback_host
from api.cli.up import greeting
from shared.ports import free_port
from shared.settings import Settings


def run(*args: str, **env: str) -> Result:
    return CliRunner().invoke(cli, args, env=env, prog_name="crawlyard")


def test_it_works() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(verb in result.output for verb in VERBS)


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_explains_itself(verb: str) -> None:
    assert run(verb, "--help").exit_code == 0


def leaves(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Each verb that does something, with its name."""
    if not isinstance(command, click.Group):
        yield name.strip(), command
        return
    for part in command.list_commands(click.Context(command)):
        found = command.get_command(click.Context(command), part)
        assert found is not None
        yield from leaves(found, f"{name} {part}")


def test_every_verb_that_tells_something_tells_it_as_json_too() -> None:
    without = {name for name, leaf in leaves(cli) if not any("--json" in option.opts for option in leaf.params)}
    assert without == {"up", "api", "worker", "scheduler", "migrate", "completion", "metrics"}


def test_the_doctors_findings_as_json(tmp_path: Path) -> None:
    result = run("doctor", "--json", CRAWLYARD_HOME=str(tmp_path), PORT=str(free_port()))
    told = {finding["subject"]: finding["ok"] for finding in json.loads(result.stdout)["data"]}
    assert (result.exit_code, told["settings"], told["python"]) == (0, True, True)
    result = run("doctor", "--json", PORT="abc")
    assert (result.exit_code, json.loads(result.stdout)["data"][0]["ok"]) == (1, False)


@pytest.mark.parametrize("verb", ["up", "worker", "scheduler", "api", "migrate", "jobs", "stats", "demo"])
def test_a_wrong_setting_is_one_line_and_status_2(verb: str) -> None:
    result = run(verb, PORT="abc")
    assert result.exit_code == 2
    assert result.stderr == "crawlyard: PORT must be a whole number from 1 to 65535, not 'abc'\n"


@pytest.mark.parametrize(
    "args",
    [[], [""], ["http://"], ["ftp://x"], ["http://x:0"], ["http://[x"], ["x", "--max-pages", "-1"]],
)
def test_bad_usage_of_crawl_ends_with_2(args: list[str], tmp_path: Path) -> None:
    assert run("crawl", *args, CRAWLYARD_HOME=str(tmp_path)).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_without_a_running_system_jobs_says_what_to_do(tmp_path: Path) -> None:
    result = run("jobs", CRAWLYARD_HOME=str(tmp_path))
    assert result.exit_code == 1
    assert "crawlyard up" in result.stderr


def test_a_run_file_of_a_dead_process_is_no_running_system(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"pid": 4194304, "api": "http://127.0.0.1:1"}')
    assert home.running_url(tmp_path) is None


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("http://localhost:8001/x", "localhost:8001"),
        ("localhost:8001", "localhost:8001"),
        ("127.9.9.9", "127.9.9.9"),
        ("http://[::1]:80/", "[::1]:80"),
        ("https://example.com", None),
        ("http://127.0.0.1.example.com", None),
    ],
)
def test_only_this_machine_counts_as_loopback(target: str, host: str | None) -> None:
    assert check_target(f" {target} ") == target
    assert loopback_host(target) == host


def test_the_key_is_made_once_and_only_the_owner_can_read_it(tmp_path: Path) -> None:
    settings = Settings.from_env({"CRAWLYARD_HOME": str(tmp_path / "new")})
    first, second = ensure_key(settings), ensure_key(settings)
    assert (first.fresh, second.fresh, first.secret == second.secret) == (True, False, True)
    assert (len(first.secret), first.secret[:3]) == (46, "cy_")
    assert (tmp_path / "new" / "api-key").stat().st_mode & 0o777 == 0o600


def test_a_key_of_the_environment_is_not_written_down(tmp_path: Path) -> None:
    settings = Settings.from_env({"CRAWLYARD_HOME": str(tmp_path), "CRAWLYARD_BOOTSTRAP_KEY": "k" * 20})
    assert ensure_key(settings).secret == "k" * 20
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_printed_on_the_first_start_only() -> None:
    assert "cy_secret" in "".join(greeting(Key("cy_secret", True, Path("f")), "http://x"))
    assert "cy_secret" not in "".join(greeting(Key("cy_secret", False, Path("f")), "http://x"))


def test_the_api_listens_where_the_settings_say() -> None:
    argv = api_argv(Settings.from_env({"CRAWLYARD_BIND": "::1", "PORT": "81", "WEB_CONCURRENCY": "3"}))
    assert argv[:4] == [sys.executable, "-P", "-m", "gunicorn"]
    assert {"[::1]:81", "3", "--no-control-socket"} < set(argv)


@pytest.mark.parametrize("verb", ["worker", "scheduler", "api"])
def test_a_verb_becomes_its_process(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr("os.execve", lambda path, argv, env: seen.append(argv))
    assert run(verb, PORT=str(free_port())).exit_code == 0
    assert seen[0][:3] == module_argv("x")[:3]


def test_worker_passes_its_flags_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr("os.execve", lambda path, argv, env: seen.append(argv))
    run("worker", "--processes", "2", "--threads", "5", "--burst", "--queues", "a,b")
    assert seen[0][3:] == ["workers", "--processes", "2", "--threads", "5", "--burst", "--queues", "a,b"]
