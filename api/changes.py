"""`/api/changes`: what changed; and per domain, what counts as a change."""

from dataclasses import asdict

from api import lookup
from api.context import Answer, Call
from api.schemas.changes import (
    ChangeDetail,
    ChangedFields,
    ChangeProblem,
    ChangeResult,
    ChangeSettingsResult,
    ListChanges,
    PutChangeSettings,
)
from api.schemas.common import Data, DataPage, Meta, NoQuery
from shared.changes import ChangeType
from shared.clock import iso, now_us
from shared.models import Domain
from shared.store import change_lists, change_settings
from shared.store.change_lists import Change, ChangeFilter


def list_changes(call: Call, given: ListChanges) -> Answer:
    """Changes, newest first."""
    found, total = change_lists.page(call.store, _filter(call, given), given.limit, given.skip)
    meta = Meta(total=total, page=given.page, page_size=given.limit)
    return Answer(DataPage[ChangeResult](data=[change_result(change) for change in found], meta=meta))


def get_change(call: Call, _given: NoQuery) -> Answer:
    """One change with its diff."""
    change = change_lists.get(call.store, call.organisation_id, call.path["id"])
    common = dict(change_result(change))
    detail = ChangeDetail(**common, diff=change.diff, diff_truncated=change.truncated)
    return Answer(Data[ChangeDetail](data=detail))


def get_change_settings(call: Call, _given: NoQuery) -> Answer:
    """What counts as a change of a domain's pages."""
    return _settings(call, lookup.domain(call, call.path["id"]))


def put_change_settings(call: Call, given: PutChangeSettings) -> Answer:
    """Says what counts as a change of a domain's pages."""
    domain = lookup.domain(call, call.path["id"])
    change_settings.put(call.store, domain, given.settings(), now_us())
    return _settings(call, domain)


def _filter(call: Call, given: ListChanges) -> ChangeFilter:
    domain_id = lookup.domain_in_query(call, given.domain_id)
    url_hash = None
    if given.page_id is not None:
        page = lookup.page(call, given.page_id)
        # a page of another domain than the one asked for has no change there
        domain_id, url_hash = (page.domain.id, page.url_hash) if domain_id in (None, page.domain.id) else (-1, 0)
    kind = ChangeType[given.type.upper()] if given.type else None
    return ChangeFilter(call.organisation_id, domain_id, url_hash, given.since_us, kind)


def _settings(call: Call, domain: Domain) -> Answer:
    values = asdict(change_settings.get(call.store, domain))
    found = change_settings.problems(call.store, domain)
    shown = [ChangeProblem(page_id=p.page_uid, url=p.url, note=p.note, at=iso(p.at) or "") for p in found]
    lists = {name: list(value) for name, value in values.items() if isinstance(value, tuple)}
    return Answer(
        Data[ChangeSettingsResult](
            data=ChangeSettingsResult(**{**values, **lists}, domain_id=domain.uid, problems=shown)
        )
    )


def change_result(change: Change) -> ChangeResult:
    """A change as `/api` shows it."""
    words = change.types.words
    return ChangeResult(
        id=change.uid,
        type=words[0],  # type: ignore[arg-type]
        types=words,  # type: ignore[arg-type]
        domain_id=change.domain_uid,
        page_id=change.page_uid,
        url=change.url,
        job_id=change.task_uid,
        crawl_id=change.job_uid,
        similarity=change.similarity,
        before=ChangedFields(**change.before),
        after=ChangedFields(**change.after),
        created_at=iso(change.created_at) or "",
    )
