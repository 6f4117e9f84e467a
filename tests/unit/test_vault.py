"""Secrets at rest: what opens them, and what does not."""

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from shared import vault
from shared.errors import SettingsError
from shared.settings import Settings

OLD, NEW = "an-old-key-of-thirty-two-characters", "a-new-key-of-thirty-two-characters!"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"CRAWLYARD_HOME": str(tmp_path)})


def keyed(settings: Settings, *keys: str) -> Settings:
    return replace(settings, secret_keys=keys)


def test_what_is_sealed_can_be_opened(settings: Settings) -> None:
    sealed = vault.seal(settings, "swordfish")
    assert "swordfish" not in sealed
    assert vault.open_sealed(settings, sealed) == "swordfish"


def test_the_key_file_is_for_its_owner_alone(settings: Settings) -> None:
    vault.seal(settings, "x")
    assert [path.name for path in settings.home.iterdir()] == ["secret.key"]
    assert stat.S_IMODE((settings.home / "secret.key").stat().st_mode) == 0o600


def test_processes_that_start_at_once_agree_on_one_key(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda n: vault.seal(settings, str(n)), range(8)))
    assert [vault.open_sealed(settings, s) for s in sealed] == [str(n) for n in range(8)]


def test_a_new_key_opens_what_the_old_one_sealed_while_both_are_set(settings: Settings) -> None:
    sealed = vault.seal(keyed(settings, OLD), "swordfish")
    assert vault.open_sealed(keyed(settings, NEW, OLD), sealed) == "swordfish"
    with pytest.raises(vault.SecretUnreadable):
        vault.open_sealed(keyed(settings, NEW), sealed)


def test_with_a_database_for_many_machines_the_key_must_be_set(settings: Settings) -> None:
    shared = replace(settings, database_url="postgresql://db/crawlyard")
    with pytest.raises(vault.NoSecretKey, match="CRAWLYARD_SECRET_KEY"):
        vault.seal(shared, "x")
    assert vault.open_sealed(keyed(shared, OLD), vault.seal(keyed(shared, OLD), "x")) == "x"


def test_a_damaged_key_file_is_said_to_be_one(settings: Settings) -> None:
    settings.home.mkdir(exist_ok=True)
    (settings.home / "secret.key").write_text("short")
    with pytest.raises(vault.NoSecretKey, match="damaged"):
        vault.seal(settings, "x")


def test_a_short_key_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match="CRAWLYARD_SECRET_KEY must be at least 32"):
        Settings.from_env({"CRAWLYARD_SECRET_KEY": f"{NEW},short"})
