import pytest

from shared.errors import SettingsError
from shared.queue import ROUTES
from shared.settings import Settings, child_env
from shared.states import TaskKind
from workers import large, turns

WRONG = {
    "REDIS_URL": ["http://x", "localhost:6379", "redis://h:99999", "redis://[::1"],
    "DATABASE_URL": ["mysql://x/y", "crawlyard.db", "postgresql://h:0/x"],
    "PORT": ["0", "65536", "http", "80.5", "-1"],
    "WEB_CONCURRENCY": ["0", "65", "two"],
    "WORKER_PROCESSES": ["0", "257", "x"],
    "WORKER_THREADS": ["0", "513", "x"],
    "CRAWLYARD_CPU_AFFINITY": ["0", "two"],
    "GRACE": ["-1", "3601", "nan", "soon"],
    "LOG_LEVEL": ["LOUD"],
    "CRAWLYARD_BIND": ["not a host", "http://x"],
    "CRAWLYARD_BOOTSTRAP_KEY": ["short", "has a space in the middle", "schlüssel-schlüssel"],
    "CRAWLYARD_ALLOW_PRIVATE": ["http://x", "a b", "host:0", "host:70000", "10.0.0.0/99", "u@h"],
    "CRAWLYARD_USER_AGENT": ["ünïcode", "a\x07b", "x" * 501],
    "CRAWLYARD_CONNECT_TIMEOUT": ["0", "61", "x"],
    "CRAWLYARD_FIRST_BYTE_TIMEOUT": ["0", "121", "x"],
    "CRAWLYARD_TOTAL_TIMEOUT": ["0", "301", "inf"],
    "CRAWLYARD_MAX_BODY": ["999", "1000000001", "1e6"],
    "CRAWLYARD_MAX_DECODED": ["999", "1000000001"],
    "CRAWLYARD_MAX_REDIRECTS": ["-1", "51"],
    "CRAWLYARD_COMPLETED_TTL": ["0", "x"],
    "CRAWLYARD_HOST_DELAY": ["-1", "x"],
    "CRAWLYARD_FAILED_TTL": ["59", "x"],
    "CRAWLYARD_RETENTION_DAYS": ["-1", "x"],
    "CRAWLYARD_RATE_LIMIT": ["-1", "1000001"],
    "CRAWLYARD_GA4_ENDPOINT": ["ftp://x", "analyticsdata.googleapis.com"],
    "CRAWLYARD_API": ["ftp://x", "localhost:8000"],
    "CRAWLYARD_API_KEY": ["short"],
}


def test_it_works_without_any_variable() -> None:
    settings = Settings.from_env({})
    assert (settings.port, settings.redis_url, settings.allow_private) == (8000, None, ())


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in WRONG.items() for v in values])
def test_a_wrong_value_is_one_line_that_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({name: value})
    assert caught.value.message.startswith(name)
    assert "\n" not in caught.value.message


def test_an_empty_value_counts_as_unset() -> None:
    assert Settings.from_env(dict.fromkeys(WRONG, " ")) == Settings.from_env({})


@pytest.mark.parametrize("word", ["localhost", "localhost:8001", "10.0.0.0/8", "::1", "[::1]:80", "bücher.example"])
def test_private_targets_may_be_hosts_ports_and_networks(word: str) -> None:
    assert Settings.from_env({"CRAWLYARD_ALLOW_PRIVATE": f" {word} ,"}).allow_private == (word,)


def test_the_database_is_sqlite_in_the_home_folder_unless_named() -> None:
    assert Settings.from_env({"CRAWLYARD_HOME": "/x"}).effective_database_url == "sqlite:////x/crawlyard.db"
    assert Settings.from_env({"DATABASE_URL": "postgresql://h/d"}).effective_database_url == "postgresql://h/d"


def test_children_get_absolute_paths_and_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    env = child_env(Settings.from_env({"CRAWLYARD_HOME": "/x"}), PORT="1", LOG_LEVEL=None)
    assert (env["CRAWLYARD_HOME"], env["PORT"], env["TZ"]) == ("/x", "1", "UTC")
    assert "LOG_LEVEL" not in env
    assert "REDIS_URL" not in env


def test_every_setting_is_documented() -> None:
    with open("deploy/env.example") as file:
        text = file.read()
    assert [name for name in (*WRONG, "CRAWLYARD_HOME") if f"#{name}=" not in text] == []


def test_a_page_has_all_the_time_that_the_limits_allow_before_the_watchdog_ends_it() -> None:
    total = Settings.from_env({"CRAWLYARD_TOTAL_TIMEOUT": "300"}).limits.total
    # robots.txt, the page, the page without conditions, its twin; a turn at the host; room for a large body
    assert ROUTES[TaskKind.CRAWL_PAGE].timeout > 4 * total + turns.PATIENCE + large._PATIENCE
