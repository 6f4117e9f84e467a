"""REDIS_URL with sentinels: what it says, and what is refused."""

import pytest

from shared.errors import SettingsError
from shared.sentinel_url import SentinelUrl, parse
from shared.settings import Settings


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sentinel://a/m", SentinelUrl((("a", 26379),), "m", {"db": 0}, {})),
        ("redis+sentinel://a:1,b:2,[::1]:3/m/4", SentinelUrl((("a", 1), ("b", 2), ("::1", 3)), "m", {"db": 4}, {})),
        ("sentinel://:p%40w@a/m", SentinelUrl((("a", 26379),), "m", {"db": 0, "password": "p@w"}, {})),
        (
            "redis+sentinel://u:p@a/m?sentinel_username=su&sentinel_password=s%26p",
            SentinelUrl(
                (("a", 26379),),
                "m",
                {"db": 0, "username": "u", "password": "p"},
                {"username": "su", "password": "s&p"},
            ),
        ),
        (
            "rediss+sentinel://a/m?ssl_ca_certs=/ca.pem",
            SentinelUrl(
                (("a", 26379),),
                "m",
                {"db": 0, "ssl": True, "ssl_ca_certs": "/ca.pem"},
                {"ssl": True, "ssl_ca_certs": "/ca.pem"},
            ),
        ),
    ],
)
def test_what_it_says(url: str, expected: SentinelUrl) -> None:
    assert parse(url) == expected
    assert Settings.from_env({"REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "sentinel://a",
        "sentinel://a/",
        "sentinel:///m",
        "sentinel://a/m/x",
        "sentinel://a:99999/m",
        "sentinel://a:0/m",
        "sentinel://a,,b/m",
        "sentinel://[::1/m",
        "sentinel://a/m?retry=1",
    ],
)
def test_what_is_refused_is_one_line_that_names_the_variable_and_no_secret(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^REDIS_URL ") as caught:
        Settings.from_env({"REDIS_URL": url.replace("//", "//:geheimnis@", 1)})
    assert "geheimnis" not in caught.value.message


def test_its_secrets_are_not_in_its_text() -> None:
    assert "geheim" not in repr(parse("sentinel://u:geheim@a/m?sentinel_password=geheim2"))
