"""Which value wins when a sample comes again: the newest, unless its bucket was cut or its upload is an older one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.sample import SECOND_US, Batch, Grain, SeriesKey, Stored
from appliance.domain.verdict import Judgement, Verdict, judge
from tests.builders import a_batch, as_stored

KEY = SeriesKey("heart_rate", "Watch", Grain.RAW, "count/min")
STORED, REVISED, UNCHANGED, SUPERSEDED = (
    Verdict.STORED,
    Verdict.REVISED,
    Verdict.UNCHANGED,
    Verdict.SUPERSEDED,
)


def verdict(new: float | None, old: float | None, *, upload_id: int = 2, **batch) -> Verdict:
    """Judge one value against the one that upload 1 left at the same start, among neighbours that stay."""
    held = as_stored(a_batch([(9, 1.0), (10, old), (11, 1.0)]), upload_id=1)
    judgement = judge(a_batch([(10, new)], **batch), held, upload_id)
    assert judgement.insert == []
    assert judgement.update == ([0] if judgement.verdicts == [REVISED] else [])
    return judgement.verdicts[0]


def test_what_is_not_held_is_stored():
    batch = a_batch([(10, 1.0), (12, 2.0)])
    for held in (None, as_stored(a_batch([]))):
        assert judge(batch, held, 1) == Judgement([STORED, STORED], insert=[0, 1])
    among_others = judge(batch, as_stored(a_batch([(9, 1.0), (11, 5.0), (12, 3.0)])), 2)
    assert among_others == Judgement([STORED, REVISED], insert=[0], update=[1])


def test_the_same_again_is_unchanged():
    batch = a_batch([(10, 1.0), (11, None)])
    assert judge(batch, as_stored(batch), 2) == Judgement([UNCHANGED, UNCHANGED])


def test_the_newest_upload_wins():
    assert verdict(5.0, 3.0) is REVISED
    assert verdict(3.0, 5.0) is REVISED
    assert verdict(3.0, None) is REVISED
    assert verdict(None, 3.0) is REVISED
    assert verdict(0.0, 3.0) is REVISED


def test_an_older_upload_read_again_does_not_override_a_newer_one():
    assert verdict(5.0, 3.0, upload_id=0) is SUPERSEDED
    assert verdict(3.0, 3.0, upload_id=0) is UNCHANGED


def test_an_upload_read_again_may_correct_itself():
    assert verdict(5.0, 3.0, upload_id=1) is REVISED


@pytest.mark.parametrize("kilojoules", [418.4, 461.733, 1_671.53, 0.0])
def test_one_reading_sent_in_kilojoules_and_in_kilocalories_is_unchanged(kilojoules):
    assert verdict(kilojoules * 0.2390057361376673, kilojoules / 4.184) is UNCHANGED


def test_a_small_difference_is_still_a_difference():
    assert verdict(1_000_000.01, 1_000_000.0) is REVISED
    assert verdict(1e-12, 0.0) is REVISED


def test_a_bucket_the_window_may_have_cut_must_not_shrink():
    assert verdict(300.0, 512.0, cut=[10]) is SUPERSEDED
    assert verdict(None, 512.0, cut=[10]) is SUPERSEDED


def test_a_bucket_the_window_may_have_cut_may_grow():
    assert verdict(600.0, 512.0, cut=[10]) is REVISED
    assert verdict(600.0, None, cut=[10]) is REVISED
    assert verdict(512.0, 512.0, cut=[10]) is UNCHANGED


def test_a_bucket_inside_the_window_may_shrink_as_a_correction():
    assert verdict(300.0, 512.0, cut=[9, 11]) is REVISED


def test_a_reading_may_fall_even_at_the_edge_of_the_window():
    assert verdict(50.0, 72.0, cumulative=False, cut=[10]) is REVISED


@pytest.mark.parametrize(
    ("held", "sent", "expected"),
    [
        ((50.0, 70.0), (50.0, 70.0), UNCHANGED),
        ((50.0, 75.0), (50.0, 70.0), REVISED),
        ((55.0, 70.0), (50.0, 70.0), REVISED),
        ((None, None), (50.0, None), REVISED),
        ((50.0, 70.0), (None, None), REVISED),
    ],
)
def test_a_changed_bound_is_a_change(held, sent, expected):
    old = as_stored(a_batch([(10, 60.0)], cumulative=False, bounds=[held]))
    new = a_batch([(10, 60.0)], cumulative=False, bounds=[sent])
    assert judge(new, old, 2).verdicts == [expected]


def test_bounds_that_nobody_sent_are_no_change():
    none = as_stored(a_batch([(10, 60.0), (11, 60.0)], bounds=[(None, None)] * 2))
    assert judge(a_batch([(10, 60.0)]), none, 2).verdicts == [UNCHANGED]
    assert judge(
        a_batch([(10, 60.0)], bounds=[(None, None)]), as_stored(a_batch([(10, 60.0)])), 2
    ).verdicts == [UNCHANGED]


def test_a_changed_length_is_a_change_and_a_changed_offset_is_none():
    held = as_stored(a_batch([(10, 60.0)]))
    longer, elsewhere = a_batch([(10, 60.0)]), a_batch([(10, 60.0)])
    longer.duration = [7_200]
    elsewhere.offset = [3_600]
    assert judge(longer, held, 2).verdicts == [REVISED]
    assert judge(elsewhere, held, 2).verdicts == [UNCHANGED]


def test_of_repeats_in_one_upload_one_is_kept_and_the_last_value_wins():
    judgement = judge(a_batch([(10, 1.0), (11, 9.0), (10, 1.0), (10, 2.0)]), None, 1)
    assert judgement.verdicts == [SUPERSEDED, STORED, UNCHANGED, STORED]
    assert sorted(judgement.insert) == [1, 3]


def test_repeats_at_the_edge_of_the_window_do_not_shrink_either():
    assert judge(a_batch([(10, 5.0), (10, 2.0)], cut=[10]), None, 1).verdicts == [STORED, SUPERSEDED]


def apply(batch: Batch, held: Stored | None, judgement: Judgement, upload_id: int) -> Stored:
    """Return what is held after the judgement was written."""
    rows = (
        {}
        if held is None
        else {start: (held.value[n], held.upload_id[n]) for n, start in enumerate(held.start)}
    )
    for position in judgement.insert:
        assert batch.start[position] not in rows
        rows[batch.start[position]] = batch.value[position], upload_id
    for position in judgement.update:
        assert batch.start[position] in rows
        rows[batch.start[position]] = batch.value[position], upload_id
    starts = sorted(rows)
    after = as_stored(a_batch([(start // (3_600 * SECOND_US), rows[start][0]) for start in starts]))
    return Stored(
        after.start,
        after.offset,
        after.duration,
        after.value,
        after.minimum,
        after.maximum,
        [rows[start][1] for start in starts],
    )


samples = st.lists(
    st.tuples(st.integers(0, 6), st.none() | st.sampled_from([0.0, 1.0, 1.0 + 9e-10, 1.0 + 2e-9, 7.0])),
    max_size=10,
)
batches = st.builds(
    lambda rows, cumulative, cut: a_batch(rows, cumulative=cumulative, cut=cut),
    samples,
    st.booleans(),
    st.sets(st.integers(0, 6), max_size=3),
)


@given(uploads=st.lists(batches, min_size=1, max_size=4))
def test_sending_again_property_the_same_upload_stores_and_revises_nothing(uploads):
    held: Stored | None = None
    for upload_id, batch in enumerate(uploads, 1):
        judgement = judge(batch, held, upload_id)
        held = apply(batch, held, judgement, upload_id)
        again = judge(batch, held, upload_id + 1)
        assert (again.insert, again.update) == ([], [])
        assert len(again.verdicts) == len(batch)


@given(uploads=st.lists(batches, min_size=2, max_size=4))
def test_replay_property_an_older_upload_never_touches_what_a_newer_one_wrote(uploads):
    held: Stored | None = None
    for upload_id, batch in enumerate(uploads, 1):
        held = apply(batch, held, judge(batch, held, upload_id), upload_id)
    for upload_id, batch in enumerate(uploads[:-1], 1):
        judgement = judge(batch, held, upload_id)
        assert judgement.insert == []
        for position in judgement.update:
            assert held.upload_id[held.start.index(batch.start[position])] <= upload_id


@given(batch=batches, held=batches)
def test_judgement_property_every_sample_has_one_verdict_and_only_the_stored_and_revised_are_written(
    batch, held
):
    old = apply(held, None, judge(held, None, 1), 1)
    judgement = judge(batch, old, 2)
    assert len(judgement.verdicts) == len(batch)
    assert sorted(judgement.insert) == [n for n, told in enumerate(judgement.verdicts) if told is STORED]
    assert sorted(judgement.update) == [n for n, told in enumerate(judgement.verdicts) if told is REVISED]
    written = [batch.start[n] for n in judgement.insert + judgement.update]
    assert len(set(written)) == len(written)
    assert {batch.start[n] for n in judgement.insert} == set(batch.start) - set(old.start)


@given(held=batches, batch=batches)
def test_cut_property_an_amount_at_the_edge_of_the_window_never_falls(held, batch):
    batch.cumulative = True
    old = apply(held, None, judge(held, None, 1), 1)
    new = apply(batch, old, judge(batch, old, 2), 2)
    for start, before in zip(old.start, old.value, strict=True):
        if start in batch.cut and before is not None:
            after = new.value[new.start.index(start)]
            assert after is not None
            assert after >= before * (1 - 1e-9)


def a_reading(value, duration=0, **more):
    one = {"start": [10], "offset": [0], "day": [0], "duration": [duration], "value": [value], "item": [0]}
    return Batch(KEY, cumulative=False, **one, **more)


def test_a_file_which_tells_no_bounds_takes_none_away():
    held = as_stored(a_reading(71.2, minimum=[70.0], maximum=[74.0]), upload_id=1)
    assert judge(a_reading(71.2, cut_to_seconds=True), held, 2).verdicts == [UNCHANGED]


def test_a_reading_that_comes_again_without_a_length_keeps_the_one_it_has():
    held = as_stored(a_reading(12.0, 300), upload_id=1)
    assert judge(a_reading(12.0, 0), held, 2).verdicts == [UNCHANGED]
    corrected = a_reading(13.0, 0)
    assert judge(corrected, held, 2).verdicts == [REVISED]
    assert corrected.duration == [300]
    assert judge(a_reading(12.0, 0), as_stored(a_reading(12.0, 300)), 2).verdicts == [UNCHANGED]
    assert judge(a_reading(12.0, 200), held, 2).verdicts == [REVISED]
