"""The options of a crawl as fields of a form: between what people type and what the API reads. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from api.dashboard import forms
from shared.errors import Conflict, Forbidden, Invalid
from shared.models import JobOptions
from shared.vault import NoSecretKey

_NUMBERS = frozenset({"max_pages", "concurrency", "max_depth"})
_TEXTS = ("user_agent", "sitemap_url")
_LISTS = ("include", "exclude", "urls")
_SWITCHES = ("use_sitemap", "find_links", "allow_cross_subdomain_links", "conditional_requests", "respect_robots")
_WORDS: Mapping[str, Any] = {"yes": True, "no": False}
#: a choice of the form, and the API's word for it
_QUERIES = {"keep_these": "keep", "drop_these": "drop"}
#: characters of listed URLs
_MOST_SHOWN = 200_000

#: what stays of a stored crawl's options by a tick, since it cannot be shown: the fields of JobOptions
KEPT = {
    "keep_secrets": ("sealed", "header_names", "cookie_names", "has_auth"),
    "keep_urls": ("urls", "url_count", "source_type"),
}
_TYPED_ANEW = {"keep_secrets": ("headers", "cookies", "username", "password"), "keep_urls": ("urls",)}

#: the form of a crawl that does everything as it does by itself; a choice that was not made is empty
EMPTY: Mapping[str, str] = dict.fromkeys(
    (*_NUMBERS, *_TEXTS, *_LISTS, *_SWITCHES, "query", "query_names", *_TYPED_ANEW["keep_secrets"], *KEPT), ""
)


def given(form: Mapping[str, str]) -> dict[str, Any]:
    """The API's options for a form; what was left empty is not among them. Raises Invalid, naming the form's field."""
    found = forms.values({name: form[name] for name in (*_NUMBERS, *_TEXTS)}, _NUMBERS)
    found |= {name: form[name].split() for name in _LISTS if form[name].strip()}
    found |= {name: _WORDS.get(form[name], form[name]) for name in _SWITCHES if form[name]}
    found |= _query(form["query"], form["query_names"].split())
    for name, mark in (("headers", ":"), ("cookies", "=")):
        found |= _pairs(name, form[name], mark)
    found |= _auth(form["username"], form["password"])
    _check_kept(form)
    return {"find_links": False} | found if form["keep_urls"] else found


def kept(form: Mapping[str, str]) -> list[str]:
    """The fields of the stored options that stay as they are."""
    return [field for name, fields in KEPT.items() if form[name] for field in fields]


def form_of(options: JobOptions) -> dict[str, str]:
    """The form for a stored crawl's options. Secrets are not shown, and no list of URLs that is too long for it."""
    form = dict(EMPTY) | {name: _text(getattr(options, name)) for name in (*_NUMBERS, *_TEXTS)}
    form |= {name: "\n".join(getattr(options, name)) for name in _LISTS} | dict.fromkeys(unseen(options), "1")
    form |= {name: "" if getattr(options, name) else "no" for name in _SWITCHES}
    form["max_pages"] = _text(options.max_pages or None)
    form["find_links"] = _find_links(options)
    form["query"] = _choice(options)
    form["query_names"] = " ".join(options.query_names)
    return form | {"urls": ""} if form["keep_urls"] else form


def unseen(options: JobOptions) -> dict[str, str]:
    """What of a stored crawl's options the form cannot show, as labels of the ticks that keep it."""
    found: dict[str, str] = {}
    if options.sealed:
        found["keep_secrets"] = f"Keep what is sent now: {_secrets(options)}"
    if _is_long(options):
        found["keep_urls"] = f"Keep the {options.url_count:,} listed pages, too many to show"
    return found


def wrong(error: Invalid | Conflict | Forbidden, field: str) -> dict[str, str]:
    """What is wrong by field of the form; what no field is named for stands with `field`."""
    if isinstance(error, Forbidden):
        return {"respect_robots": "takes a key with the scope admin"}
    return forms.wrong(error, "headers" if isinstance(error, NoSecretKey) else field)


def _secrets(options: JobOptions) -> str:
    named = (("header", options.header_names), ("cookie", options.cookie_names))
    words = [f"{word} {name}" for word, names in named for name in names]
    return ", ".join(words + ["user name and password"] * options.has_auth)


def _is_long(options: JobOptions) -> bool:
    return sum(len(url) + 1 for url in options.urls) > _MOST_SHOWN


def _text(value: int | str | None) -> str:
    return "" if value is None else str(value)


def _find_links(options: JobOptions) -> str:
    """By itself a crawl follows links, but not where its pages are listed."""
    if options.find_links == (not options.url_count):
        return ""
    return "yes" if options.find_links else "no"


def _choice(options: JobOptions) -> str:
    if options.query_names:
        return f"{options.query}_these"
    return "" if options.query == "keep" else options.query


def _query(choice: str, names: list[str]) -> dict[str, Any]:
    if choice in _QUERIES:
        if not names:
            raise Invalid("Not valid: query_names", [("query_names", "is required")])
        return {"query": {_QUERIES[choice]: names}}
    if names:
        raise Invalid("Not valid: query", [("query", "say whether the named ones are kept or dropped")])
    return {"query": choice} if choice else {}


def _pairs(field: str, text: str, mark: str) -> dict[str, Any]:
    lines = [line for line in text.splitlines() if line.strip()]
    pairs = [(name.strip(), found, value.strip()) for name, found, value in (line.partition(mark) for line in lines)]
    for number, (name, found, _) in enumerate(pairs, 1):
        if not name or not found:
            raise Invalid(f"Not valid: {field}", [(field, f"line {number} must be NAME{mark}VALUE")])
    if len({name.lower() for name, _, _ in pairs}) < len(pairs):
        raise Invalid(f"Not valid: {field}", [(field, "a name stands there twice")])
    return {field: {name: value for name, _, value in pairs}} if pairs else {}


def _auth(username: str, password: str) -> dict[str, Any]:
    typed = {"username": username, "password": password}
    if not any(typed.values()):
        return {}
    return {"auth": {name: value for name, value in typed.items() if value}}


def _check_kept(form: Mapping[str, str]) -> None:
    for name, fields in _TYPED_ANEW.items():
        if form[name] and _any_typed(form, fields):
            raise Invalid(f"Not valid: {name}", [(name, "either keep what there is, or type all of it anew")])


def _any_typed(form: Mapping[str, str], fields: Iterable[str]) -> bool:
    return any(form[field].strip() for field in fields)
