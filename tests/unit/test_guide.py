"""What a job's requests say of themselves, and to whom."""

from dataclasses import replace
from typing import Any

import pytest

from shared.credentials import Credentials, sealed
from shared.models import Domain, Job, JobOptions
from shared.settings import Settings
from shared.stages import Work
from shared.states import JobState, TaskKind
from workers.errors import CredentialsUnreadable, RedirectRefused
from workers.guide import guide

SECRET = "open sesame"
SETTINGS = Settings.from_env({"CRAWLYARD_HOME": "/nonexistent", "CRAWLYARD_SECRET_KEY": "k" * 40})
GIVEN = Credentials(headers={"x-env": "stage"}, cookies={"sid": "1", "b": "2"}, username="käthe", password=SECRET)


def work(host: str = "www.example.co.uk", origin: str = "https://www.example.co.uk", **options: Any) -> Work:
    chosen = sealed(SETTINGS, JobOptions(**options), GIVEN)
    domain = Domain(1, "uid", 1, 1, host, 1)
    job = Job(1, 1, "org", domain, origin, chosen, JobState.RUNNING, None, 1, None, None, None)
    return Work(2, TaskKind.CRAWL_PAGE, f"{origin}/", 1, 3, 1, job)


def headers(url: str, task: Work | None = None) -> dict[str, str]:
    ask = guide(SETTINGS, task or work())
    assert ask is not None
    return dict(ask(url))


def test_the_jobs_own_host_gets_headers_cookies_and_basic_authentication() -> None:
    assert headers("https://www.example.co.uk/a") == {
        "x-env": "stage",
        "cookie": "sid=1; b=2",
        "authorization": "Basic a8OkdGhlOm9wZW4gc2VzYW1l",
    }


@pytest.mark.parametrize(
    ("url", "gets"),
    [
        ("https://example.co.uk/", True),
        ("https://blog.example.co.uk/", True),
        ("https://example2.co.uk/", False),
        ("https://www.example.co.uk.evil.test/", False),
        ("https://evil.test/?https://www.example.co.uk/", False),
        ("https://co.uk/", False),
        ("https://blog.example.co.uk:8443/", False),
        ("http://www.example.co.uk/", False),
    ],
)
def test_other_hosts_and_unencrypted_ones_get_nothing(url: str, gets: bool) -> None:
    assert bool(headers(url)) is gets


def test_without_other_subdomains_only_the_host_gets_them() -> None:
    task = work(allow_cross_subdomain_links=False)
    assert headers("https://example.co.uk/", task)
    assert not headers("https://blog.example.co.uk/", task)


def test_users_of_a_private_suffix_are_strangers() -> None:
    task = work("me.github.io", "https://me.github.io")
    assert headers("https://docs.me.github.io/", task)
    assert not headers("https://you.github.io/", task)


def test_a_site_without_encryption_gets_them_in_clear() -> None:
    assert headers("http://h.test/a", work("h.test", "http://h.test"))


def test_the_user_agent_is_no_secret() -> None:
    task = work(user_agent="Probe/1")
    assert headers("https://evil.test/", task) == {"user-agent": "Probe/1"}
    assert headers("https://www.example.co.uk/", task)["user-agent"] == "Probe/1"


def test_a_job_that_wants_nothing_special_needs_no_guide() -> None:
    task = work()
    plain = replace(task, job=replace(task.job, options=JobOptions()))
    assert guide(SETTINGS, plain) is None


def test_a_redirect_to_an_excluded_page_is_not_followed() -> None:
    task = work(exclude=("/private/*",))
    with pytest.raises(RedirectRefused, match=r"/private/a, which the rule /private/\* excludes"):
        headers("https://blog.example.co.uk/private/a", task)
    assert headers("https://evil.test/private/a", task) == {}
    assert headers("https://blog.example.co.uk/private/a", replace(task, is_start=True))


def test_another_key_cannot_open_them() -> None:
    other = replace(SETTINGS, secret_keys=("o" * 40,))
    with pytest.raises(CredentialsUnreadable, match="CRAWLYARD_SECRET_KEY"):
        guide(other, work())


def test_no_repr_and_no_json_holds_them_in_clear() -> None:
    task = work()
    assert SECRET not in repr(task) + repr(GIVEN) + str(task.job.options.as_dict())
    assert "stage" not in repr(GIVEN)
    assert (task.job.options.header_names, task.job.options.cookie_names) == (("x-env",), ("b", "sid"))
