"""Pages read: links, titles, robots meta, charsets, and markup made to hurt."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.parse import MAX_HTML, MAX_LINKS, ParsedPage, is_html, parse_html

URL = "http://e.com/dir/page.html"


def parse(body: str | bytes, content_type: str | None = "text/html; charset=utf-8") -> ParsedPage:
    return parse_html(body.encode() if isinstance(body, str) else body, URL, content_type)


def test_it_works() -> None:
    page = parse("<title> A \n B </title><a href='x'>1</a><a href='/y#z'>2</a><area href='//f.com/?q'>")
    assert page.title == "A B"
    assert page.links == ("http://e.com/dir/x", "http://e.com/y", "http://f.com/?q")
    assert (page.canonical, page.noindex, page.truncated) == (None, False, False)


def test_links_are_unique_and_in_document_order() -> None:
    page = parse("<a href=b><a href=a#1><link rel=next href=c><a href='./b'><a href=a#2><a href=''><a>")
    assert page.links == ("http://e.com/dir/b", "http://e.com/dir/a", "http://e.com/dir/c", URL)


def test_only_http_links_count() -> None:
    page = parse("<a href='mailto:a@b'><a href='javascript:x()'><a href='tel:1'><a href='http://['><a href=ok>")
    assert page.links == ("http://e.com/dir/ok",)


@pytest.mark.parametrize(
    ("rel", "followed"),
    [("next", 1), ("canonical", 1), ("ALTERNATE", 1), ("stylesheet", 0), ("alternate stylesheet", 0), ("icon", 0)],
)
def test_link_elements_count_by_rel(rel: str, followed: int) -> None:
    assert len(parse(f"<link rel='{rel}' href='/x'>").links) == followed


def test_nofollow_links_are_left_out() -> None:
    assert parse("<a rel='me NoFollow' href=a><a rel=me href=b>").links == ("http://e.com/dir/b",)


@pytest.mark.parametrize(
    ("content", "links", "noindex"),
    [("nofollow", 0, False), ("NOINDEX", 1, True), ("none", 0, True), ("index, follow", 1, False), ("", 1, False)],
)
def test_meta_robots(content: str, links: int, noindex: bool) -> None:
    page = parse(f"<meta name=Robots content='{content}'><a href=x>")
    assert (len(page.links), page.noindex) == (links, noindex)


@pytest.mark.parametrize(
    ("base", "link"),
    [("/other/", "http://e.com/other/x"), ("http://f.com", "http://f.com/x"), ("data:x", "http://e.com/dir/x")],
)
def test_base_counts_for_all_links(base: str, link: str) -> None:
    assert parse(f"<a href=x><base href='{base}'><base href='/late/'>").links == (link,)


def test_canonical_is_resolved() -> None:
    assert parse("<link rel=canonical href='../c?x#y'>").canonical == "http://e.com/c?x"


def test_titles_are_one_bounded_line() -> None:
    assert parse("<title></title><svg><title>in a picture</title></svg>").title == "in a picture"
    assert parse("<p>none").title is None
    assert parse("<title>&amp;\x01\u202e " + "x" * 9000).title == "& " + "x" * 498


def test_the_hash_is_of_the_visible_text() -> None:
    one, same, other = (parse(f"<p class={c}>Some\n {t}</p><script>{c}</script>") for c, t in ("ax", "bx", "ay"))
    assert one.content_hash == same.content_hash != other.content_hash
    assert len(one.content_hash) == 32


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<title>ü</title>".encode("latin-1"), "text/html; charset=ISO-8859-1"),
        ("<title>ü</title>".encode(), "text/html"),
        ("\ufeff<title>ü</title>".encode(), "text/html; charset=latin1"),
        ("\ufeff<title>ü</title>".encode("utf-16"), None),
        (b"<meta charset=windows-1252><title>\xfc</title>", "text/html"),
        (b"<!-- <meta charset=koi8-r> --><meta charset=windows-1252><title>\xfc</title>", "text/html"),
        (b"<meta name=x content='charset=koi8-r'><title>\xc3\xbc</title>", "text/html"),
        (b"<?xml version='1.0' encoding='latin1'?><title>\xfc</title>", "text/html"),
        ("<title>ü</title>".encode(), 'text/html; x="; charset=koi8-r"; charset=UTF-8'),
        (b"<meta charset='utf-16'><title>\xc3\xbc</title>", "text/html; charset=nonsense"),
        ("<title>ü</title>".encode("utf-16-le"), 'text/html;charset="utf-16le"'),
    ],
)
def test_charsets(body: bytes, content_type: str | None) -> None:
    assert parse(body, content_type).title == "ü"


@pytest.mark.parametrize(
    ("label", "raw", "text"),
    [
        ("gb2312", b"\xa8D", "―"),
        ("big5", b"\xf9\xda", "恒"),
        ("euc-kr", b"\x8c\x63", "똠"),
        ("shift_jis", b"\x87\x40", "①"),
    ],
)
def test_labels_mean_what_they_mean_on_the_web(label: str, raw: bytes, text: str) -> None:
    assert parse(b"<title>" + raw + b"</title>", f"text/html; charset={label}").title == text


def test_an_empty_base_counts_as_the_first() -> None:
    assert parse("<base href=''><base href='http://f.com/'><a href=x>").links == ("http://e.com/dir/x",)


@pytest.mark.parametrize("charset", ["punycode", "unicode_escape", "zlib", "idna", "undefined", "cp99999", "ascii"])
def test_a_wrong_charset_does_no_harm(charset: str) -> None:
    page = parse(b"<title>a\xff\\x41</title><a href=x>", f"text/html; charset={charset}")
    assert page.links == ("http://e.com/dir/x",)
    assert page.title is not None
    assert page.title.startswith("a")


@given(st.binary(max_size=300), st.none() | st.text(max_size=30))
def test_no_bytes_raise(body: bytes, content_type: str | None) -> None:
    assert len(parse(b"<a href=" + body, content_type).content_hash) == 32
    assert isinstance(is_html(content_type, body), bool)


HOSTILE = {
    "nested divs": b"<div>" * 200_000,
    "nested lists": b"<ul><li>" * 50_000,
    "unclosed options": b"<select>" + b"<option>" * 60_000,
    "formatting": b"".join(b"<b id=%d>" % i for i in range(20_000)) + b"<p>x</p>" * 20_000,
    "unmatched ends": b"<span>" * 500 + b"</q>" * 200_000,
    "hidden depth": b"<q><div></q></div>" * 40_000,
    "scoped depth": b"<div><table><td></div>" * 40_000,
    "noise between": b"<div></q>" * 60_000,
    "attributes": b"<a " + b" ".join(b"z%x" % i for i in range(60_000)) + b">",
    "attributes with brackets": b"<a " + b" ".join(b"z%x='<>'" % i for i in range(60_000)) + b">",
    "an open comment": b"<!--" * 200_000,
    "open tags": b"<a href=" * 200_000,
    "quotes": b"<a x=\"'" * 100_000,
    "steps up": b"<a href='" + b"../" * 1_600_000 + b"'>",
    "attribute starts": b"<a " + b"x=" * 300_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_markup_costs_little(name: str) -> None:
    start = time.process_time()
    parse(b"<title>T</title><a href=first>x</a>" + HOSTILE[name])
    assert time.process_time() - start < 1.0


def test_hostile_markup_still_gives_its_title_and_links() -> None:
    page = parse(b"<title>T &amp; U</title><a class=c href='first?a&amp;b'>x</a>" + HOSTILE["nested divs"])
    assert (page.title, page.links, page.truncated) == ("T & U", ("http://e.com/dir/first?a&b",), True)


def test_a_long_flat_page_is_read_whole() -> None:
    rows = "".join(f"<tr><td>{i}<td><p>x<a href='/{i}'>y</a><br><li>z" for i in range(8_000))
    page = parse(f"<table>{rows}</table><a href=last>")
    assert (len(page.links), page.truncated) == (8_001, False)


def test_large_pages_are_cut_and_links_bounded() -> None:
    page = parse(b"<a href=x>" + b" " * MAX_HTML + b"<a href=late>")
    assert (page.links, page.truncated) == (("http://e.com/dir/x",), True)
    assert len(parse("".join(f"<a href=/{i}>x</a>" for i in range(MAX_LINKS + 50))).links) == MAX_LINKS


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/html; charset=x", b"", True),
        ("Application/XHTML+xml", b"", True),
        ("text/plain", b"<html>", False),
        (None, b" <!DOCTYPE html>", True),
        ("", b"<!-- x --><html>", True),
        (None, b"\x89PNG", False),
    ],
)
def test_html_is_recognised(content_type: str | None, body: bytes, expected: bool) -> None:
    assert is_html(content_type, body) is expected
