"""Domains and URLs in requests: the pattern in the OpenAPI document and what is read are the same."""

import random
import re

import pytest
from pydantic import ValidationError

from api.schemas import targets
from api.schemas.domains import CreatePage
from api.schemas.jobs import CreateJob
from shared import urls

REAL = (
    "example.com EXAMPLE.com. localhost:8080 my_host-1 127.0.0.1 [::1]:80 [2001:db8::1] xn--bcher-kva.example"
    " bücher.example ΕΛΛΆΔΑ.gr пример.рф 例え.テスト 한국.com ไทย.com हिन्दी.com مثال.com דוגמה.co.il"
)
NONE = (
    "0",
    "a.0",
    "1.2.3",
    "a b",
    "a..b",
    "-a",
    "a:0",
    "a:65536",
    "u@a.com",
    "a/b c",
    "a\\b",
    "🙂.com",
    "a." * 128,
    "[::1",
)
GROUPS = [(targets._LATIN, 22), (targets._ASIAN, 14), (targets._RIGHT, 20), ("A-Za-z0-9_-", 62)]


@pytest.mark.parametrize("host", REAL.split())
def test_real_hosts_are_described(host: str) -> None:
    assert re.fullmatch(targets.DOMAIN, host)
    assert re.fullmatch(targets.URL, f"https://{host}/a?b=ü#c")
    assert CreateJob(domain=f"http://{host}/x").domain


@pytest.mark.parametrize("text", NONE)
def test_what_the_document_excludes_is_refused(text: str) -> None:
    assert not re.fullmatch(targets.DOMAIN, text)
    with pytest.raises(ValidationError):
        CreateJob(domain=text)


@pytest.mark.parametrize(("letters", "most"), GROUPS)
def test_every_described_letter_stands_in_a_host(letters: str, most: int) -> None:
    found = [chr(c) for c in range(0x10000) if re.fullmatch(f"[{letters}]", chr(c))]
    random.Random(1).shuffle(found)
    for n in range(0, len(found), most):
        label = "a" * (letters[0] == "A") + "".join(found[n : n + most])
        host = ".".join([label, label, label, "a"])
        assert re.fullmatch(targets.DOMAIN, host)
        assert urls.parse_domain(host).host
        assert urls.canonicalise(f"http://{host}/")


def test_the_longest_described_url_is_accepted() -> None:
    url = ("https://example.com/" + "🙂" * 200).ljust(targets.LONGEST, "^")
    assert re.fullmatch(targets.URL, url)
    assert CreatePage(url=url).url == url
    with pytest.raises(ValidationError):
        CreatePage(url=url + "^")
