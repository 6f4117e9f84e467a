"""One page, one row: recognises `dir/index.html` that is the page of `dir/`."""

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


def directory_twin(
    response: Response, page: ParsedPage, allowed: Callable[[str], bool], fetch: Callable[[str], Response]
) -> str | None:
    """The folder's URL where it shows the same page; only the content tells, so it is asked for with `fetch`.

    Raises Cancelled. A folder that cannot be fetched is no twin.
    """
    folder = directory_of(response.url)
    if folder is None or not allowed(folder):
        return None
    try:
        other = fetch(folder)
    except Cancelled:
        raise
    except FetchError:
        return None
    return folder if _is_same(response, page, other, folder) else None


def _is_same(response: Response, page: ParsedPage, other: Response, folder: str) -> bool:
    if other.status_code != response.status_code or other.url != folder:
        return False
    if other.body == response.body:
        return True
    parsed = parse_html(other.body, other.url, other.content_type)
    return (parsed.title, parsed.content_hash) == (page.title, page.content_hash)
