"""`Idempotency-Key`: a POST that is sent again gets the first answer, and nothing happens twice."""

import hashlib
from collections.abc import Callable

from flask import Request

from api.context import Answer, Call, Stream
from shared.clock import now_us
from shared.errors import Invalid
from shared.store import idempotency

HEADER = "Idempotency-Key"
_LONGEST = 255


def perform(request: Request, call: Call, raw: bytes, handle: Callable[[], Answer | Stream]) -> Answer | Stream:
    """Handles a POST, or replays the answer that its key got. Raises Invalid, Conflict."""
    key = request.headers.get(HEADER)
    if key is None:
        return handle()
    if not 0 < len(key) <= _LONGEST or not key.isascii() or not key.isprintable():
        raise Invalid(f"Not valid: {HEADER}", [(HEADER, f"must be 1 to {_LONGEST} printable ASCII characters")])
    store, owner = call.store, call.organisation_id
    first = idempotency.begin(store, owner, key, _fingerprint(request, raw), now_us())
    if first is not None:
        return Answer(first.body.encode(), first.status, headers={"Idempotency-Replayed": "true"})
    is_done = False
    try:
        answer = handle()
        if isinstance(answer, Answer):
            idempotency.finish(store, owner, key, idempotency.Answer(answer.status, answer.kept().decode()))
            is_done = True
        return answer
    finally:
        if not is_done:
            idempotency.release(store, owner, key)


def _fingerprint(request: Request, raw: bytes) -> str:
    return hashlib.sha256(b"\0".join((request.method.encode(), request.path.encode(), raw))).hexdigest()
