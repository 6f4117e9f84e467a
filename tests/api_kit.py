"""An API over a real store, driven without workers: what the tests of every door need."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import fakeredis
from redis import Redis

from api import create_app
from shared import ids, urls
from shared.changes import ChangeType, Difference, Facts, Sighting, pack
from shared.clock import SECOND, now_us
from shared.queue import TaskQueue
from shared.settings import Settings
from shared.stages import Delay, Dispatch, Fetched, Finish, NewLink, Outcome, Work
from shared.states import SourceType, TaskState
from shared.store import keys, open_store, step

ORIGIN = "https://example.com"
LEASE = 60 * SECOND
HOME = {"CRAWLYARD_HOME": "/nonexistent", "CRAWLYARD_SECRET_KEY": "a-key-for-tests-of-32-characters"}


class RecordingQueue(TaskQueue):
    """A queue whose Redis runs no Lua: it notes what it was asked to do."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.enqueued: list[Dispatch] = []
        self.scheduled: list[tuple[Dispatch, int]] = []
        self.removed: list[Dispatch] = []
        #: (domain, run)
        self.refreshes: list[tuple[int, int]] = []

    def enqueue(self, dispatches: Iterable[Dispatch], due: bool = False) -> int:
        self.enqueued += dispatches
        return len(self.enqueued)

    def enqueue_refresh(self, domain_id: int, run: int) -> None:
        self.refreshes.append((domain_id, run))

    def schedule(self, dispatches: Iterable[Dispatch], at: int) -> None:
        self.scheduled += [(d, at) for d in dispatches]

    def remove(self, dispatches: Iterable[Dispatch]) -> None:
        self.removed += dispatches


def link(path: str, origin: str = ORIGIN, skip: str | None = None) -> NewLink:
    return NewLink(urls.url_key(origin + path), origin, path, skip)


class Api:
    """The application, its store, and a key with every scope of the organisation `acme`."""

    def __init__(self, store_url: str, queue: TaskQueue | None = None, **environ: str) -> None:
        self.settings = Settings.from_env(HOME | environ)
        self.store = open_store(store_url)
        self.queue = queue or RecordingQueue(fakeredis.FakeRedis())
        self.app = create_app(self.settings, self.store, self.queue)
        self.client = self.app.test_client()
        self.secret = self.key("acme")

    def key(self, organisation: str, scopes: Iterable[str] = keys.SCOPES, expires_at: int | None = None) -> str:
        return keys.create(self.store, organisation, "test", set(scopes), expires_at)[1]

    def call(self, method: str, path: str, *, secret: str | None = None, **kwargs: Any) -> Any:
        headers = {"Authorization": f"Bearer {secret or self.secret}"} | kwargs.pop("headers", {})
        return self.client.open(path, method=method, headers=headers, **kwargs)

    def get(self, path: str, expect: int = 200, /, **params: Any) -> Any:
        answer = self.call("GET", path, query_string=params or None)
        assert answer.status_code == expect, answer.text
        return answer.json

    def post(self, path: str, body: Any = None, expect: int = 200, **kwargs: Any) -> Any:
        answer = self.call("POST", path, json={} if body is None else body, **kwargs)
        assert answer.status_code == expect, answer.text
        return answer.json

    # -- a crawl without workers ------------------------------------------------

    def submit(self, domain: str = ORIGIN, **options: Any) -> str:
        """A new job's id."""
        uid: str = self.post("/v1/jobs", {"domain": domain, **options}, 201)["id"]
        return uid

    def start(self, uid: str, seq: int) -> Work:
        """Admits a task of a job, or the task of a queue job (any seq)."""
        found = ids.decode(uid)
        assert found is not None
        task_id = found.body if found.kind is ids.Kind.TASK else ids.pack(found.body, seq)
        work = step.run(self.store, [step.Admission(task_id)], [], now_us(), LEASE).works[0]
        assert work is not None
        return work

    def record(self, *outcomes: Outcome) -> None:
        verdicts = step.run(self.store, [], outcomes, now_us(), LEASE).verdicts
        assert all(verdict.recorded for verdict in verdicts)

    def discover(self, uid: str, links: Sequence[NewLink]) -> None:
        """Runs the discovery of a job: these pages, from a sitemap."""
        self.record(
            Finish(
                self.start(uid, 1),
                TaskState.COMPLETED,
                links=tuple(links),
                source=SourceType.SITEMAP,
                origin=ORIGIN,
                found=len(links),
                documents=1,
            )
        )

    def finish(self, uid: str, seq: int, state: TaskState = TaskState.COMPLETED, **values: Any) -> None:
        """Runs one page task of a job."""
        finish = {
            name: values.pop(name)
            for name in ("error", "links", "facts", "found", "sighting", "redirects", "targets")
            if name in values
        }
        fetched = Fetched(**({"status_code": 200, "response_time": 100, "bytes": 1000} | values))
        self.record(Finish(self.start(uid, seq), state, fetched, documents=1, **finish))

    def see(self, uid: str, seq: int, text: str) -> None:
        """Completes a page task whose page says `text`; a change where it said something else before."""
        self.record(self.look(self.start(uid, seq), text))

    def look(self, work: Work, text: str) -> Finish:
        """The outcome of a page that says `text`."""
        base, raw = work.watch.fingerprint, text.encode()
        mark = f"v.200.{text}.{text}"
        difference = Difference(ChangeType.CONTENT, 0.5, pack(b"-a\n+b")) if base else None
        digest = blake2b(raw, digest_size=16).digest()
        sighting = Sighting(base, mark, Facts(200, title=text), digest, pack(raw), len(raw), difference=difference)
        fetched = Fetched(200, 100, 1000)
        new = None if base == mark else sighting
        return Finish(work, TaskState.COMPLETED, fetched, sighting=new, documents=1)

    def fail(self, uid: str, seq: int, status_code: int = 404) -> None:
        self.finish(uid, seq, TaskState.FAILED, status_code=status_code, error=f"HTTP {status_code}")

    def delay(self, uid: str, seq: int) -> None:
        """Runs a page task until it is put off for an hour."""
        later = now_us() + 3600 * SECOND
        self.record(Delay(self.start(uid, seq), later, "HTTP 503", spends_attempt=True))

    def crawl(self, paths: Sequence[str] = ("/", "/a", "/b"), **options: Any) -> str:
        """A job whose discovery found these pages, all of them queued by now."""
        uid = self.submit(**options)
        self.discover(uid, [link(path) for path in paths])
        return uid
