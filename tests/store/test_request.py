"""Byte ranges: cutting agrees with slices, and merging never changes an answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zarrds._base.types import ByteRange, Request
from zarrds._store.request import coalesce, cut, split_answers

ranges = st.one_of(
    st.none(),
    st.builds(ByteRange, st.integers(0, 40), st.one_of(st.none(), st.integers(0, 40))),
    st.integers(-40, -1).map(ByteRange),
)
requests = st.lists(st.tuples(st.sampled_from("abc"), ranges), max_size=12)
VALUES = {"a": bytes(range(30)), "b": b""}


def answer(request: Request) -> bytes | None:
    value = VALUES.get(request[0])
    found = None if value is None else cut(value, request[1])
    return None if found is None else bytes(found)


@given(st.binary(max_size=30), ranges)
def test_cut_is_slicing(value: bytes, byte_range: ByteRange | None) -> None:
    expected = value if byte_range is None else value[slice(*byte_range)]
    assert bytes(cut(value, byte_range)) == expected
    assert bytes(cut(bytearray(value), byte_range)) == expected


@given(requests, st.integers(0, 20))
def test_merged_requests_answer_the_original_ones(wanted: list[Request], gap: int) -> None:
    merged = coalesce(wanted, max_gap_bytes=gap)
    assert len(merged.requests) <= len(wanted)
    found = split_answers(merged, [answer(request) for request in merged.requests])
    assert [None if value is None else bytes(value) for value in found] == list(map(answer, wanted))


def test_gaps() -> None:
    wanted = [("k", ByteRange(0, 10)), ("k", ByteRange(15, 20)), ("k", ByteRange(40, 50)), ("l", ByteRange(0, 1))]
    assert coalesce(wanted, max_gap_bytes=5).requests == [
        ("k", ByteRange(0, 20)), ("k", ByteRange(40, 50)), ("l", ByteRange(0, 1)),
    ]  # fmt: skip
    assert len(coalesce(wanted, max_gap_bytes=4).requests) == 4
    assert coalesce([*wanted, ("k", None)], max_gap_bytes=0).requests == [("k", None), ("l", ByteRange(0, 1))]
