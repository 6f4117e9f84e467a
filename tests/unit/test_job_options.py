"""A job's options keep their values on every way they go: JSON, SQL and back."""

from collections.abc import Iterator
from dataclasses import replace

import orjson
import pytest

from shared.models import JobOptions
from shared.states import JobMode
from shared.store import Store, job_options, jobs, keys, open_store
from shared.store.jobs import FirstTask

FULL = JobOptions(
    find_links=False,
    max_pages=7,
    mode=JobMode.DISCOVER,
    include=("/blog/*",),
    exclude=("re:[?&]sort=", "*.pdf"),
    max_depth=0,
    query="keep",
    query_names=("page",),
    user_agent="Probe/1",
    sitemap_url="https://example.com/sitemap.xml",
    urls=("https://example.com/a", "https://example.com/b"),
    sealed="token",
    header_names=("x-env",),
    cookie_names=("session",),
    has_auth=True,
)


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    opened = open_store(sqlite_url)
    yield opened
    opened.close()


def submitted(store: Store, options: JobOptions) -> int:
    key, _ = keys.create(store, None, "test")
    return jobs.submit(store, key.organisation_id, "example.com", options, FirstTask(), None)[0].id


@pytest.mark.parametrize("options", [JobOptions(), FULL])
def test_options_come_back_from_json(options: JobOptions) -> None:
    assert JobOptions.from_dict(orjson.loads(orjson.dumps(options.as_dict()))) == options


def test_only_what_differs_from_the_defaults_is_written() -> None:
    assert JobOptions(max_pages=3).as_dict() == {"max_pages": 3}


def test_an_option_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(TypeError):
        JobOptions.from_dict({"depth": 3})


def test_options_come_back_from_the_store_but_for_the_urls(store: Store) -> None:
    job = jobs.get(store, submitted(store, FULL))
    assert job.options == replace(FULL, urls=(), url_count=2)


def test_the_urls_of_a_job_are_read_apart(store: Store) -> None:
    assert job_options.seeds(store, submitted(store, FULL)) == list(FULL.urls)
    assert job_options.seeds(store, submitted(store, JobOptions())) == []


def test_no_repr_shows_what_is_sealed() -> None:
    assert "token" not in repr(FULL)
