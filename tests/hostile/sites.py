"""The hostile hosts, served, and what each trap on them costs."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.hostile import traps
from tests.hostile.files import ROBOTS, SITEMAPS, File
from tests.hostile.probe import Cost, Probe, measure
from tests.site import Site, html

#: what one trap may cost on a busy machine: seconds, CPU seconds, MB
WALL, CPU, MEMORY = 12.0, 4.0, 300


@dataclass(frozen=True, slots=True)
class Row:
    """One trap tried: what it cost and what it should have said."""

    cost: Cost
    expected: str | None

    @property
    def wrong(self) -> str | None:
        """What is not as it should be, None where all is well."""
        cost = self.cost
        if (cost.error is None) != (self.expected is None) or not re.search(self.expected or "", cost.error or ""):
            return f"says {cost.error!r}, not {self.expected!r}"
        if cost.error and (len(cost.error) > 500 or not cost.error.isprintable()):
            return "its error is not a readable line"
        if cost.wall > WALL or cost.cpu > CPU or cost.memory > MEMORY:
            return f"costs {cost.wall} s, {cost.cpu} s of CPU, {cost.memory} MB"
        return None


def trap_site(good: int = 40) -> Site:
    """All hostile pages and `good` plain ones, every one linked from the home page."""
    paths = [trap.path for trap in traps.TRAPS] + [f"/good/{i}" for i in range(good)]
    pages = {trap.path: trap.page for trap in traps.TRAPS}
    pages["/"] = html("".join(f'<a href="{path}">x</a>' for path in paths))

    def rest(path: str) -> traps.Page | None:
        return html(path) if path.startswith("/good/") else traps.chain(path)

    return Site(pages, fallback=rest)


def file_site(file: File, path: str) -> Site:
    """A host whose robots.txt or sitemap is hostile."""
    return Site({"/": html("home"), "/good/0": html("good"), path: file.page, **dict(file.others)})


def rows() -> Iterator[Row]:
    """Tries every trap in one child process."""
    with contextlib.ExitStack() as stack:
        site = stack.enter_context(trap_site())
        probes = [Probe("page", trap.name, site.url(trap.path)) for trap in traps.TRAPS]
        expected = [trap.error for trap in traps.TRAPS]
        for kind, path, files in (("robots", "/robots.txt", ROBOTS), ("sitemap", "/sitemap.xml", SITEMAPS)):
            for file in files:
                host = stack.enter_context(file_site(file, path))
                probes.append(Probe(kind, file.name, host.url("")))
                expected.append(file.error)
        for cost, pattern in zip(measure(probes), expected, strict=True):
            yield Row(cost, pattern)
