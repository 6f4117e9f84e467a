"""`GET /v1/jobs/{id}/events`: what is told, when it ends, how many are served."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
import pytest

from api import streams
from shared.errors import StoreUnavailable
from shared.store import progress
from tests.api_kit import Api


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_EVERY", 0.0)


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url, CRAWLYARD_EVENT_STREAMS="2")


class Listener:
    """A client that reads a stream event by event."""

    def __init__(self, api: Api, uid: str, last: str | None = None) -> None:
        headers = {"Last-Event-ID": last} if last else {}
        self.answer = api.call("GET", f"/v1/jobs/{uid}/events", headers=headers)
        self._events = self._read()
        self.id = ""

    def _read(self) -> Iterator[tuple[str, Any]]:
        for part in self.answer.iter_encoded():
            for block in part.decode().split("\n\n"):
                found = re.fullmatch(r"event: (\w+)\nid: (\S+)\ndata: (.*)", block)
                if found:
                    self.id = found[2]
                    yield found[1], orjson.loads(found[3])

    def next(self, name: str) -> Any:
        """The data of the next event, which must be this one."""
        got, data = next(self._events)
        assert got == name
        return data

    def rest(self) -> list[str]:
        """The names of all that follows."""
        return [name for name, _ in self._events]


def test_it_works(api: Api) -> None:
    uid = api.crawl(["/", "/a"])
    listener = Listener(api, uid)
    assert (listener.answer.status_code, listener.answer.mimetype) == (200, "text/event-stream")
    assert listener.next("progress")["total_tasks"] == 2
    assert listener.next("state")["status"] == "running"
    api.finish(uid, 2)
    assert listener.next("progress")["percentage"] == 50.0
    api.fail(uid, 3)
    failure = listener.next("task")
    assert (failure["url"], failure["status_code"], failure["error"]) == ("https://example.com/a", 404, "HTTP 404")
    assert listener.next("progress")["failed_tasks"] == 1
    assert listener.next("state")["status"] == "completed"
    assert listener.next("end")["status"] == "completed"
    assert listener.rest() == []


def test_a_job_that_ended_is_told_and_closed(api: Api) -> None:
    uid = api.crawl(["/"])
    api.finish(uid, 2)
    listener = Listener(api, uid)
    assert listener.rest() == ["progress", "state", "end"]


def test_who_heard_the_end_need_not_come_again(api: Api) -> None:
    uid = api.crawl(["/"])
    api.finish(uid, 2)
    listener = Listener(api, uid)
    listener.rest()
    again = Listener(api, uid, listener.id)
    assert (again.answer.status_code, again.answer.data) == (204, b"")


def test_who_was_cut_off_hears_the_failures_since(api: Api) -> None:
    uid = api.crawl(["/", "/a", "/b"])
    listener = Listener(api, uid)
    listener.next("progress")
    listener.answer.close()
    api.fail(uid, 2)
    api.fail(uid, 3)
    again = Listener(api, uid, listener.id)
    assert {again.next("task")["url"] for _ in "12"} == {"https://example.com/", "https://example.com/a"}


def test_many_failures_at_once_are_all_told_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.job_events._BATCH", 8)
    monkeypatch.setattr("api.job_events._AT_END", 8)
    uid = api.crawl([f"/{n}" for n in range(20)], concurrency=30)
    listener = Listener(api, uid)
    listener.next("progress")
    listener.next("state")
    for n in range(20):
        api.fail(uid, n + 2)
    assert Counter(listener.rest()) == {"task": 20, "progress": 1, "state": 1, "end": 1}


def test_the_failures_of_a_job_that_ended_are_told_in_parts(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.job_events._BATCH", 8)
    monkeypatch.setattr("api.job_events._AT_END", 8, raising=False)
    uid = api.crawl([f"/{n}" for n in range(20)], concurrency=30)
    listener = Listener(api, uid)
    listener.next("progress")
    listener.answer.close()
    for n in range(20):
        api.fail(uid, n + 2)
    parts = Listener(api, uid, listener.id).answer.iter_encoded()
    told = [part.count(b"event: task") for part in parts]
    assert list(filter(None, told)) == [8, 8, 4]


def test_failures_of_a_job_that_goes_on_are_told_in_parts(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.job_events._BATCH", 8)
    uid = api.crawl([f"/{n}" for n in range(21)], concurrency=30)
    listener = Listener(api, uid)
    listener.next("progress")
    listener.next("state")
    for n in range(20):
        api.fail(uid, n + 2)
    told = [listener.next(name) for name in ["task"] * 8 + ["progress"] + ["task"] * 12]
    assert len({event["url"] for event in told if "url" in event}) == 20


@pytest.mark.parametrize("last", ["x", "-1", "9" * 30, "1\n2"])
def test_an_id_that_is_not_ours_is_as_good_as_none(api: Api, last: str) -> None:
    if "\n" in last:
        last = last.replace("\n", " ")
    assert Listener(api, api.crawl(["/"]), last).next("progress")


def test_streams_beyond_the_bound_are_told_to_poll(api: Api) -> None:
    uid = api.crawl(["/"])
    first, _second = Listener(api, uid), Listener(api, uid)
    third = Listener(api, uid).answer
    assert (third.status_code, third.json["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert third.headers["Retry-After"]
    assert "If-None-Match" in third.json["error"]
    first.answer.close()
    assert Listener(api, uid).answer.status_code == 200


def test_a_stream_that_nobody_reads_gives_its_place_back(api: Api) -> None:
    uid = api.crawl(["/"])
    for _ in range(5):
        answer = api.call("HEAD", f"/v1/jobs/{uid}/events")
        answer.close()
        assert answer.status_code == 200


def test_a_stream_lives_for_minutes_only(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LIFE", 0.05)
    monkeypatch.setattr(streams, "_SILENCE", 0.0)
    parts = api.call("GET", f"/v1/jobs/{api.crawl(['/'])}/events").iter_encoded()
    told = list(islice(parts, 5_000))
    assert len(told) < 5_000
    assert b"event: end" not in b"".join(told)


def test_a_process_that_stops_lets_its_clients_go(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_SILENCE", 0.0)
    parts = api.call("GET", f"/v1/jobs/{api.crawl(['/'])}/events").iter_encoded()
    assert b"event: progress" in b"".join(islice(parts, 2))
    api.app.extensions["crawlyard"].streams.is_stopping = lambda: True
    assert list(islice(parts, 5)) == [b": still here\n\n"]


def test_where_nothing_happens_there_is_a_sign_of_life(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_SILENCE", 0.0)
    parts = api.call("GET", f"/v1/jobs/{api.crawl(['/'])}/events").iter_encoded()
    assert [next(parts)[:8] for _ in range(3)] == [b"retry: 2", b"event: p", b": still "]


def test_an_outage_is_waited_out(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = Listener(api, api.crawl(["/"]))
    listener.next("progress")
    listener.next("state")
    with monkeypatch.context() as broken:
        outages = iter([StoreUnavailable(), StoreUnavailable()])

        def read(*_: Any) -> Any:
            broken.undo()
            raise next(outages)

        broken.setattr(progress, "read", read)
    api.finish(api.get("/v1/jobs")["jobs"][0]["id"], 2)
    assert listener.next("progress")["completed_tasks"] == 1


def test_polling_by_etag_costs_no_body_until_something_changes(api: Api) -> None:
    uid = api.crawl(["/", "/a"])
    first = api.call("GET", f"/v1/jobs/{uid}")
    ask = {"If-None-Match": first.headers["ETag"]}
    same = api.call("GET", f"/v1/jobs/{uid}", headers=ask)
    assert (same.status_code, same.data) == (304, b"")
    api.finish(uid, 2)
    moved = api.call("GET", f"/v1/jobs/{uid}", headers=ask)
    assert (moved.status_code, moved.json["progress"]["completed_tasks"]) == (200, 1)
    assert moved.headers["ETag"] != first.headers["ETag"]
