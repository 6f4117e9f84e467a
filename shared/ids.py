"""Public ids: UUIDv7 outside, packed 64-bit integers inside.

A job has a number; a task is `job << 32 | seq` with a dense seq from 1 (docs/decisions.md, "Ids").
Outside each is a UUIDv7 (RFC 9562): 48 bits of milliseconds (of the job's creation), the version,
12 bits that name the kind of entity, the variant, and 62 bits that hold the packed number itself.
So an id decodes without a lookup, sorts by time, and is checked against the row's own creation time.
"""

import os
import time
import uuid
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

_BODY_BITS = 62
_BODY_MASK = (1 << _BODY_BITS) - 1
SEQ_BITS = 32
SEQ_MASK = (1 << SEQ_BITS) - 1


class Kind(IntEnum):
    """The entity that an id names: the 12 bits behind the version of its UUID."""

    JOB = 0x1A0
    TASK = 0x2B1
    PAGE = 0x3C2
    DELIVERY = 0x4D3
    CHANGE = 0x5E4


@dataclass(frozen=True, slots=True)
class PublicId:
    """A decoded public id."""

    kind: Kind
    #: milliseconds since the epoch: of the creation of the job (job, task), the domain (page), else of the thing itself
    ms: int
    #: number of the job, delivery or change, packed task id, or the page's 62-bit URL key
    body: int


def encode(kind: Kind, ms: int, body: int) -> uuid.UUID:
    """The UUIDv7 of an entity. Raises ValueError for a body over 62 bits."""
    return uuid.UUID(int=_number(kind, ms, body))


def _number(kind: Kind, ms: int, body: int) -> int:
    if not 0 <= body <= _BODY_MASK:
        raise ValueError(f"{body} does not fit in an id")
    high = (ms & ((1 << 48) - 1)) << 16 | 0x7000 | kind
    return high << 64 | 0b10 << _BODY_BITS | body


def decode(text: str) -> PublicId | None:
    """The id behind either spelling (hyphens or 32 hex digits), None for anything else."""
    parsed = parse_uuid(text)
    if parsed is None or parsed.version != 7:
        return None
    high = parsed.int >> 64
    try:
        kind = Kind(high & 0xFFF)
    except ValueError:
        return None
    return PublicId(kind, high >> 16, parsed.int & _BODY_MASK)


def parse_uuid(text: str) -> uuid.UUID | None:
    """A UUID in one of its two spellings, None for anything else (braces and URNs included)."""
    if len(text) not in (32, 36) or (len(text) == 36) != ("-" in text):
        return None
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def new_uuid() -> uuid.UUID:
    """A fresh random UUIDv7 (RFC 9562, 5.7)."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=value & ~(0b11 << 62) | 0b10 << 62)


def task_uuid(job_ms: int, task_id: int) -> uuid.UUID:
    """The public id of a task."""
    return encode(Kind.TASK, job_ms, task_id)


def rq_id(job_ms: int, task_id: int) -> str:
    """Id of a task's RQ job: the hex of its public id, made without that (each page asks for some).

    Raises ValueError for an id over 62 bits.
    """
    return f"{_number(Kind.TASK, job_ms, task_id):032x}"


@lru_cache(1_000)
def job_uid(ms: int, job_no: int) -> str:
    """The public id of a job; the pages of a job ask for the same one."""
    return str(encode(Kind.JOB, ms, job_no))


def pack(job_no: int, seq: int) -> int:
    """The packed id of a job's task."""
    return job_no << SEQ_BITS | seq


def job_of(task_id: int) -> int:
    """The job number inside a packed task id."""
    return task_id >> SEQ_BITS


def seq_of(task_id: int) -> int:
    """The dense sequence number inside a packed task id."""
    return task_id & SEQ_MASK
