"""Large pages: few at a time are held by a worker process, however many threads fetch them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crawling import crawls
from tests.site import Page, Site, html
from workers.large import Places

_LARGE = "x" * 1_200_000


class Held:
    """Counts the places that are held, while `Places` goes on as it does."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now, self.most, self.taken = 0, 0, 0
        take, leave = Places.take, Places.leave

        def taking(places: Places, cancelled: Callable[[], bool] | None) -> None:
            take(places, cancelled)
            self.now, self.taken = self.now + 1, self.taken + 1
            self.most = max(self.most, self.now)

        def leaving(places: Places) -> None:
            self.now -= 1
            leave(places)

        patch.setattr(Places, "take", taking)
        patch.setattr(Places, "leave", leaving)


def test_few_large_pages_are_held_at_once(
    sqlite_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    paths = [f"/{n}" for n in range(12)]
    pages: dict[str, Page] = {path: html(_LARGE) for path in paths}
    pages["/"] = html("".join(f'<a href="{path}">{path}</a>' for path in paths))
    with Site(pages) as site, crawls(sqlite_url, redis_url, tmp_path, {}, monkeypatch) as system:
        job = system.run(f"http://{site.host}", use_sitemap=False, concurrency=12)
        assert system.statuses(job) == dict.fromkeys(["/", *paths], "completed")
    assert (held.now, held.taken) == (0, 12)
    assert 1 <= held.most <= 3
