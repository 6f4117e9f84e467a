"""`Idempotency-Key`: a POST that is sent again gets the first answer, and nothing happens twice."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from flask import Request

from api.context import Answer, Call, Stream
from shared.clock import now_us
from shared.errors import Invalid
from shared.store import idempotency

HEADER = "Idempotency-Key"
_LONGEST = 255


def perform(request: Request, call: Call, raw: bytes, handle: Callable[[Call], Answer | Stream]) -> Answer | Stream:
    """Handles a POST, or replays the answer that its key got. Raises Invalid, Conflict."""
    key = request.headers.get(HEADER)
    if key is None:
        return handle(call)
    if not 0 < len(key) <= _LONGEST or not key.isascii() or not key.isprintable():
        raise Invalid(f"Not valid: {HEADER}", [(HEADER, f"must be 1 to {_LONGEST} printable ASCII characters")])
    store, claim = call.store, idempotency.Claim(call.organisation_id, key)
    first = idempotency.begin(store, claim, _fingerprint(request, raw), now_us())
    if first is not None:
        return Answer(first.body.encode(), first.status, headers={"Idempotency-Replayed": "true"})
    is_done = False
    try:
        answer = handle(replace(call, claim=claim))
        if isinstance(answer, Answer):
            idempotency.finish(store, claim, idempotency.Answer(answer.status, answer.kept().decode()))
            is_done = True
        return answer
    finally:
        if not is_done:
            idempotency.release(store, claim)


def _fingerprint(request: Request, raw: bytes) -> str:
    return hashlib.sha256(b"\0".join((request.method.encode(), request.path.encode(), raw))).hexdigest()
