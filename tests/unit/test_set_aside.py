"""What is not understood costs itself and nothing else: each item has its reason and its exact path."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain.quarantine import Reason
from appliance.foundation.errors import MalformedUpload
from appliance.intake.document import open_document
from appliance.intake.reading import SAMPLES
from tests.builders import (
    NOON,
    hours_of,
    items_behind_samples,
    metric,
    only_batch,
    only_quarantined,
    point,
    read,
    read_arrays,
)

BAD_POINTS = [
    ({"date": "yesterday", "qty": 1}, Reason.BAD_TIMESTAMP),
    ({"date": None, "qty": 1}, Reason.BAD_TIMESTAMP),
    ({"qty": 1}, Reason.BAD_TIMESTAMP),
    ({"date": 1_754_560_800, "qty": 1}, Reason.BAD_TIMESTAMP),
    ({"date": "9999-01-01 00:00:00 +0000", "qty": 1}, Reason.BAD_TIMESTAMP),
    *(
        ({"date": NOON, "qty": qty}, Reason.NOT_A_NUMBER)
        for qty in (
            True,
            False,
            "abc",
            "",
            "1,5",
            "١",
            "0x10",
            "1_000",
            "nan",
            "inf",
            "1e400",
            float("nan"),
            float("inf"),
            10**400,
            -(10**400),
            [1],
            {},
            {"qty": 1},
        )
    ),
    ({"date": NOON, "qty": None}, Reason.MISSING_VALUE),
    ({"date": NOON}, Reason.MISSING_VALUE),
    ({}, Reason.MISSING_VALUE),
    ({"date": NOON, "value": 5}, Reason.MISSING_VALUE),
    ({"date": NOON, "qty": -1}, Reason.IMPLAUSIBLE_VALUE),
    ({"date": NOON, "qty": 1e12}, Reason.IMPLAUSIBLE_VALUE),
    ({"date": NOON, "Min": -5, "Avg": 3, "Max": 4}, Reason.IMPLAUSIBLE_VALUE),
    ({"date": NOON, "qty": 1, "source": 5}, Reason.WRONG_SHAPE),
    ({"date": NOON, "qty": 1, "source": ["Watch"]}, Reason.WRONG_SHAPE),
    *((junk, Reason.WRONG_SHAPE) for junk in (None, 5, "x", [], [NOON, 1], True)),
]


@pytest.mark.parametrize(
    ("bad", "reason"), BAD_POINTS, ids=[f"{n}-{reason}" for n, (_, reason) in enumerate(BAD_POINTS)]
)
def test_one_bad_point_costs_itself_and_is_kept_with_its_reason_and_path(bad, reason):
    points = [point(f"2026-08-07 {n // 60:02}:{n % 60:02}:00 +0200", n) for n in range(250)]
    points.insert(17, bad)
    reading = read(metric("height", "cm", point(qty=180)), metric("step_count", "count", *points))
    (item,) = reading.quarantined
    assert (item.kind, item.name, item.path, item.reason) == (
        SAMPLES,
        "step_count",
        "data.metrics[1].data[17]",
        reason,
    )
    assert item.item is bad
    assert item.detail.endswith(".")
    assert sum(map(len, reading.batches.values())) == 251
    assert reading.received == {SAMPLES: 252}


@pytest.mark.parametrize("qty", ["72", " 72.0 ", "7.2e1", "+72", "72.", "720E-1"])
def test_a_number_written_as_text_is_a_number(qty):
    assert only_batch(read(metric("step_count", "count", point(qty=qty)))).value == [72]


@pytest.mark.parametrize(("low", "high"), [(0, 250_000)])
def test_the_limits_themselves_are_possible(low, high):
    assert only_batch(read(metric("step_count", "count", point(qty=low), point(qty=high)))).value == [
        low,
        high,
    ]


@pytest.mark.parametrize(
    "entry", [None, 5, "x", [], True, {}, {"name": "step_count"}, {"data": {}}, {"data": "x"}]
)
def test_an_entry_that_holds_no_list_of_points_is_one_item_set_aside(entry):
    reading = read(metric("step_count", "count", point()), entry)
    (item,) = reading.quarantined
    assert (item.reason, item.path, item.item) == (Reason.WRONG_SHAPE, "data.metrics[1]", entry)
    assert reading.received == {SAMPLES: 2}


@pytest.mark.parametrize("content", [{}, {"name": "step_count"}, "x", 5, True])
def test_metrics_that_are_no_list_are_one_item_set_aside(content):
    item = only_quarantined(read_arrays({"metrics": content}))
    assert (item.reason, item.path, item.item) == (Reason.WRONG_SHAPE, "data.metrics", content)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"metrics": None},
        {"metrics": []},
        {"metrics": [metric("step_count", "count")]},
        {"metrics": [metric(None, None)]},
        {"metrics": [{"name": "step_count", "units": "count", "data": None}]},
        {"workouts": [], "ecg": None, "symptoms": {}},
    ],
)
def test_empty_is_nothing_received_and_nothing_wrong(arrays):
    reading = read_arrays(arrays)
    assert reading.received.total() == 0
    assert reading.batches == {}
    assert reading.quarantined == []


def test_arrays_that_are_not_read_yet_are_kept_and_counted_by_kind():
    one, other = {"id": "1"}, {"id": "2"}
    reading = read_arrays({"brandNew": [one, other], "lonely": {"kind": "x"}, "odd": [None]})
    assert reading.received == {"brandNew": 2, "lonely": 1, "odd": 1}
    assert [(item.kind, item.path, item.item) for item in reading.quarantined] == [
        ("brandNew", "data.brandNew[0]", one),
        ("brandNew", "data.brandNew[1]", other),
        ("lonely", "data.lonely", {"kind": "x"}),
        ("odd", "data.odd[0]", None),
    ]
    assert {item.reason for item in reading.quarantined} == {Reason.NOT_READ_YET}


def test_a_bad_metric_leaves_the_others_alone():
    reading = read(
        metric("height", "furlong", point()),
        metric("step_count", "count", *hours_of("2026-08-07", range(24))),
    )
    assert [item.path for item in reading.quarantined] == ["data.metrics[0].data[0]"]
    assert {key.metric: len(batch) for key, batch in reading.batches.items()} == {"step_count": 24}


def test_odd_names_of_metrics_and_arrays_are_bounded_and_storable():
    reading = read_arrays(
        {"x\x00\ud800" + "y" * 1000: [1], "metrics": [metric("n" * 1000 + "\x00", "count", point())]}
    )
    for item in reading.quarantined:
        assert len(item.name) <= 80
        assert "\x00" not in item.name
        item.name.encode()


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(alphabet=st.characters(), max_size=8)
    | st.sampled_from([NOON, "2026-08-07", "Watch", "12", "1e400"])
)
keys = st.sampled_from(
    ["date", "qty", "Min", "avg", "Max", "source", "start", "end", "systolic", "reason", "Qty"]
) | st.text(alphabet=st.characters(), max_size=4)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)
metric_names = anything | st.sampled_from(
    ["step_count", "heart_rate", "blood_pressure", "sleep_analysis", "sexual_activity", "aura"]
)
entries = anything | st.fixed_dictionaries(
    {},
    optional={
        "name": metric_names,
        "units": anything | st.sampled_from(["count", "bpm", "mmHg"]),
        "data": anything | st.lists(anything | st.dictionaries(keys, scalars, max_size=5), max_size=6),
    },
)
documents = st.fixed_dictionaries(
    {}, optional={"metrics": anything | st.lists(entries, max_size=4)}
) | st.dictionaries(
    st.sampled_from(["metrics", "workouts", "samples", ""]) | st.text(max_size=4), anything, max_size=4
)


def assert_accounted_for(reading):
    set_aside = [item for item in reading.quarantined if item.kind == SAMPLES]
    assert reading.received[SAMPLES] == len(items_behind_samples(reading)) + len(set_aside)
    records = sum(map(len, reading.records.values())) + len(reading.sleep)
    assert reading.received.total() == len(items_behind_samples(reading)) + records + len(reading.quarantined)
    for key, batch in reading.batches.items():
        columns = (batch.item, batch.start, batch.offset, batch.day, batch.duration, batch.value)
        assert {len(column) for column in columns} == {len(batch)}
        assert len(batch.minimum) == len(batch.maximum)
        assert len(batch.minimum) in (0, len(batch))
        assert all(0 <= seconds < 2**31 for seconds in batch.duration)
        f"{key.metric}{key.source}{key.unit}".encode()


@settings(max_examples=300)
@given(
    arrays=documents,
    aggregation=st.sampled_from(["", "Default", "Hours", "Months"]),
    period=st.sampled_from(["", "Today", "Since Last Sync"]),
)
def test_accounting_property_every_item_is_behind_a_sample_or_set_aside_never_both(
    arrays, aggregation, period
):
    assert_accounted_for(read_arrays(arrays, aggregation, period))


@given(tree=documents)
def test_accounting_property_holds_for_what_really_comes_as_json(tree):
    body = json.dumps({"data": tree}).encode()
    try:
        document = open_document(body, "", 2**20)
    except MalformedUpload:
        pytest.fail("what json writes can be opened")
    assert_accounted_for(read_arrays(dict(document.arrays)))
