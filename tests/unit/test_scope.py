"""The rules of a job: pure decisions over paths and queries."""

import time

import pytest

from shared import scope
from shared.errors import InvalidRule
from shared.models import JobOptions

SITE = "https://example.com"


def refuses(path: str, **options: object) -> bool:
    rules = scope.rules_of(JobOptions(**options))  # type: ignore[arg-type]
    assert rules is not None
    assert (rules.reason(path) is not None) == rules.refuses(path)
    return rules.refuses(path)


def spelled(url: str, query: str, *names: str) -> str:
    rules = scope.rules_of(JobOptions(query=query, query_names=names))
    return rules.spelled(SITE + url).removeprefix(SITE) if rules else url


@pytest.mark.parametrize(
    ("rule", "path", "matches"),
    [
        ("/blog/*", "/blog/", True),
        ("/blog/*", "/blog/2026/a?x=1", True),
        ("/blog/*", "/blog", False),
        ("/blog/*", "/en/blog/", False),
        ("*/blog/*", "/en/blog/a", True),
        ("*.pdf", "/files/a.pdf", True),
        ("*.pdf", "/files/a.pdf?v=2", False),
        ("*.pdf", "/files/aXpdf", False),
        ("*.pdf", "/files/a.PDF", False),
        ("*?sort=*", "/list?sort=price", True),
        ("*?sort=*", "/list/sort=price", False),
        ("/", "/", True),
        ("/", "/a", False),
        ("/a+b(c)[d]", "/a+b(c)[d]", True),
        ("/käse/*", "/k%C3%A4se/1", True),
        ("/%7euser/*", "/~user/", True),
        ("*", "/anything", True),
        ("re:^/\\d{4}/", "/2026/a", True),
        ("re:^/\\d{4}/", "/blog/2026/", False),
        ("re:[?&]page=", "/list?q=1&page=2", True),
        ("re:(?i)\\.(pdf|zip)$", "/a.PDF", True),
        ("re:b$|c$", "/abd", False),
    ],
)
def test_a_rule_matches_path_and_query(rule: str, path: str, matches: bool) -> None:
    assert refuses(path, exclude=(rule,)) is matches
    assert refuses(path, include=(rule,)) is not matches


def test_exclusion_wins_over_inclusion_and_says_which_rule() -> None:
    rules = scope.rules_of(JobOptions(include=("/a/*",), exclude=("*.png", "/a/b/*")))
    assert rules is not None
    assert rules.reason("/a/b/c") == "the rule /a/b/* excludes"
    assert rules.reason("/b") == "no rule includes"
    assert rules.reason("/a/c") is None


def test_one_of_many_rules_is_enough() -> None:
    assert not refuses("/b/1", include=("/a/*", "re:^/b/", "/c"))
    assert refuses("/d", include=("/a/*", "re:^/b/", "/c"))


def test_a_job_without_rules_costs_nothing() -> None:
    assert scope.rules_of(JobOptions(max_depth=3, user_agent="x")) is None


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("blog/*", "begins with"),
        ("", "begins with"),
        ("/a#b", "fragments"),
        ("re:(", "RE2"),
        ("re:a{5000}", "RE2"),
        ("re:(?=a)", "RE2"),
        ("re:(a)\\1", "RE2"),
        ("/" + "a" * 500, "longer than 500"),
    ],
)
def test_what_is_no_rule_is_refused_with_a_reason(rule: str, says: str) -> None:
    with pytest.raises(InvalidRule, match=says):
        scope.check_rules([rule])


def test_the_number_of_rules_is_bounded() -> None:
    scope.check_rules(["/a"] * 100)
    with pytest.raises(InvalidRule, match="More than 100"):
        scope.check_rules(["/a"] * 101)


@pytest.mark.parametrize("rule", ["re:^/(a+)+$", "re:^/(a|a)*$", "re:(.*a){20}$", "*" * 400 + "b"])
def test_no_rule_is_a_catastrophe(rule: str) -> None:
    scope.check_rules([rule])
    began = time.process_time()
    refuses("/" + "a" * 8000 + "!", exclude=(rule,))
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("url", "query", "names", "result"),
    [
        ("/a?b=1&a=2", "keep", (), "/a?b=1&a=2"),
        ("/a?b=1&a=2", "drop", (), "/a"),
        ("/a", "drop", (), "/a"),
        ("/a?b=1&a=2&c=3", "keep", ("a", "b"), "/a?a=2&b=1"),
        ("/a?a=2&b=1&a=1", "keep", ("a", "b"), "/a?a=2&a=1&b=1"),
        ("/a?c=3", "keep", ("a",), "/a"),
        ("/a?a", "keep", ("a",), "/a?a"),
        ("/a?b=1&utm_source=x&a=2&gclid=y", "drop", ("utm_*", "gclid"), "/a?b=1&a=2"),
        ("/a?utm_source=x", "drop", ("utm_*",), "/a"),
        ("/a?utm=1", "drop", ("utm_*",), "/a?utm=1"),
    ],
)
def test_a_query_is_kept_as_the_job_says(url: str, query: str, names: tuple[str, ...], result: str) -> None:
    assert spelled(url, query, *names) == result
