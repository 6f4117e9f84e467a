"""`crawlyard keys` on both databases."""

import re

import pytest
from click.testing import CliRunner, Result

from api.cli.root import cli
from shared.store import keys, open_store


@pytest.fixture(autouse=True)
def _database(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", store_url)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["keys", *arguments])


def created(*arguments: str) -> tuple[str, str]:
    """Secret and id of a new key."""
    done = run("create", "ci", *arguments)
    assert done.exit_code == 0, done.output
    key_id = re.search(r"key (\S+) ", done.stderr)
    assert key_id is not None
    return done.stdout.strip(), key_id[1]


def test_a_created_key_is_valid_and_shown_once(store_url: str) -> None:
    secret, key_id = created("--scope", "read")
    found = keys.authenticate(open_store(store_url), secret)
    assert found is not None
    assert (found.id, found.scopes) == (key_id, frozenset({"read"}))
    assert secret not in run("list").output


def test_a_revoked_key_is_valid_no_more(store_url: str) -> None:
    secret, key_id = created()
    assert run("revoke", key_id).exit_code == 0
    assert keys.authenticate(open_store(store_url), secret) is None
    assert "revoked" in run("list").output


def test_a_key_can_only_be_revoked_once() -> None:
    _, key_id = created()
    run("revoke", key_id)
    again = run("revoke", key_id)
    assert again.exit_code == 1
    assert "no key" in again.output


def test_an_unknown_scope_is_bad_usage() -> None:
    assert run("create", "ci", "--scope", "everything").exit_code == 2
