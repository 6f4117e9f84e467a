"""One page, one row: recognises a page that has another address, and whose row is to be that one.

`dir/index.html` that is the page of `dir/`, and `dir` whose `<link rel=canonical>` names `dir/` (or the other way
round). The other address is asked for, and only the same content makes the two one page: a canonical that is wrong
costs one fetch and loses nothing.
"""

from collections.abc import Callable

from workers.errors import Cancelled, FetchError
from workers.fetch import Response
from workers.parse import ParsedPage, parse_html

_INDEX = ("/index.html", "/index.htm")


def directory_of(url: str) -> str | None:
    """The URL of the folder that a canonical URL is an index page of, None for any other URL."""
    for name in _INDEX:
        if url.endswith(name):
            return url.removesuffix(name) + "/"
    return None


def slash_twin(url: str, canonical: str | None) -> str | None:
    """`canonical` where it is `url` with or without the slash at the end of its path, else None; both canonical."""
    if canonical is None:
        return None
    (path, _, query), (other, _, other_query) = url.partition("?"), canonical.partition("?")
    return (
        canonical if query == other_query and other in (path + "/", path.removesuffix("/")) and path != other else None
    )


def other_address(url: str, canonical: str | None) -> str | None:
    """The URL that may be the address of the same page, by its spelling and its canonical link."""
    return directory_of(url) or slash_twin(url, canonical)


def twin(
    response: Response, page: ParsedPage, allowed: Callable[[str], bool], fetch: Callable[[str], Response]
) -> str | None:
    """The URL whose row is this page's, where it shows the same page; it is asked for with `fetch`.

    Raises Cancelled. What cannot be fetched is no twin.
    """
    other = other_address(response.url, page.canonical)
    if other is None or not allowed(other):
        return None
    try:
        answer = fetch(other)
    except Cancelled:
        raise
    except FetchError:
        return None
    return other if _is_same(response, page, answer, other) else None


def _is_same(response: Response, page: ParsedPage, answer: Response, other: str) -> bool:
    if answer.status_code != response.status_code or answer.url != other:
        return False
    parsed = parse_html(answer.body, answer.url, answer.content_type)
    # Where each names the other, the one with the slash stays, or both would go.
    if slash_twin(other, parsed.canonical) == response.url and not other.partition("?")[0].endswith("/"):
        return False
    return answer.body == response.body or (parsed.title, parsed.content_hash) == (page.title, page.content_hash)
