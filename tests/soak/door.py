"""The soak as a client: what it does it does over HTTP, and what it is answered must be true, or an honest 503."""

import threading
import time
import uuid
from collections import Counter
from typing import Any

import requests

_PAUSE = 0.3
#: seconds that a client waits for an answer; more means that a request hangs
PATIENCE = 45.0
#: as long as `/readyz` may take, and what a noisy machine adds
READY_SECONDS = 1.0 + 4.0


class Door:
    """The API, through its kills and outages."""

    def __init__(self, port: int, key: str) -> None:
        self.problems: list[str] = []
        self.statuses: Counter[str] = Counter()
        self._root = f"http://127.0.0.1:{port}"
        self._headers = {"Authorization": f"Bearer {key}"}

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of a success, however long that takes. A POST is sent under one Idempotency-Key."""
        headers = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}
        while True:
            answer = self.ask(method, path, headers, **options)
            if answer is not None and answer.ok:
                return answer.json()
            time.sleep(_PAUSE)

    def get(self, path: str) -> Any:
        """The JSON of a read."""
        return self.call("GET", path)

    def ask(self, method: str, path: str, headers: dict[str, str], **options: Any) -> requests.Response | None:
        """One request. None where nothing answered: the API is being killed too."""
        try:
            answer = requests.request(
                method, self._root + path, headers=self._headers | headers, timeout=PATIENCE, **options
            )
        except requests.ReadTimeout:
            self.problems.append(f"{time.strftime('%H:%M:%S')} {method} {path} was not answered in {PATIENCE:g} s")
            return None
        except requests.RequestException:
            self.statuses["none"] += 1
            return None
        self.statuses[str(answer.status_code)] += 1
        self._judge(method, path, answer)
        return answer

    def _judge(self, method: str, path: str, answer: requests.Response) -> None:
        told = f"{method} {path}: {answer.status_code} {answer.text[:200]}"
        if answer.status_code == 503:
            if "Retry-After" not in answer.headers:
                self.problems.append(f"without Retry-After: {told}")
        elif answer.status_code == 409 and "has not ended yet" in answer.text:
            pass  # the first try was cut off: its key is free again after two minutes at most
        elif not answer.ok:
            self.problems.append(told)


class Visitor(threading.Thread):
    """Reads a job by all its doors while it runs."""

    def __init__(self, door: Door, job_uid: str) -> None:
        super().__init__(name="visitor")
        self._door, self._ended = door, threading.Event()
        self._paths = (
            f"/v1/jobs/{job_uid}",
            f"/v1/jobs/{job_uid}/tasks?limit=50&sort=-response_time",
            "/api/jobs/stats",
            "/v1/jobs?limit=10&include=stats,progress",
            "/api/jobs?limit=50",
        )

    def run(self) -> None:
        """The thread's loop."""
        n = 0
        while not self._ended.wait(1.0):
            self._door.ask("GET", self._paths[n % len(self._paths)], {})
            self._look_at_readiness()
            n += 1

    def stop(self) -> None:
        """Ends it."""
        self._ended.set()
        self.join()

    def _look_at_readiness(self) -> None:
        answer = self._door.ask("GET", "/readyz", {})
        if answer is None:
            return
        body, seconds = answer.json(), answer.elapsed.total_seconds()
        if answer.status_code == 503 and body["redis"] and body["database"] and body["migrated"]:
            self._door.problems.append(f"/readyz does not say what is away: {body}")
        if seconds > READY_SECONDS:
            self._door.problems.append(f"/readyz took {seconds:.1f} s")
