"""The options of a crawl: what may be asked for, and what is shown of it."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from api.schemas.common import WHOLE, Body, Result, Text
from api.schemas.targets import UrlText
from shared import scope
from shared.credentials import FORBIDDEN_HEADERS
from shared.errors import InvalidRule
from shared.models import JobOptions

MAX_PAGES = 100_000_000
MAX_URLS = 10_000
#: characters of one header or cookie
_LONGEST = 2048

# A rule as the document describes it: any glob, and of RE2's expressions the common part (RE2 itself decides).
_ATOM = (
    r"(?:[A-Za-z0-9_/&=%~,:;@!-]|\\[dDwWsS./?+*()|\[\]^$-]|\."
    r"|\[\^?(?:[A-Za-z0-9_/.=&%~]|a-z|A-Z|0-9|\\[dws])+\])"
)
_PIECE = rf"{_ATOM}(?:[?*+]|\{{[1-9][0-9]?,?\}})?"
_PARTS = rf"(?:{_PIECE}|\((?:\?:)?(?:{_PIECE})+(?:\|(?:{_PIECE})+)*\)[?*+]?)+"
_REGEX = rf"re:(?:\(\?i\))?\^?{_PARTS}(?:\|{_PARTS})*\$?"
RULE = rf"^(?:[/*][^\u0000-\u0020#\u007f-\u00a0]*|{_REGEX})$"
_TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]"  # nosec B105
_NAME = f"^{_TOKEN}{{1,100}}$"
_ALLOWED = rf"^(?!(?:{'|'.join(sorted(FORBIDDEN_HEADERS))})$){_TOKEN}{{1,100}}$"
#: no CR, LF or other control character: what is sent stays one header
_VALUE = "^(?:[!-~](?:[ -~]*[!-~])?)?$"
#: RFC 6265, 4.1.1
_COOKIE_VALUE = "^[!#-+\\--:<-\\[\\]-~]*$"
_PARAMETER = "^[^\\u0000-\\u0020&=#*\\u007f-\\u00a0]+\\*?$"


def _rules(found: tuple[str, ...]) -> tuple[str, ...]:
    try:
        scope.check_rules(found)
    except InvalidRule as error:
        raise ValueError(error.message) from None
    return found


def _sendable(headers: dict[str, str]) -> dict[str, str]:
    forbidden = sorted(FORBIDDEN_HEADERS.intersection(map(str.lower, headers)))
    if forbidden:
        raise ValueError(f"must not hold {', '.join(forbidden)}")
    return headers


Rule = Annotated[str, Field(min_length=1, max_length=scope.MAX_RULE, json_schema_extra={"pattern": RULE})]
Rules = Annotated[
    tuple[Rule, ...],
    Field(max_length=scope.MAX_RULES, strict=False, examples=[["/blog/*", "re:^/[a-z]{2}/"]]),
    AfterValidator(_rules),
]
Names = Annotated[
    tuple[Annotated[str, Field(max_length=100, pattern=_PARAMETER)], ...],
    Field(min_length=1, max_length=50, strict=False),
]


def _named(names: str, value: str) -> Callable[[dict[str, Any]], None]:
    """JSON Schema's `patternProperties` allows any other name beside them: `propertyNames` does not."""

    def change(schema: dict[str, Any]) -> None:
        del schema["patternProperties"]
        schema["propertyNames"] = {"pattern": names}
        schema["additionalProperties"] = {"type": "string", "pattern": value, "maxLength": _LONGEST}

    return change


_Name = Annotated[str, Field(pattern=_NAME)]
Headers = Annotated[
    dict[_Name, Annotated[str, Field(max_length=_LONGEST, pattern=_VALUE)]],
    Field(max_length=20, json_schema_extra=_named(_ALLOWED, _VALUE)),
    AfterValidator(_sendable),
]
Cookies = Annotated[
    dict[_Name, Annotated[str, Field(max_length=_LONGEST, pattern=_COOKIE_VALUE)]],
    Field(max_length=20, json_schema_extra=_named(_NAME, _COOKIE_VALUE)),
]


class KeepNames(Body):
    """Only these parameters stay, in the order of their names."""

    keep: Names


class DropNames(Body):
    """All parameters but these stay."""

    drop: Names


def _one_of(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """One sentence instead of what each alternative has against it."""
    try:
        return read(value)
    except ValidationError:
        raise ValueError('must be "keep", "drop", {"keep": [names]} or {"drop": [names]}') from None


QueryRule = Annotated[Literal["keep", "drop"] | KeepNames | DropNames, WrapValidator(_one_of)]


class BasicAuth(Body):
    """Basic authentication (RFC 7617)."""

    username: Annotated[Text, Field(min_length=1, max_length=200, pattern="^[^:\\x00-\\x1f\\x7f-\\x9f]*$")]
    password: Annotated[Text, Field(max_length=500)]


class Options(Body):
    """What a crawl is to do."""

    use_sitemap: bool = Field(default=True, description="Discover pages from sitemaps")
    find_links: bool = Field(
        default=True, description="Discover pages by following internal links; false by default where `urls` are given"
    )
    allow_cross_subdomain_links: bool = Field(
        default=True, description="Follow links across subdomains, that is to all hosts under one registrable domain"
    )
    respect_robots: bool = Field(default=True, description="Obey robots.txt; false needs the `admin` scope")
    max_pages: Annotated[int, Field(ge=0, le=MAX_PAGES), WHOLE] = Field(
        default=0, description="Most pages to crawl; 0: unlimited"
    )
    concurrency: Annotated[int, Field(ge=1, le=100), WHOLE] = Field(default=20, description="Most requests at once")
    source_type: Text = Field(default="api", min_length=1, max_length=64, description="What created the job")
    source_detail: Text = Field(default="create_job", min_length=1, max_length=200)
    include: Rules = Field(
        default=(),
        description="Crawl only what one of these matches: globs that path and query must match as a whole, `*` for"
        " any characters, or `re:` and an RE2 expression that they must contain",
    )
    exclude: Rules = Field(default=(), description="Never crawl what one of these matches; wins over `include`")
    max_depth: Annotated[int, Field(ge=0, le=1000), WHOLE] | None = Field(
        default=None, description="Most links from the start to a page; null: unlimited; 0: the start alone"
    )
    query: QueryRule = Field(default="keep", description="What found URLs keep of their query; names may end with `*`")
    user_agent: Annotated[str, Field(min_length=1, max_length=500, pattern="^[!-~](?:[ -~]*[!-~])?$")] | None = Field(
        default=None, description="Instead of the installation's; its product token selects the rules of robots.txt"
    )
    headers: Headers = Field(
        default={}, description="Sent to the job's own hosts only; stored encrypted; only the names are shown"
    )
    cookies: Cookies = Field(
        default={}, description="Sent to the job's own hosts only; stored encrypted; only the names are shown"
    )
    auth: BasicAuth | None = Field(
        default=None, description="Sent to the job's own hosts only; stored encrypted and never shown"
    )
    sitemap_url: UrlText | None = Field(default=None, description="Start from this sitemap instead of the home page")
    urls: Annotated[tuple[UrlText, ...], Field(max_length=MAX_URLS, strict=False)] = Field(
        default=(), description="Start from these pages instead of the home page; they are the whole job"
    )

    conditional_requests: bool = Field(
        default=True,
        description="Ask for a page of an earlier crawl only if it has changed since (ETag, Last-Modified);"
        " false transfers every page again",
    )

    def given(self) -> dict[str, Any]:
        """The options that were sent, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set & set(Options.model_fields)}


class OptionsShown(Result):
    """The options of a job. No value of a header or cookie, no user, no password."""

    use_sitemap: bool
    find_links: bool
    allow_cross_subdomain_links: bool
    respect_robots: bool
    max_pages: int
    concurrency: int
    source_type: str
    source_detail: str
    include: list[str]
    exclude: list[str]
    max_depth: int | None
    query: Literal["keep", "drop"] | dict[Literal["keep", "drop"], list[str]]
    user_agent: str | None
    #: names
    headers: list[str]
    #: names
    cookies: list[str]
    auth: bool
    sitemap_url: str | None
    #: how many URLs are the whole job
    url_count: int
    conditional_requests: bool


_AS_THEY_ARE: Sequence[str] = (
    "use_sitemap find_links allow_cross_subdomain_links respect_robots max_pages concurrency source_type"
    " source_detail max_depth user_agent sitemap_url url_count conditional_requests"
).split()


def shown(options: JobOptions) -> dict[str, Any]:
    """The fields of OptionsShown."""
    names = list(options.query_names)
    return {name: getattr(options, name) for name in _AS_THEY_ARE} | {
        "include": list(options.include),
        "exclude": list(options.exclude),
        "query": {options.query: names} if names else options.query,
        "headers": list(options.header_names),
        "cookies": list(options.cookie_names),
        "auth": options.has_auth,
    }


def shown_difference(options: JobOptions) -> dict[str, Any]:
    """The fields of OptionsShown that differ from a crawl's defaults, but for what created it."""
    usual = shown(JobOptions(source_type=options.source_type, source_detail=options.source_detail))
    return {name: value for name, value in shown(options).items() if value != usual[name]}
