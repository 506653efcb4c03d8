"""Whatever arrives is refused in a sentence or accounted for, and all that was read can be stored.

Documents grow from good ones by harming some places. `HEARTHBEAT_FUZZ_EXAMPLES` makes the search longer by hand.
"""

from __future__ import annotations

import gzip
import json
import math
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.catalog.load import load_catalogue
from appliance.domain.localday import instant
from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind
from appliance.domain.sleep import Session
from appliance.domain.text import storable, storable_text
from appliance.domain.upload import Automation
from appliance.foundation.errors import RequestError
from appliance.intake.document import Document, open_document
from appliance.intake.paths import item_at
from appliance.intake.read import MOST_KINDS, read_document
from appliance.intake.reading import SAMPLES
from appliance.storage import quarantine
from tests import hostile
from tests.builders import BERLIN, items_behind_samples, metric
from tests.fixtures.records import a_real_notification, an_ecg

LIMIT = 4 * 2**20
LONGEST_INDEXED = 500  # characters; four bytes each still fit the third of a page that an index takes
EARLIEST_US, LATEST_US = -2_208_988_800_000_000 - 86_400_000_000, 4_133_980_800_000_000 + 86_400_000_000
EXPORT = (Path(__file__).parents[1] / "payloads" / "export_111.json").read_bytes()
CSV = (
    "text/csv",
    b"""Date/Time,Step Count (count),Heart Rate [Min] (count/min),Heart Rate [Avg] (count/min)
2026-08-07 00:00:00,12.5,50,60
"2026-08-07 01:00:00","1,234",,61
""",
)
FORM = (
    "multipart/form-data; boundary=xyz",
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n'
    + CSV[1]
    + b"\r\n--xyz\r\nContent-Disposition: form-data; name=w\r\n\r\n"
    b"Workout Type,Start,End,Duration,Active Energy (kcal)\nRunning,2026-08-07 18:00,2026-08-07 18:30,00:30:00,310\n"
    b"\r\n--xyz--\r\n",
)

bounded = settings(
    max_examples=int(os.environ.get("HEARTHBEAT_FUZZ_EXAMPLES", "400")),
    derandomize=bool(os.environ.get("CI")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
automations = st.builds(
    Automation,
    aggregation=st.sampled_from(
        ["", "Default", "Seconds", "Minutes", "Hours", "Days", "Weeks", "Months", "Years", "x"]
    ),
    period=st.sampled_from(["", "Today", "Since Last Sync", "\0"]),
)


def read(arrays, automation=Automation()):  # noqa: B008  frozen
    return read_document(Document(arrays), load_catalogue(), automation, BERLIN)


def assert_storable_text(*texts, longest=LONGEST_INDEXED):
    for text in texts:
        assert text == storable_text(text)
        assert len(text) <= longest


def assert_storable_json(value):
    told = json.loads(json.dumps(value, allow_nan=False))
    assert told == storable(told)


def assert_storable_numbers(numbers):
    assert all(number is None or (type(number) is float and math.isfinite(number)) for number in numbers)


def assert_storable_instants(*instants):
    assert all(type(at) is int and EARLIEST_US <= at <= LATEST_US for at in instants)


def assert_storable_batch(batch):
    assert_storable_text(batch.key.metric, batch.key.source, batch.key.unit)
    assert_storable_numbers([*batch.value, *batch.minimum, *batch.maximum])
    assert_storable_instants(*batch.start)
    assert all(0 <= seconds < 2**31 for seconds in batch.duration)
    assert all(abs(seconds) <= 16 * 3_600 for seconds in batch.offset)
    assert batch.extra.keys() <= set(range(len(batch)))
    for extra in batch.extra.values():
        assert_storable_json(extra)


def assert_storable_record(record):
    assert_storable_text(record.identity, record.label, record.source, *record.flags)
    assert_storable_text(record.natural or "")
    assert_storable_instants(record.start, *(() if record.end is None else (record.end,)))
    instant(record.start, record.offset)
    assert_storable_json(dict(record.content))
    assert len(record.digest) == 32
    assert len({track.name for track in record.tracks}) == len(record.tracks)
    for track in record.tracks:
        assert_storable_text(track.name, *track.channels, *track.units, *track.units.values())
        assert_storable_instants(*track.at)
        assert len(set(map(len, track.channels.values())) | ({len(track.at)} if track.at else set())) == 1
        for channel in track.channels.values():
            assert_storable_numbers(channel)


def assert_storable_sleep(told):
    assert_storable_text(told.source, *told.flags)
    if isinstance(told, Session):
        assert_storable_record(told.as_record())
    else:
        assert_storable_instants(told.start, told.end)


def assert_taken_in(reading, arrays):
    """Every item has exactly one fate, and every fate can be written down."""
    behind = items_behind_samples(reading)
    aside = [item for item in reading.quarantined if item.kind == SAMPLES]
    assert reading.received[SAMPLES] == len(behind) + len(aside)
    records = sum(map(len, reading.records.values())) + len(reading.sleep)
    assert reading.received.total() == len(behind) + records + len(reading.quarantined)
    for batch in reading.batches.values():
        assert_storable_batch(batch)
    for found in reading.records.values():
        for record in found:
            assert_storable_record(record)
    for told in reading.sleep:
        assert_storable_sleep(told)
    for item in reading.quarantined:
        assert_storable_text(item.kind, item.name, item.path, item.detail)
        assert item.detail.endswith(".")
        assert len(quarantine._fingerprint(item)) == 32
        assert item_at(Document(arrays), item.path) is not None or item.item is None
    assert_storable_text(*reading.received)


@bounded
@given(tree=hostile.documents(), automation=automations)
def test_a_harmed_document_is_accounted_for_and_what_was_read_can_be_stored(tree, automation):
    data = tree.get("data")
    if isinstance(data, dict):
        assert_taken_in(read(data, automation), data)


@bounded
@given(tree=hostile.documents(), ascii_only=st.booleans())
def test_a_harmed_body_is_refused_in_a_sentence_or_accounted_for(tree, ascii_only):
    body = json.dumps(tree, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    with suppress(RequestError):
        document = open_document(body, "", LIMIT)
        assert_taken_in(read(document.arrays), document.arrays)


@st.composite
def harmed_bytes(draw, bodies):
    content_type, body = draw(st.sampled_from(bodies))
    parts = bytearray(body)
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(parts)))
        upto = draw(st.integers(at, min(at + 40, len(parts))))
        parts[at:upto] = draw(
            st.binary(max_size=6)
            | st.sampled_from(
                [
                    b"",
                    b"\0",
                    b'"',
                    b"{",
                    b"[" * 300,
                    b"}",
                    b",",
                    b":",
                    b"\xff",
                    b"\xed\xa0\x80",
                    b"\\ud800",
                    b"1e999",
                ]
            )
            | st.sampled_from(
                [b"-", b"NaN", b"Infinity", b"null", b"\\u0000", b"9" * 5_000, b"\xef\xbb\xbf", b"\r\n"]
            )
        )
    cut = draw(st.none() | st.integers(0, len(parts)))
    return content_type, bytes(parts[:cut] if cut is not None else parts)


BODIES = [
    ("application/json", EXPORT),
    *(("application/json", json.dumps(body).encode()) for body in hostile.good()),
    CSV,
    FORM,
]


@bounded
@given(sent=harmed_bytes(BODIES), packed=st.booleans(), automation=automations)
def test_harmed_bytes_are_refused_in_a_sentence_or_accounted_for(sent, packed, automation):
    content_type, body = sent
    with suppress(RequestError):
        document = open_document(gzip.compress(body, 1) if packed else body, "", LIMIT, content_type)
        assert_taken_in(read(document.arrays, automation), document.arrays)


def test_a_known_name_with_a_character_that_cannot_be_stored_is_kept_storable():
    workout = {**hostile.WORKOUT, "step\0count": [{"date": "x", "qty": 5, "units": "count"}]}
    del workout["stepCount"]
    arrays = {"workouts": [workout]}
    assert_taken_in(read(arrays), arrays)


@pytest.mark.parametrize("unit", ["\0", "\ud800", "\0" * 200])
def test_a_refusal_that_quotes_what_cannot_be_stored_is_storable(unit):
    sleep = {"metrics": [metric("sleep_analysis", unit, hostile.NIGHT)]}
    ecg = {"ecg": [an_ecg(voltageMeasurements=[{"date": 1, "voltage": 1, "units": unit}])]}
    reading = {"hr": 1, "units": unit, "timestamp": 1}
    notification = {"heartRateNotifications": [a_real_notification(heartRateData=[reading])]}
    for arrays in (sleep, ecg, notification):
        found = read(arrays)
        assert [item.reason for item in found.quarantined] == [Reason.UNKNOWN_UNIT]
        assert_taken_in(found, arrays)


def test_a_receipt_tells_so_many_kinds_apart_and_counts_the_rest_together():
    arrays = {f"new{n}": [n, n] for n in range(500)} | {"workouts": [hostile.WORKOUT]}
    reading = read(arrays)
    assert_taken_in(reading, arrays)
    assert len(reading.received) <= MOST_KINDS + 2
    assert reading.received.total() == 1_001
    assert reading.received[Kind.OTHER] > 850


def test_the_good_documents_are_read_whole():
    for body in hostile.good():
        reading = read(body["data"])
        assert_taken_in(reading, body["data"])
        assert {item.kind for item in reading.quarantined} <= {"brandNew"}
