"""Old and new code against one queue and one database, as during a rolling deploy."""

import io
import signal
import subprocess
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.system import ROOT, System
from tests.site import Site, linked_site
from tests.waiting import until

#: a landed state of main with one of the first schemas: all migrations since then come while it runs
OLD = "69c77d9"
PAGES = 300


@pytest.fixture
def old_code(tmp_path: Path) -> Path:
    found = subprocess.run(["git", "archive", OLD], cwd=ROOT, capture_output=True, timeout=60)
    if found.returncode:
        pytest.skip("there is no git history here: a shallow clone or a source archive")
    folder = tmp_path / "old"
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_a_crawl_goes_through_a_rolling_deploy(old_code: Path, tmp_path: Path, empty_store_url: str) -> None:
    with Site(linked_site(PAGES), delay=0.15) as site:
        allowed = {"CRAWLYARD_ALLOW_PRIVATE": site.host, "GRACE": "5"}
        with System(tmp_path, empty_store_url, PYTHONPATH=str(old_code), **allowed) as system:
            system.start(workers=1)
            old = list(system._processes)
            job_id = system.crawl(f"http://{site.host}", concurrency=10)
            until(lambda: system.pages_done(job_id) >= 30, 30, "the old worker crawls nothing")

            system.env["PYTHONPATH"] = str(ROOT)
            assert system.run("release").wait(60) == 0
            system.run("worker")
            before = system.pages_done(job_id)
            # on a machine that is held up the old worker may have all but finished by now
            together = min(before + 30, PAGES)
            until(lambda: system.pages_done(job_id) >= together, 30, "old and new crawl nothing together")
            for process in old:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
            for process in old:
                process.wait(30)
            system.run("web")
            system.run("scheduler")
            until(system._is_ready, 30, "the new API is not ready")

            assert system.ended(job_id)["status"] == "completed"
            assert system.job(job_id)["progress"]["completed_tasks"] == PAGES
        fetched = Counter(path for path in site.paths() if path in site.pages)
    assert set(fetched) == set(site.pages)
    assert sum(fetched.values()) <= PAGES + 10
