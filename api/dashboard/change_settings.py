"""What counts as a change of a domain's pages, as a form. Pure."""

from collections.abc import Mapping
from typing import Any

from api.schemas.changes import ChangeSettingsResult
from shared.errors import Invalid

#: one entry a line
_LISTS = {
    "includeSelectors": "include_selectors",
    "dropSelectors": "drop_selectors",
    "ignorePatterns": "ignore_patterns",
}
_TICKS = {
    "ignoreClocks": "ignore_clocks",
    "ignoreTokens": "ignore_tokens",
    "ignoreDates": "ignore_dates",
    "ignoreNumbers": "ignore_numbers",
}
EMPTY = dict.fromkeys((*_LISTS, *_TICKS, "minChange"), "")


def form_of(settings: ChangeSettingsResult) -> dict[str, str]:
    """The form for the settings; the share is shown in percent."""
    form = {name: "\n".join(getattr(settings, field)) for name, field in _LISTS.items()}
    form |= {name: "1" if getattr(settings, field) else "" for name, field in _TICKS.items()}
    return form | {"minChange": f"{100 * settings.min_change:g}"}


def given(form: Mapping[str, str]) -> dict[str, Any]:
    """The API's fields for a form. Raises Invalid."""
    found: dict[str, Any] = {name: _lines(form[name]) for name in _LISTS}
    found |= {name: bool(form[name]) for name in _TICKS}
    return found | {"minChange": _share(form["minChange"])}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _share(percent: str) -> float:
    try:
        share = float(percent.strip().removesuffix("%") or 0) / 100
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise Invalid("Not valid: minChange", [("minChange", "must be a share of 0 to 100 %")])
    return share
