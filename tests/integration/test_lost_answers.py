"""A commit that was made, but whose answer never came: the next try finds it, and no page pays for it."""

from typing import Any

from shared.clock import SECOND, now_us
from shared.errors import StoreUnavailable
from shared.queue import TaskQueue, connect
from shared.stages import Admission
from shared.states import TaskState
from shared.store import Store, step
from tests.crawls import LEASE, Crawl
from workers.committer import Committer


class Forgetful(Store):
    """Commits, but the first answer is lost on its way."""

    def __init__(self, store: Store) -> None:
        super().__init__(store._engine)
        self.lost = 0

    def write(self, change: Any) -> Any:
        answer = super().write(change)
        if not self.lost:
            self.lost = 1
            raise StoreUnavailable("server closed the connection unexpectedly")
        return answer


def test_a_start_whose_answer_is_lost_is_the_workers_own(store: Store, redis_url: str) -> None:
    crawl = Crawl(store)
    (page,) = crawl.discover("/")
    committer = Committer(Forgetful(store), TaskQueue(connect(redis_url)))
    committer.start()
    (work,) = committer.admit([Admission(page.task_id)])
    committer.stop()
    assert work is not None
    assert (crawl.row(page.task_id).crashes, crawl.row(page.task_id).attempts) == (0, 0)
    assert crawl.complete(work)[0].recorded


def test_another_workers_start_is_not(store: Store) -> None:
    crawl = Crawl(store)
    (page,) = crawl.discover("/")
    now = now_us()
    crawl.admit(page.task_id, now)
    again = step.run(store, [Admission(page.task_id)], [], now + 1, LEASE, tried=[now - SECOND])
    assert again.works == [None]
    assert crawl.row(page.task_id).state == TaskState.RUNNING
