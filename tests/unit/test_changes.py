"""What is a change and what is not: tables, no I/O."""

import random
import time
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import zstandard

from shared.change_settings import ChangeSettings, Rules, rules, wrong_pattern, wrong_selector
from shared.changes import MAX_UNPACKED, ChangeType, Difference, Facts, Watch, pack, unpack
from workers import changes, extract, observe
from workers.changes import Fingerprint, Look
from workers.parse import parse_html, squeezed

DEFAULT = rules(None)


def ruled(**settings: object) -> Rules:
    return rules(ChangeSettings(**settings).to_json())  # type: ignore[arg-type]


def compared(before: str, after: str, by: Rules = DEFAULT) -> Difference:
    looks = [Look(Facts(200), changes.tidy(text.encode())) for text in (before, after)]
    return changes.compare(*looks, by, comparable=True)


def is_change(before: str, after: str, **settings: object) -> bool:
    return bool(compared(before, after, ruled(**settings)).types)


def text_of(body: str, **settings: object) -> str:
    page = parse_html(f"<body>{body}".encode(), "https://example.com/", "text/html")
    text, _ = extract.visible(page, ChangeSettings(**settings))  # type: ignore[arg-type]
    return changes.tidy(text or b"").decode()


def test_it_works() -> None:
    found = compared("Plans\nFrom $10 a month\nSign up", "Plans\nFrom $12 a month\nSign up")
    assert found.types == ChangeType.CONTENT
    assert unpack(found.diff or b"").decode() == (
        "@@ -1,3 +1,3 @@\n Plans\n-From $10 a month\n+From $12 a month\n Sign up"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Generated at 10:00:01", "Generated at 23:59:59"),
        ("Generated at 1:00:01 PM", "Generated at 2:00:01 AM"),
        ("Now 2026-11-22T13:18:36Z", "Now 2026-11-23T00:00:00.123Z"),
        ("Now 2026-11-22 13:18", "Now 2026-12-01 09:00"),
        ("posted 5 minutes ago", "posted an hour ago"),
        ("ref 8f14e45f-ceea-467f-9575-8f14e45fceea", "ref 11111111-ceea-467f-9575-8f14e45fceea"),
        ("csrf a8B3kd92JJs8201kAAe2x", "csrf 99B3kd92JJs8201kAAe2y"),
        ("a  b\n\n c", "a b c"),
    ],
)
def test_clocks_tokens_and_white_space_are_no_change(before: str, after: str) -> None:
    assert not is_change(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Open 9:00 to 17:00", "Open 9:00 to 18:00"),
        ("On 5 May 2026", "On 6 May 2026"),
        ("$10", "$12"),
        ("Internationalisation matters", "Institutionalisation matters"),
        ("one\ntwo", "two\none"),
        ("text", ""),
    ],
)
def test_what_people_write_is_a_change(before: str, after: str) -> None:
    assert is_change(before, after)


@pytest.mark.parametrize(
    ("before", "after", "settings"),
    [
        ("On 5 May 2026", "On June 7, 2027", {"ignore_dates": True}),
        ("Since 2026-01-02", "Since 2027-03-04", {"ignore_dates": True}),
        ("Open 9:00", "Open 10:30 am", {"ignore_dates": True}),
        ("10 of 20,000 seen", "11 of 23,456 seen", {"ignore_numbers": True}),
        ("Hello\nVisitors: 12 today", "Hello\nVisitors: 99 today", {"ignore_patterns": (r"Visitors: \d+",)}),
        ("word " * 99 + "end", "word " * 99 + "fin", {"min_change": 0.1}),
    ],
)
def test_what_is_to_be_ignored_is_ignored(before: str, after: str, settings: dict[str, object]) -> None:
    assert is_change(before, after)
    assert not is_change(before, after, **settings)


def test_an_ignored_line_is_not_in_the_diff() -> None:
    found = compared("a\nClock 10:00:00 x\nb", "a\nClock 11:11:11 x\nc")
    assert unpack(found.diff or b"").decode() == "@@ -1,3 +1,3 @@\n a\n Clock 11:11:11 x\n-b\n+c"


@pytest.mark.parametrize(
    ("before", "after", "types"),
    [
        (Facts(200), Facts(404), ChangeType.STATUS | ChangeType.REMOVED),
        (Facts(404), Facts(410), ChangeType.STATUS),
        (Facts(404), Facts(200), ChangeType.STATUS),
        (Facts(200), Facts(500), ChangeType.STATUS),
        (Facts(200), Facts(203), ChangeType.STATUS),
        (Facts(200), Facts(301, "https://a/b"), ChangeType.REDIRECT),
        (Facts(301, "https://a/b"), Facts(302, "https://a/b"), ChangeType(0)),
        (Facts(301, "https://a/b"), Facts(301, "https://a/c"), ChangeType.REDIRECT),
        (Facts(301, "https://a/?next=0123456789abcdef0"), Facts(301, "https://a/?next=f" + "9" * 16), ChangeType(0)),
        (Facts(301, "https://a/?id=3"), Facts(301, "https://a/?id=4"), ChangeType.REDIRECT),
        (Facts(301, "https://a/b"), Facts(200), ChangeType.REDIRECT),
        (Facts(301, "https://a/b"), Facts(404, "https://a/b"), ChangeType.STATUS | ChangeType.REMOVED),
        (Facts(200, title="a"), Facts(200, title="b"), ChangeType.TITLE),
        (Facts(200, title="at 10:00:00"), Facts(200, title="at 11:00:00"), ChangeType(0)),
        (Facts(200, description="a"), Facts(200), ChangeType.DESCRIPTION),
        (Facts(200, canonical="https://a/"), Facts(200, canonical="https://b/"), ChangeType.CANONICAL),
        (Facts(200, headings=("a", "b")), Facts(200, headings=("a",)), ChangeType.HEADINGS),
    ],
)
def test_every_field_has_its_type(before: Facts, after: Facts, types: ChangeType) -> None:
    assert changes.compare(Look(before, None), Look(after, None), DEFAULT, comparable=True).types == types


def test_texts_read_by_other_rules_are_not_compared() -> None:
    looks = (Look(Facts(200, title="a"), b"x"), Look(Facts(200, title="b"), b"y"))
    assert changes.compare(*looks, DEFAULT, comparable=False).types == ChangeType.TITLE


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [("a b c d", "a b c d", 1.0), ("a b", "b a", 1.0), ("aa bb", "aa cc", 0.5), ("a", "b", 0)],
)
def test_similarity_is_the_share_of_common_words(before: str, after: str, share: float) -> None:
    assert (compared(before, after).similarity or (1.0 if share == 1.0 else 0.0)) == share


def test_markup_is_no_text() -> None:
    before = '<p class="a" id=b nonce=1>Hello <b>you</b></p><script>var t=1</script><style>p{}</style>'
    after = "<p id=b nonce=2 class=a>Hello  <b>you</b>\n</p><script>var t=2</script><template>x</template>"
    assert text_of(before) == text_of(after) == "Hello\nyou"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "nav\none\ntwo\nad\nfoot"),
        ({"include_selectors": ("main",)}, "one\ntwo\nad"),
        ({"include_selectors": ("main", "main p")}, "one\ntwo\nad"),
        ({"drop_selectors": (".ad", "nav", "footer")}, "one\ntwo"),
        ({"drop_selectors": ("main", "main p")}, "nav\nfoot"),
        ({"include_selectors": ("main",), "drop_selectors": (".ad",)}, "one\ntwo"),
        ({"include_selectors": (".nowhere",)}, "nav\none\ntwo\nad\nfoot"),
        ({"drop_selectors": ("body",)}, "nav\none\ntwo\nad\nfoot"),
    ],
)
def test_selectors_choose_the_text(settings: dict[str, object], text: str) -> None:
    body = "<nav>nav</nav><main><p>one</p><p>two</p><div class=ad>ad</div></main><footer>foot</footer>"
    assert text_of(body, **settings) == text


def test_a_selector_that_matches_nothing_is_said() -> None:
    page = parse_html(b"<body><p>x", "https://example.com/", "text/html")
    note = extract.visible(page, ChangeSettings(include_selectors=("main",)))[1]
    assert note == "Nothing matches main: the whole page is compared"


@pytest.mark.parametrize("selector", ["main", "div.a.b", "#x > .y", "main p", '[data-x="a b"]', "a[href^='/x'] > b c"])
def test_selectors_that_are_taken(selector: str) -> None:
    assert wrong_selector(selector) is None


@pytest.mark.parametrize("selector", ["", "*", "a b c", "a:has(b)", "p::before", "p[", "a,b", "a ~ b", "<p>", ":is(a)"])
def test_selectors_that_are_not_taken(selector: str) -> None:
    assert wrong_selector(selector) is not None


@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "(?=a)", "a*", "[", "x{2000}"])
def test_patterns_that_are_not_taken(pattern: str) -> None:
    assert wrong_pattern(pattern) is not None


@pytest.mark.parametrize("pattern", [r"Visitors: \d+", "(a+)+$", "(?i)updated .* ago"])
def test_patterns_that_are_taken(pattern: str) -> None:
    assert wrong_pattern(pattern) is None


def test_a_pattern_that_kills_other_engines_is_fast() -> None:
    began = time.process_time()
    ruled(ignore_patterns=("(a+)+$", "(a|aa)+b", "(.*)*x")).clean("a" * 50_000)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("clean", [ruled(ignore_dates=True, ignore_numbers=True).clean])
@pytest.mark.parametrize("piece", ["1", "1:", "a1", "1 ", "Jan ", "-", "1.", "2026-01-01T", "f-", "a few "])
def test_the_built_in_patterns_are_linear(clean: object, piece: str) -> None:
    began = time.process_time()
    clean(piece * (500_000 // len(piece)))  # type: ignore[operator]
    assert time.process_time() - began < 5


def test_a_diff_is_bounded_in_time_and_size() -> None:
    lines = [f"line {i // 10} {'x' * 80}" for i in range(20_000)]
    other = lines[:]
    random.Random(1).shuffle(other)
    began = time.process_time()
    found = compared("\n".join(lines), "\n".join(other))
    assert time.process_time() - began < 5
    assert found.truncated
    assert len(unpack(found.diff or b"")) <= changes.MAX_DIFF


def test_a_small_change_in_a_long_page_is_found() -> None:
    lines = [f"line number {i} of many" for i in range(15_000)]
    found = compared("\n".join(lines), "\n".join([*lines[:9_000], "new", *lines[9_000:]]))
    assert unpack(found.diff or b"").decode().splitlines()[0] == "@@ -8998,6 +8998,7 @@"
    assert not found.truncated


def test_a_fingerprint_reads_as_it_was_written() -> None:
    known = Fingerprint("v", "300rabc", "raw", "clean")
    assert Fingerprint.parse(str(known)) == known
    assert Fingerprint.parse(None) is None


def test_hashes_that_are_stored_already_stay_as_they_are() -> None:
    body = "<title>T 12:00:05</title><H1>Prices</H1>"
    body += "<p>Seen 5 minutes ago by  k3jf9a0s8d7f6g5h4j3k2\x0b\t<p>From 12 a month"
    page = parse_html(body.encode(), "https://example.com/", "text/html")
    facts = Facts(200, None, page.title, "as of 2026-01-01T10:00:00Z", None, ("Prices",))
    look = Look(facts, changes.tidy(page.text))
    assert page.content_hash == "6448b222b292a721b543e73b39801a6f"
    assert changes.raw_hash(facts, page.content_hash, body.encode()) == "661856cac615dc6b"
    assert changes.earlier_raw_hash(facts, page.squeezed, body.encode()) == "4a16deb66680def0"
    assert (changes.clean_hash(look, DEFAULT), DEFAULT.version) == ("d7a0130aa494005d", "2389b449")
    assert changes.text_hash(look.text or b"").hex() == "b9a10bbc21ce7ec74465b20a70f6632c"


@pytest.mark.parametrize("is_earlier", [False, True])
def test_a_page_that_says_the_same_is_told_by_one_hash(is_earlier: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"<title>T</title><h1>Prices</h1><p>From 12"
    page = parse_html(body, "https://example.com/", "text/html")
    facts = Facts(200, None, page.title)
    earlier, now = (
        changes.earlier_raw_hash(facts, page.squeezed, body),
        changes.raw_hash(facts, page.content_hash, body),
    )
    known = str(Fingerprint(DEFAULT.version, "200", earlier if is_earlier else now, "clean"))
    work, response = SimpleNamespace(watch=Watch(known)), SimpleNamespace(status_code=200, body=body)
    # nothing else of it is read
    monkeypatch.setattr(extract, "headings", None)
    assert observe.completed(Mock(), work, response, page) == (None, known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b" a \t\v b  c\r\n\n\f\n  d ", b"a b c\nd"),
        (b"x  " * 4_000 + b"\ny", b"x " * 3_999 + b"x\ny"),
        (b"  " + b"y" * 9_000, b"y" * 8_000),
        ("\u00e9".encode() * 4_001, "\u00e9".encode() * 4_000),
        (b"y" + "\u00e9".encode() * 4_001, b"y" + "\u00e9".encode() * 3_999),
        (b" \n" * 499_999 + b" \xc3\xa9", b""),
        (b"word\n" * 200_000, b"word\n" * 100_000),
    ],
)
def test_a_kept_text_has_no_surplus_space_and_is_bounded(text: bytes, kept: bytes) -> None:
    assert changes.tidy(text) == kept


@pytest.mark.parametrize("length", [0, 3, 7_990, 8_001, 8_010, 20_000])
def test_a_text_that_is_only_respaced_has_the_hash_of_what_it_says(length: int) -> None:
    rng, known = random.Random(length), set()
    for odd in ("ab \n", "ab \n\t\r\f", "ab \v", "a\u00e9\n", "ab", "a 12:30:05\n"):
        text = "".join(rng.choices(odd, k=length)).encode()
        look, said = Look(Facts(200, None, "t"), changes.tidy(text)), squeezed(text)
        if is_known := changes.loses_space_only(text):
            assert squeezed(changes.tidy(text)) == said
            assert changes.clean_hash(look, DEFAULT, said) == changes.clean_hash(look, DEFAULT)
        known.add(is_known)
    assert True in known


@pytest.mark.parametrize("settings", [{}, {"ignore_patterns": ("foo",)}, {"ignore_clocks": False}])
def test_texts_are_cleaned_together_as_each_one_is(settings: dict[str, object]) -> None:
    by = ruled(**settings)
    pieces = [
        "at 12:30:05",
        "12:3",
        "0:05",
        "foo 5 minutes",
        " ago",
        "",
        "k3jf9a0s8d7f6g5h4j3k2",
        "plain",
        "just",
        " now",
    ]
    for first in pieces:
        for second in pieces:
            texts = [first, second, "plain"]
            assert list(by.clean_each(texts)) == [by.clean(text) for text in texts]


@pytest.mark.parametrize("size", [0, 1, 9_000, 1 << 17, (1 << 17) + 1, 500_000])
def test_texts_of_all_sizes_are_packed(size: int) -> None:
    text = random.Random(size).randbytes(size // 2) + b"a" * (size - size // 2)
    packed = pack(text)
    assert unpack(packed) == text
    assert zstandard.frame_content_size(packed) == size < MAX_UNPACKED


@pytest.mark.parametrize(
    ("word", "left"),
    [
        ("very-long_words-stay-here", True),
        ("2026-11-23_12-30-05-000", True),
        ("x" * 18 + "1", True),
        ("x" * 19 + "1", False),
        ("1" + "-" * 19 + "a", False),
    ],
)
def test_only_long_words_of_letters_and_digits_are_tokens(word: str, left: bool) -> None:
    assert DEFAULT.clean(f"a {word} b") == (f"a {word} b" if left else "a  b")
