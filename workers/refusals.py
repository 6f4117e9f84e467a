"""What an answer that refuses us means for its job: recognised, and told once instead of page by page."""

from shared import urls
from shared.stages import JobWarning, Work
from shared.states import WarningKind
from workers import blocks
from workers.errors import Cancelled, FetchError
from workers.fetch import Response
from workers.guide import fetch
from workers.politeness import Blocks, host_of
from workers.retry import BLOCKING
from workers.runtime import Runtime
from workers.turns import Turn, note

#: refusals in a row, and seconds since the first, after which a host is asked for its home page to be sure
_MANY, _LONG = 12, 60.0
#: the same where a firewall says who it is, or where the home page itself is refused to the last attempt
_FEW, _SHORT = 3, 8.0


def reason_of(response: Response) -> str | None:
    """A readable reason where a firewall refused or challenged us."""
    who = blocks.blocker(response.status_code, response.headers, response.body)
    return f"Blocked by {who} (HTTP {response.status_code})" if who else None


def given_up(
    ctx: Runtime, work: Work, response: Response, reason: str | None, row: Blocks, turn: Turn
) -> JobWarning | None:
    """A warning, once a page's host is known to refuse everything; `reason` is this page's. Raises Cancelled."""
    if response.status_code not in BLOCKING and reason is None:
        return None
    is_home = urls.split(response.url)[1] == "/" and work.attempt >= work.max_attempts
    many, long = (_FEW, _SHORT) if reason or is_home else (_MANY, _LONG)
    if row.n < many or row.seconds < long or not (reason or is_home or _is_home_refused(ctx, work, turn)):
        return None
    host = host_of(work.url)
    return JobWarning(WarningKind.BLOCKED, host, reason or f"{host} refuses us (HTTP {response.status_code})")


def _is_home_refused(ctx: Runtime, work: Work, turn: Turn) -> bool:
    """Forbidden pages are no block: the home page tells."""
    try:
        home = fetch(ctx, work, f"{urls.split(work.url)[0]}/", turn)
    except Cancelled:
        raise
    except FetchError:
        return False
    refused = home.status_code in BLOCKING or reason_of(home) is not None
    note(ctx.politeness, home, refused)
    return refused
