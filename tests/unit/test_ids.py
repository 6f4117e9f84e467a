"""Public ids."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import ids
from shared.ids import Kind, PublicId


@given(st.sampled_from(Kind), st.integers(0, 2**48 - 1), st.integers(0, 2**62 - 1))
def test_an_id_decodes_to_what_was_encoded(kind: Kind, ms: int, body: int) -> None:
    made = ids.encode(kind, ms, body)
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert ids.decode(str(made)) == ids.decode(made.hex) == PublicId(kind, ms, body)


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**62 - 1))
def test_the_quick_spellings_of_an_id_are_its_spellings(ms: int, body: int) -> None:
    assert ids.rq_id(ms, body) == ids.task_uuid(ms, body).hex
    assert ids.job_uid(ms, body) == str(ids.encode(Kind.JOB, ms, body))


@given(st.integers(1, 2**30 - 1), st.integers(1, 2**32 - 1))
def test_a_packed_task_id_keeps_its_parts(job: int, seq: int) -> None:
    packed = ids.pack(job, seq)
    assert (ids.job_of(packed), ids.seq_of(packed)) == (job, seq)


@pytest.mark.parametrize(
    "text", ["", "1", "g" * 32, "{" + "0" * 30 + "}", "28b28e67-b0a6-43d2-9bd9-48644aca0a47", "0" * 36, "-" * 32]
)
def test_anything_else_is_no_id(text: str) -> None:
    assert ids.decode(text) is None


def test_a_body_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        ids.encode(Kind.TASK, 0, 2**62)


def test_new_uuids_are_version_7_and_ordered_by_time() -> None:
    made = [ids.new_uuid() for _ in range(100)]
    assert {u.version for u in made} == {7}
    assert [u.int >> 80 for u in made] == sorted(u.int >> 80 for u in made)
