"""Completion of verbs, options and job ids."""

import pytest
from click.testing import CliRunner

from api import examples
from api.cli.root import cli
from tests.pretended import Pretended

ASK = {"bash": "bash_complete", "zsh": "zsh_complete", "fish": "fish_complete"}


def complete(words: str, count: int) -> list[str]:
    env = {"_CRAWLYARD_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(count)}
    return CliRunner().invoke(cli, [], env=env, prog_name="crawlyard").output.split()


@pytest.mark.parametrize("shell", list(ASK))
def test_each_shell_gets_its_script(shell: str) -> None:
    script = CliRunner().invoke(cli, ["completion", shell], prog_name="crawlyard").stdout
    assert f"_CRAWLYARD_COMPLETE={ASK[shell]}" in script


def test_a_zsh_without_completion_gets_it() -> None:
    script = CliRunner().invoke(cli, ["completion", "zsh"], prog_name="crawlyard").stdout
    assert "autoload -Uz compinit" in script.splitlines()[0]


def test_verbs_and_options_are_completed() -> None:
    assert complete("crawlyard wa", 1) == ["plain,watch"]
    assert complete("crawlyard jobs ca", 2) == ["plain,cancel"]
    assert complete("crawlyard crawl --fail", 2) == ["plain,--fail-on"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_told_what_each_verb_does(shell: str) -> None:
    words, count = {"zsh": ("crawlyard wa", "1"), "fish": ("crawlyard wa", "wa")}[shell]
    env = {"_CRAWLYARD_COMPLETE": ASK[shell], "COMP_WORDS": words, "COMP_CWORD": count}
    told = CliRunner().invoke(cli, [], env=env, prog_name="crawlyard").output
    assert "watch" in told
    assert "Show a crawl as it goes" in told


def test_ids_of_jobs_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    Pretended(monkeypatch)
    (found,) = complete("crawlyard watch ", 2)
    assert found.removeprefix("plain,") == examples.answer("list_jobs", 200)["jobs"][0]["id"]
    assert complete("crawlyard jobs show nothing-begins-so", 3) == []


def test_without_a_system_nothing_is_completed_and_nothing_complains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRAWLYARD_API", "http://127.0.0.1:1")
    assert complete("crawlyard watch ", 2) == []
