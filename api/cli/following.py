"""Following a crawl to its end: by the events of the API, or by asking again and again."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from api.cli.client import Client
from api.cli.progress import Meter, Show
from shared.errors import CrawlyardError, Unavailable

POLL_SECONDS = 0.5
#: how long the API may be away in mid-crawl
AWAY_SECONDS = 120.0
ENDED = frozenset({"completed", "failed", "cancelled"})


def poll(client: Client, job_id: str, show: Show, deadline: float | None = None) -> dict[str, Any]:
    """Asks until the job has ended, and returns it. `deadline`: by a monotonic clock; raises CrawlyardError then."""
    meter, heard = Meter(), time.monotonic()
    while True:
        now = time.monotonic()
        try:
            job = client.get(f"/v1/jobs/{job_id}")
        except Unavailable:
            if now - heard > AWAY_SECONDS:
                raise
        else:
            heard = now
            show.update(meter.read(job, now))
            if job["status"] in ENDED:
                return job
        if deadline is not None and now >= deadline:
            raise CrawlyardError("the crawl took longer than --timeout allows and was cancelled")
        time.sleep(POLL_SECONDS)


def listen(client: Client, job_id: str, show: Show) -> dict[str, Any]:
    """Shows the events of a job until it has ended, and returns it; polls where there is no stream.

    Raises as Client does.
    """
    path, meter, last = f"/v1/jobs/{job_id}/events", Meter(), ""
    try:
        while True:
            headers = {"Last-Event-ID": last} if last else None
            for event in events(client.lines(path, headers)):
                last = event.id
                if event.name == "end":
                    return client.get(f"/v1/jobs/{job_id}")
                _show(event, show, meter)
            time.sleep(POLL_SECONDS)
    except Unavailable:  # too many streams, or the API is away for a moment
        return poll(client, job_id, show)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    name: str
    id: str
    data: dict[str, Any]


def events(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events in a body (HTML, "Server-sent events", as far as our API makes use of it). Raises CrawlyardError."""
    fields: dict[str, str] = {}
    for raw in lines:
        line = raw.decode(errors="replace").rstrip("\r")
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        if "data" in fields:
            yield Event(fields.get("event", "message"), fields.get("id", ""), _data(fields["data"]))
        fields = {}


def _data(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CrawlyardError("this is not a Crawlyard API: its event is no JSON object")
    return found


def _show(event: Event, show: Show, meter: Meter) -> None:
    if event.name == "progress":
        show.update(meter.read({"progress": event.data}, time.monotonic()))
    elif event.name == "task":
        show.tell(f"failed: {event.data['status_code'] or event.data['error']}  {event.data['url']}")
