"""A real Chromium, driven by Playwright, that notes whatever a page complains of."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.acceptance.system import KEY, System

_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
#: milliseconds
PATIENCE = 60_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; a missing one is an error in CI and a skip at home."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        reason = "Chromium is not installed (chromium, chromium-browser or google-chrome on PATH)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """One tab: nothing may be loaded from elsewhere, refused by the policy or thrown by a script."""

    def __init__(self, browser: Browser, system: System, **options: Any) -> None:
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.system = system
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        self.page.on("request", lambda r: self._note(r.url))

    def _note(self, url: str) -> None:
        if not url.startswith(self.system.url("/")):
            self.complaints.append(f"loaded from elsewhere: {url}")

    def go(self, path: str) -> Page:
        """A page of the dashboard."""
        self.page.goto(self.system.url(path))
        return self.page

    def sign_in(self, path: str = "/") -> Page:
        """Signs in by keyboard, on the way to a page."""
        self.go(path)
        self.page.get_by_label("API key").fill(KEY)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(self.system.url(path))
        return self.page
