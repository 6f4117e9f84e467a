"""The dashboard in a real browser: headless Chromium, driven over its debugging pipe."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.acceptance.system import KEY, System
from tests.site import Page, Site, html
from tests.waiting import until

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-dev-shm-usage"
    " --hide-scrollbars --remote-debugging-pipe --window-size=1280,900"
).split()
#: Chromium reads its commands from descriptor 3 and answers on 4
LAUNCH = """
import fcntl, os, sys
theirs = [fcntl.fcntl(int(text), fcntl.F_DUPFD, 10) for text in sys.argv[1:3]]
for at, descriptor in enumerate(theirs, 3):
    os.dup2(descriptor, at)
    os.close(descriptor)
os.execvp(sys.argv[3], sys.argv[3:])
"""


class Chromium:
    """One tab. Its debugging protocol goes over two pipes, so no library and no port is needed."""

    def __init__(self, program: str, profile: Path) -> None:
        theirs, self._write = os.pipe()
        self._read, theirs_out = os.pipe()
        command = [sys.executable, "-c", LAUNCH, str(theirs), str(theirs_out), program, *FLAGS]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(theirs, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(theirs_out)
        self._buffer = b""
        self._last = 0
        self._session: str | None = None
        #: what the page wrote to the console or was refused by its policy
        self.complaints: list[str] = []
        self._open()

    def _open(self) -> None:
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)
        os.close(self._read)
        os.close(self._write)

    def send(self, method: str, **params: Any) -> Any:
        """One command; its result."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def _receive(self) -> Any:
        while b"\0" not in self._buffer:
            part = os.read(self._read, 1 << 16)
            assert part, "Chromium has ended"
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)

    def _note(self, event: Any) -> None:
        if event.get("method") == "Log.entryAdded":
            self.complaints.append(event["params"]["entry"]["text"])
        if event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(event["params"]["exceptionDetails"]))

    def run(self, script: str) -> Any:
        """The value of a script in the page; None while the page changes."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    def go(self, url: str) -> None:
        self.send("Page.navigate", url=url)
        until(lambda: self.run("document.readyState + (location.href != 'about:blank')") == "completetrue", 30, url)

    def text(self) -> str:
        return self.run("document.body.innerText") or ""

    def sees(self, text: str, seconds: float = 30) -> None:
        until(lambda: text in self.text(), seconds, f"{text!r} on {self.run('location.href')}: {self.text()[:2000]}")

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def type(self, selector: str, text: str) -> None:
        """Types with the keyboard, into the focused field."""
        self.run(f"document.querySelector({json.dumps(selector)}).select()")
        self.send("Input.insertText", text=text)

    def press(self, key: str) -> None:
        code = {"Enter": 13, "Tab": 9}[key]
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", text="\r" if key == "Enter" else "", **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def size(self, width: int, height: int, *, is_phone: bool = False) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=is_phone
        )

    def is_dark(self, dark: bool) -> None:
        value = "dark" if dark else "light"
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def screenshot(self, path: Path) -> None:
        data = self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))


def hostile_site() -> dict[str, Any]:
    """40 pages, broken links, and a title and a path that would like to be markup."""
    links = "".join(f'<a href="/page/{n}">{n}</a>' for n in range(40))
    pages: dict[str, Page] = {f"/page/{n}": html(f"Page {n} <a href='/gone/{n % 3}'>x</a>") for n in range(40)}
    body = f"<!doctype html><title>{HOSTILE.replace('<', '&lt;')}</title>{links}<a href='/%3Cscript%3E'>y</a>"
    pages["/"] = (200, {"Content-Type": "text/html", "X-Cache": "HIT"}, body.encode())
    return dict(pages)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(hostile_site(), delay=0.05) as made:
        yield made


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Chromium]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        reason = "Chromium is not installed (chromium, chromium-browser or google-chrome on PATH)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with Chromium(program, tmp_path / "profile") as browser:
        yield browser


def sign_in(browser: Chromium, system: System, path: str = "/") -> None:
    browser.go(system.url(path))
    browser.sees("Sign in")
    browser.type("#key", KEY)
    browser.press("Enter")


def test_a_newcomer_finds_the_broken_links(system: System, site: Site, chromium: Chromium) -> None:
    system.start()
    sign_in(chromium, system)
    chromium.sees("Start a crawl")
    chromium.type("#domain", f"http://{site.host}")
    chromium.press("Enter")
    until(lambda: chromium.run("document.querySelector('h1 .state')?.innerText") == "completed", 60)
    chromium.click(".tabs a:nth-child(2)")
    chromium.sees(f"http://{site.host}/gone/2")
    chromium.sees("HTTP 404")
    assert chromium.run("document.querySelectorAll('[data-live=list] tbody tr').length") == 4
    assert chromium.run("document.title").startswith(site.host)
    assert chromium.complaints == []


def test_a_hostile_title_stays_text(system: System, site: Site, chromium: Chromium) -> None:
    system.start()
    job = system.crawl(f"http://{site.host}")
    system.ended(job)
    home = next(task["id"] for task in system.tasks(job) if task["path"] == "/")
    sign_in(chromium, system, f"/jobs/{job}/tasks/{home}")
    chromium.sees("<script>document.title='owned'</script>")
    assert chromium.run("document.title") == "/ · Crawlyard"
    assert chromium.complaints == []


def test_the_start_page_updates_itself_and_keeps_what_is_typed(system: System, site: Site, chromium: Chromium) -> None:
    system.start()
    sign_in(chromium, system)
    chromium.sees("No crawl yet")
    chromium.type("#domain", "half.typed")
    system.crawl(f"http://{site.host}")
    chromium.sees(site.host)
    assert chromium.run("document.activeElement.id + document.activeElement.value") == "domainhalf.typed"


def test_it_fits_on_a_phone(system: System, chromium: Chromium) -> None:
    system.start()
    chromium.size(360, 740, is_phone=True)
    sign_in(chromium, system)
    chromium.sees("Start a crawl")
    for path in ("/", "/queues"):
        chromium.go(system.url(path))
        assert chromium.run("document.documentElement.scrollWidth") <= 360
