"""The canonical form, the page key, domains and scope."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidUrl
from shared.urls import (
    MAX_URL,
    Target,
    _bounded,
    _parsed,
    canonicalise,
    in_scope,
    parse_domain,
    split,
    url_key,
)
from workers.references import Resolver

#: pieces that exercise every branch of the parsers when strung together
WORDS = "../ ../ http: https: // / .. . a Z x-1 xn-- com 127.1 :80 :8080 @ ? # % %41 %2f %7E %zz = & \\ ü | [ ] ~ data:"
PIECES = st.sampled_from([*WORDS.split(" "), " ", "\t", "\udc80"])
REFERENCES = st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=30))
BASES = [
    "http://a.com/",
    "https://www.a.com:8443/x/y/z.html?q=1",
    "http://127.0.0.1:8000/d/",
    "http://[::1]/a/b",
    "http://a.com/x//y/",
]


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTP://User:pw@EXAMPLE.com:80", "http://example.com/"),
        ("https://example.com:443/a#b", "https://example.com/a"),
        ("http://example.com:8080/?", "http://example.com:8080/"),
        ("http://example.com/a/./b/../c/%2e%2e/d", "http://example.com/a/d"),
        ("http://example.com/%7euser/%e4%2F?q=%41%3d", "http://example.com/~user/%E4%2F?q=A%3D"),
        ("http://bücher.example/ä?ö", "http://xn--bcher-kva.example/%C3%A4?%C3%B6"),
        (" \thttp://example.com\\a b\n", "http://example.com/a%20b"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://example.com/100%", "http://example.com/100%25"),
        ("http://example.com/%%32e", "http://example.com/%252e"),
        ("http://example.com/a//b/;c?x=1?y", "http://example.com/a//b/;c?x=1?y"),
    ],
)
def test_every_spelling_has_one_canonical_form(url: str, canonical: str) -> None:
    assert canonicalise(url) == canonical


@pytest.mark.parametrize(
    ("ref", "joined"),
    [("b", "http://e.com/x/b"), ("../b", "http://e.com/b"), ("//f.com", "http://f.com/"), ("?q", "http://e.com/x/a?q")],
)
def test_references_are_joined_to_the_base(ref: str, joined: str) -> None:
    assert canonicalise(ref, "http://e.com/x/a?b#c") == joined


@pytest.mark.parametrize("url", ["", "a", "//x", "mailto:a@b", "javascript:x", "ftp://a/", "http://", "http://a b/"])
def test_what_cannot_be_crawled_is_invalid(url: str) -> None:
    with pytest.raises(InvalidUrl) as caught:
        canonicalise(url)
    assert caught.value.message.isprintable()


def test_length_is_bounded_before_and_after_encoding() -> None:
    stem = "http://example.com/"
    assert len(canonicalise(stem + "a" * (MAX_URL - len(stem)))) == MAX_URL
    for url in (stem + "a" * MAX_URL, stem + "ü" * 4000):
        with pytest.raises(InvalidUrl, match="longer than 8192"):
            canonicalise(url)


@given(REFERENCES, st.sampled_from(BASES))
def test_canonical_urls_stay_as_they_are(ref: str, base: str) -> None:
    try:
        url = canonicalise(ref, base)
    except InvalidUrl:
        return
    assert canonicalise(url) == url
    origin, path = split(url)
    assert origin + path == url
    assert path.startswith("/")
    assert origin.count("/") == 2


@given(REFERENCES, st.sampled_from(BASES))
def test_the_fast_paths_agree_with_the_parser(ref: str, base: str) -> None:
    assert _outcome(lambda: Resolver(base).resolve(ref)) == _outcome(lambda: _bounded(_parsed(ref, base)))
    assert _outcome(lambda: canonicalise(ref)) == _outcome(lambda: _bounded(_parsed(ref, None)))


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "port", ["", *(f":{n}" for n in "80 443 8080 08080 9999 10000 59999 65535 65536 99999".split())]
)
@pytest.mark.parametrize(
    "host", "localhost 127.0.0.1 127.0.0.01 255.255.255.255 256.1.1.1 1.2.3 1.2.3.4.5 0.0.0.0 a.com xn--a.com".split()
)
def test_the_fast_path_of_hosts_agrees_with_the_parser(scheme: str, host: str, port: str) -> None:
    url = f"{scheme}://{host}{port}/a"
    try:
        parsed = _bounded(_parsed(url, None))
    except InvalidUrl:
        with pytest.raises(InvalidUrl):
            canonicalise(url)
    else:
        assert canonicalise(url) == parsed


@given(st.lists(REFERENCES, max_size=3), st.sampled_from(BASES), st.sampled_from(["b", "?q=1", "b?q=2/3"]))
def test_all_references_of_a_page_are_resolved_as_each_one_is(refs: list[str], base: str, page: str) -> None:
    for resolver in (Resolver(base), Resolver(canonicalise(page, base))):
        assert resolver.resolved(refs) == [_outcome(lambda r=ref, of=resolver: of.resolve(r)) or "" for ref in refs]


@pytest.mark.parametrize(
    "ref", ["", "?q", "http:?q", "HTTP:", "ht\ntp:?q", "http:b", ".?q", " ", " ?q", "x" * 301, "%?", "_?"]
)
def test_pages_of_one_folder_keep_their_own_references(ref: str) -> None:
    for page in ("http://example.com/a/b?1", "http://example.com/a/c", "http://example.com/a/c"):
        assert Resolver(page).resolved([ref, "mailto:a"]) == [canonicalise(ref, page), ""]


def _outcome(call: object) -> str | None:
    try:
        return call()  # type: ignore[operator, no-any-return]
    except InvalidUrl:
        return None


@pytest.mark.parametrize("other", ["https://e.com/a?b", "http://www.e.com/a?b", "https://www.e.com/a?b"])
def test_scheme_and_www_do_not_change_the_key(other: str) -> None:
    assert url_key(other) == url_key("http://e.com/a?b")


@pytest.mark.parametrize("other", ["http://e.com/a?c", "http://e.com/a", "http://e.com:81/a?b", "http://m.e.com/a?b"])
def test_other_pages_have_other_keys(other: str) -> None:
    assert url_key(other) != url_key("http://e.com/a?b")


def test_keys_fit_a_signed_64_bit_integer() -> None:
    keys = {url_key(f"http://e.com/{i}") for i in range(10_000)}
    assert len(keys) == 10_000
    assert all(0 <= key < 2**62 for key in keys)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("localhost", Target(None, "localhost", "/")),
        ("127.0.0.1:8080", Target(None, "127.0.0.1:8080", "/")),
        ("[::1]:80", Target("http", "[::1]", "/")),
        ("bücher.example", Target(None, "xn--bcher-kva.example", "/")),
        ("example.com:443", Target("https", "example.com", "/")),
        ("HTTPS://Example.COM.:443/a?b#c", Target("https", "example.com", "/a?b")),
        (" example.com/x ", Target(None, "example.com", "/x")),
        ("http://example.com:443", Target("http", "example.com:443", "/")),
        ("my_host-1", Target(None, "my_host-1", "/")),
    ],
)
def test_domains_are_read(text: str, target: Target) -> None:
    assert parse_domain(text) == target


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "empty"),
        ("a b", "space"),
        ("a\x00b", "illegal character"),
        ("user:pw@example.com", "credentials"),
        ("ftp://example.com", "ftp"),
        ("mailto:a@example.com", "credentials"),
        ("example.com:0", "port"),
        ("example.com:65536", "port"),
        ("example.com:1e3", "port"),
        ("http://", "no host"),
        ("/path", "no host"),
        ("foo!", "host name"),
        ("a..b", "host name"),
        ("x" * 300, "host name"),
        ("x" * 9000, "longer"),
        ("999.1.1.1", "valid"),
        ("http://[::1", "valid"),
    ],
)
def test_a_wrong_domain_says_what_is_wrong(text: str, wrong: str) -> None:
    with pytest.raises(InvalidUrl, match=wrong) as caught:
        parse_domain(text)
    assert len(caught.value.message) < 300


@given(st.text(max_size=40))
def test_any_text_is_a_domain_or_invalid(text: str) -> None:
    try:
        target = parse_domain(text)
    except InvalidUrl:
        return
    assert parse_domain(f"{target.scheme or 'http'}://{target.host}{target.path}").host == target.host


@pytest.mark.parametrize(
    ("host", "domain", "cross", "inside"),
    [
        ("e.com", "e.com", False, True),
        ("www.e.com", "e.com", False, True),
        ("e.com", "www.e.com", False, True),
        ("m.e.com", "e.com", False, False),
        ("m.e.com", "www.e.com", True, True),
        ("a.e.co.uk", "b.e.co.uk", True, True),
        ("e.co.uk", "f.co.uk", True, False),
        ("a.github.io", "b.github.io", True, False),
        ("e.com:8080", "e.com", True, False),
        ("m.e.com:8080", "e.com:8080", True, True),
        ("127.0.0.1", "127.0.0.2", True, False),
        ("1.0.0.1", "2.0.0.1", True, False),
        ("[::1]", "[::2]", True, False),
        ("localhost:1", "localhost:1", True, True),
        ("localhost:1", "localhost:2", True, False),
        ("evil-e.com", "e.com", True, False),
    ],
)
def test_scope(host: str, domain: str, cross: bool, inside: bool) -> None:
    assert in_scope(host, domain, cross) is inside
