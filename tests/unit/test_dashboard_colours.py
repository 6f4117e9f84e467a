"""The dashboard's colours can be read by everybody: WCAG 2.2, 1.4.3 (AA), light and dark."""

import re
from importlib.resources import files

import pytest

CSS = files("api.dashboard").joinpath("static", "dashboard.css").read_text()
STATES = ("waiting", "running", "delayed", "completed", "failed")
#: what is written, and on what
PAIRS = (
    *(("text", surface) for surface in ("back", "card", "hover", "alert")),
    *(("soft", surface) for surface in ("back", "card", "hover")),
    *(("main", surface) for surface in ("back", "card")),
    ("main-text", "main"),
    ("card", "failed"),
    *((state, "card") for state in STATES),
)


def palette(scheme: str) -> dict[str, str]:
    """Names and colours of a scheme."""
    block = CSS.split(":root {")[2 if scheme == "dark" else 1].split("}")[0]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]+);", block))
    return {name: "#" + 2 * colour[1:] if len(colour) == 4 else colour for name, colour in found.items()}


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "surface"), PAIRS)
def test_text_stands_out(scheme: str, text: str, surface: str) -> None:
    colours = palette(scheme)
    dark, light = sorted((luminance(colours[text]), luminance(colours[surface])))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_a_state_brings_the_surface_that_it_is_read_on() -> None:
    (rule,) = re.findall(r"^\.state \{(.*)\}$", CSS, re.M)
    assert "background: var(--card)" in rule
