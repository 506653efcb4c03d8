"""A body is opened within its limits, and one that cannot be opened says why in a sentence."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.foundation.errors import MalformedUpload, UnsupportedFormat, UploadTooLarge
from appliance.intake import document
from appliance.intake.document import open_document, unpack, unpacked_size

LIMIT = 4 * 2**20
EMPTY = b'{"data": {"metrics": []}}'


def arrays(body: bytes, encoding: str = "", limit: int = LIMIT):
    return open_document(body, encoding, limit).arrays


def refusal(body: bytes, encoding: str = "", limit: int = LIMIT) -> str:
    with pytest.raises(MalformedUpload) as caught:
        open_document(body, encoding, limit)
    return caught.value.detail


def test_the_arrays_below_data_are_found():
    assert arrays(b'{"data": {"metrics": [1], "workouts": []}}') == {"metrics": [1], "workouts": []}


def test_an_empty_data_object_is_a_document_without_arrays():
    assert arrays(b'{"data": {}}') == {}


def test_arrays_beside_data_are_found_too():
    assert arrays(b'{"data": {"metrics": [1]}, "workouts": [2], "version": 3}') == {
        "metrics": [1],
        "workouts": [2],
    }
    assert arrays(b'{"metrics": [1]}') == {"metrics": [1]}


@pytest.mark.parametrize("inner", ["null", "[]"])
def test_an_array_beside_data_is_not_hidden_by_an_empty_one_inside(inner):
    assert arrays(b'{"data": {"workouts": %s}, "workouts": [2]}' % inner.encode()) == {"workouts": [2]}


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null", b"true", b"[{}]"])
def test_json_that_is_no_object_is_refused(body):
    assert "not an object" in refusal(body)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"data": null}', b'{"data": []}', b'{"data": "x"}', b'{"other": {}}']
)
def test_an_object_without_data_is_refused_with_the_mend(body):
    assert "version 2" in refusal(body)


@pytest.mark.parametrize("body", [b"", b" \n\t ", gzip.compress(b"", mtime=0)])
def test_an_empty_body_is_refused(body):
    assert "empty" in refusal(body)


@pytest.mark.parametrize(
    "body", [b"{", b'{"data": }', b'{"data": {}} x', b"\xef\xbb\xbf", b"name=value", b"<html/>"]
)
def test_what_is_not_json_is_refused(body):
    assert "not JSON" in refusal(body)


def test_a_byte_order_mark_is_passed_over():
    assert arrays(b"\xef\xbb\xbf" + EMPTY) == {"metrics": []}


def test_latin_1_is_refused_by_name():
    assert "UTF-8" in refusal('{"data": {"name": "Anna´s Gerät"}}'.encode("latin-1"))


def test_utf_16_is_refused():
    assert refusal(EMPTY.decode().encode("utf-16"))


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (r"a\ud800b", "a\ufffdb"),
        (r"a\udc00b", "a\ufffdb"),
        (r"\udc00\ud800", "\ufffd\ufffd"),
        (r"\ud83d\ude00 \ud83d", "😀 \ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\\ud800 \ud800", r"\ud800 " + "\ufffd"),
        (r"\\\ud800", "\\\ufffd"),
        ("é\\uD800", "é\ufffd"),
    ],
)
def test_a_lone_surrogate_costs_itself_and_nothing_else(sent, read):
    body = f'{{"data": {{"metrics": [{{"name": "{sent}", "data": [{{"qty": 1.5}}]}}]}}}}'
    assert arrays(body.encode()) == {"metrics": [{"name": read, "data": [{"qty": 1.5}]}]}


def test_a_broken_body_with_a_lone_surrogate_is_still_refused():
    assert "not JSON" in refusal(rb'{"data": "\ud800"')


def test_of_a_repeated_key_the_last_one_counts():
    assert arrays(b'{"data": {"metrics": [1], "metrics": [2]}}') == {"metrics": [2]}


@pytest.mark.parametrize("depth", [250, 1_000, 100_000])
@pytest.mark.parametrize("start", [b"", rb'"\ud800",'])
def test_deep_nesting_is_refused_and_crashes_nothing(depth, start):
    body = b'{"data": {"metrics": [%s' % start + b"[" * depth + b"]" * depth + b"]}}"
    assert "not JSON" in refusal(body)
    assert "not JSON" in refusal(b"[" * depth)
    assert "not JSON" in refusal(b'{"a":' * depth)


values = st.none() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
trees = st.recursive(
    values, lambda t: st.lists(t, max_size=3) | st.dictionaries(st.text(max_size=3), t, max_size=3)
)


@given(tree=trees, ascii_only=st.booleans())
def test_json_property_what_was_sent_is_what_is_read(tree, ascii_only):
    body = json.dumps({"data": {"metrics": tree}}, ensure_ascii=ascii_only).encode()
    assert arrays(body) == {"metrics": tree}


@given(body=st.binary(max_size=200), encoding=st.sampled_from(["", "gzip"]))
def test_arbitrary_bytes_are_a_document_or_a_refusal(body, encoding):
    for candidate in (body, b"\x1f\x8b" + body, gzip.compress(body), gzip.compress(body)[:-3]):
        with suppress(MalformedUpload):
            open_document(candidate, encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["", "gzip", "GZIP", " x-gzip ", "identity"])
def test_gzip_is_undone_whatever_the_header_says(encoding):
    assert arrays(gzip.compress(EMPTY), encoding) == {"metrics": []}


def test_a_plain_body_that_claims_gzip_is_read_plain():
    assert arrays(EMPTY, "gzip") == {"metrics": []}


def test_members_of_gzip_follow_each_other():
    half = len(EMPTY) // 2
    packed = gzip.compress(EMPTY[:half]) + gzip.compress(b"") + gzip.compress(EMPTY[half:]) + b"\0\0\0"
    assert arrays(packed) == {"metrics": []}


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "x" * 1000])
def test_other_encodings_are_refused_by_name(encoding):
    with pytest.raises(UnsupportedFormat) as caught:
        open_document(EMPTY, encoding, LIMIT)
    assert encoding[:40] in caught.value.detail
    assert len(caught.value.detail) < 200


@pytest.mark.parametrize("missing", [1, 8, 20])
def test_a_cut_gzip_body_is_refused(missing):
    packed = gzip.compress(json.dumps(list(range(1000))).encode())
    assert "cut on the way" in refusal(packed[:-missing])


def test_a_damaged_gzip_body_is_refused():
    packed = bytearray(gzip.compress(json.dumps(list(range(1000))).encode()))
    packed[len(packed) // 2] ^= 0xFF
    assert "damaged" in refusal(bytes(packed))
    assert "damaged" in refusal(gzip.compress(EMPTY) + b"trailing")
    assert "damaged" in refusal(gzip.compress(EMPTY)[:-8] + b"\0" * 8)


def test_the_limit_counts_what_is_unpacked_and_takes_its_last_byte():
    body = b" " * (LIMIT - len(EMPTY)) + EMPTY
    assert arrays(gzip.compress(body)) == {"metrics": []}
    with pytest.raises(UploadTooLarge, match="Batch Requests"):
        unpack(gzip.compress(body + b" "), "gzip", LIMIT)


@pytest.mark.parametrize("members", [1, 200])
def test_a_gzip_bomb_stays_small(members):
    bomb = gzip.compress(b"\0" * (2**27 // members), compresslevel=9) * members
    tracemalloc.start()
    try:
        with pytest.raises(UploadTooLarge):
            unpack(bomb, "gzip", LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 3 * LIMIT
    finally:
        tracemalloc.stop()


def test_many_tiny_members_take_time_in_proportion_only():
    member = gzip.compress(b"")

    def seconds(count: int) -> float:
        body = member * count
        began = time.process_time()
        assert unpack(body, "gzip", LIMIT) == b""
        return time.process_time() - began

    assert seconds(40_000) < 60 * min(seconds(4_000) for _ in range(3))


def test_more_values_or_items_than_anybody_sends_are_refused_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(document, "MAX_VALUES", 1_000)
    monkeypatch.setattr(document, "MAX_ITEMS", 100)
    for body, more in (
        (b'{"data": {"x": [%s0]}}' % (b"[]," * 600), "values"),
        (b'{"data": {"x": [%s0]}}' % (b"{}," * 600), "values"),
        (b'{"data": {"x": [%s0]}}' % (b"0," * 100), "items"),
        (b'{"data": {"metrics": [{"data": [%s0]}, {"data": [%s0]}]}}' % (b"0," * 50, b"0," * 50), "items"),
    ):
        for sent in (body, gzip.compress(body)):
            with pytest.raises(UploadTooLarge, match=more):
                arrays(sent)
    assert arrays(b'{"data": {"x": [%s0]}}' % (b"0," * 99))


@settings(max_examples=25)
@given(pieces=st.lists(st.binary(max_size=5_000), max_size=5))
def test_gzip_property_unpacking_gives_the_bytes_packed(pieces):
    whole = b"".join(pieces)
    packed = b"".join(gzip.compress(piece) for piece in pieces) or gzip.compress(b"")
    assert unpack(packed, "gzip", LIMIT) == whole


@given(content=st.binary(max_size=300), at_most=st.integers(0, 320), packed=st.booleans())
def test_the_unpacked_size_is_told_without_unpacking(content, at_most, packed):
    plain = b"x" + content
    assert unpacked_size(gzip.compress(plain) if packed else plain, at_most) == min(len(plain), at_most + 1)


def test_of_a_damaged_body_the_size_is_what_can_be_had():
    assert unpacked_size(b"\x1f\x8b" + b"no gzip at all", 100) == 0
    assert unpacked_size(gzip.compress(b"a") + gzip.compress(b"b" * 50)[:-9], 100) <= 51


def test_many_packed_bodies_that_are_too_large_are_refused_before_they_take_memory():
    bomb = gzip.compress(b"\0" * 2**27, compresslevel=9)
    tracemalloc.start()
    try:
        with pytest.raises(UploadTooLarge):
            unpack(bomb, "gzip", 2**27 - 1)
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()
