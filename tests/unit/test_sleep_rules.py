"""Which telling of a sleep stands, and how nights are made of sessions and segments."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.nights import nights_of, sessions_of
from appliance.domain.priority import default_rank
from appliance.domain.sample import HOUR_US, local_day
from appliance.domain.sleep import Hours, Segment, Session, Sessions, SleepStage, StageLine
from appliance.domain.verdict import Verdict
from tests.builders import instant, offset_of

STORED, REVISED, SUPERSEDED, UNCHANGED = (
    Verdict.STORED,
    Verdict.REVISED,
    Verdict.SUPERSEDED,
    Verdict.UNCHANGED,
)


def session(start, end, total, *, upload=1, source="Watch", night=None, **hours):
    """A summed session; `start` and `end` are ISO 8601 or None."""
    stages = hours or {"core": total}
    return Session(
        source=source,
        night=night if end is None else local_day(instant(end), offset_of(end)),
        offset=0 if end is None else offset_of(end),
        hours=Hours(total=total, **stages),
        sleep_start=start and instant(start),
        sleep_end=end and instant(end),
        start_offset=0 if start is None else offset_of(start),
        generation=3,
        upload_ids=(upload,),
    )


def night(start, total, **more):
    """A session of the night to 8 August that ends at 06:40, as clipping leaves it."""
    return session(f"2026-08-0{start}:00+02:00", "2026-08-08T06:40:00+02:00", total, **more)


WHOLE, CLIPPED, STUMP = night("7T23:10", 7.02), night("8T02:50", 3.64), night("8T05:20", 1.24)


def segment(stage, start, end, *, upload=1, source="Watch", offset="+02:00", day="08"):
    """A segment of 8 August, in local time; 22:00 and later are the evening before."""
    dates = [f"2026-08-{day if at < '12' else int(day) - 1:0>2}T{at}:00{offset}" for at in (start, end)]
    return Segment(
        source, SleepStage(stage), instant(dates[0]), instant(dates[1]), offset_of(dates[0]), upload_id=upload
    )


def told_in_order(*sessions):
    """Take sessions one upload after the other; return the verdicts and what is held in the end."""
    held = Sessions()
    verdicts = [held.take(replace(each, upload_ids=(n,)))[0] for n, each in enumerate(sessions, 1)]
    return verdicts, held


def nights(sessions=(), segments=(), rank=default_rank):
    return nights_of(sessions, segments, rank)


def the_night(sessions=(), segments=(), rank=default_rank):
    (found,) = nights(sessions, segments, rank)
    return found


def totals(sessions):
    return {
        (one.day, source.source): pytest.approx(source.hours.total)
        for one in nights(sessions)
        for source in one.sources
    }


def test_a_clipped_night_never_replaces_the_whole_one():
    verdicts, held = told_in_order(WHOLE, CLIPPED, STUMP, STUMP)
    assert verdicts == [STORED, SUPERSEDED, SUPERSEDED, SUPERSEDED]
    assert [one.slept for one in held] == [7.02]


@pytest.mark.parametrize("order", list(permutations([WHOLE, CLIPPED, STUMP])))
def test_the_whole_night_stands_in_whatever_order_it_is_clipped(order):
    verdicts, held = told_in_order(*order)
    assert [one.slept for one in held] == [7.02]
    assert verdicts[0] is STORED
    assert all(verdict in (REVISED, SUPERSEDED) for verdict in verdicts[1:])


def test_the_same_night_again_is_unchanged_also_from_another_time_zone():
    in_los_angeles = replace(WHOLE, offset=-25_200, start_offset=-25_200, night=WHOLE.night - 1)
    assert told_in_order(WHOLE, WHOLE, in_los_angeles)[0] == [STORED, UNCHANGED, UNCHANGED]


def test_the_same_window_with_other_stages_is_a_new_score():
    rescored = night("7T23:10", 7.02, core=4, deep=1.3, rem=1.72)
    verdicts, held = told_in_order(WHOLE, rescored)
    assert verdicts == [STORED, REVISED]
    assert [one.hours.deep for one in held] == [1.3]


def test_a_new_score_of_the_same_window_may_find_less_sleep():
    assert told_in_order(WHOLE, night("7T23:10", 6.5))[0] == [STORED, REVISED]


def test_an_older_upload_does_not_score_a_night_again():
    held = Sessions()
    held.take(replace(WHOLE, upload_ids=(5,)))
    older = replace(night("7T23:10", 7.1), upload_ids=(3,))
    assert held.take(older)[0] is SUPERSEDED


def test_an_older_upload_that_is_read_late_gives_a_clipped_night_back_its_beginning():
    held = Sessions()
    held.take(replace(CLIPPED, upload_ids=(5,)))
    assert held.take(replace(WHOLE, upload_ids=(3,)))[0] is REVISED


def test_a_larger_window_with_no_less_sleep_replaces():
    assert told_in_order(WHOLE, night("7T23:00", 7.02))[0] == [STORED, REVISED]
    assert told_in_order(WHOLE, night("7T22:30", 7.5))[0] == [STORED, REVISED]


def test_a_larger_window_with_less_sleep_does_not():
    assert told_in_order(WHOLE, night("7T22:30", 6.9))[0] == [STORED, SUPERSEDED]


def test_a_smaller_window_does_not_replace_even_with_more_sleep():
    assert told_in_order(WHOLE, night("7T23:20", 7.2))[0] == [STORED, SUPERSEDED]


@pytest.mark.parametrize("order", list(permutations([6.3, 7.3, 10.8, 14.7])))
def test_a_ring_whose_night_grows_ends_at_the_fullest(order):
    _, held = told_in_order(*(night("7T22:00", total, source="RingConn") for total in order))
    assert len(list(held)) == 1
    _, held = told_in_order(*(session(None, None, total, night=20_673, source="RingConn") for total in order))
    assert [one.slept for one in held] == [14.7]


def test_a_night_over_fourteen_hours_is_flagged_also_when_its_parts_are_not():
    parts = [
        session("2026-08-07T20:00:00+02:00", "2026-08-08T05:00:00+02:00", 8),
        session("2026-08-08T06:00:00+02:00", "2026-08-08T14:00:00+02:00", 7),
    ]
    assert the_night(parts).shown.flags == ("over_14_hours",)


def test_the_hours_sent_as_minutes_are_the_same_night():
    assert told_in_order(WHOLE, night("7T23:10", 421.2 / 60))[0] == [STORED, UNCHANGED]


def test_a_nap_is_a_session_of_its_own():
    nap = session("2026-08-08T13:00:00+02:00", "2026-08-08T13:40:00+02:00", 0.6)
    verdicts, held = told_in_order(WHOLE, nap, nap)
    assert verdicts == [STORED, STORED, UNCHANGED]
    shown = the_night(held).shown
    assert (shown.main.slept, [one.slept for one in shown.naps]) == (7.02, [0.6])
    assert shown.hours.total == pytest.approx(7.62)


def test_parts_of_one_night_add_up_and_do_not_replace_each_other():
    parts = [
        session("2026-08-07T22:00:00+02:00", "2026-08-08T01:00:00+02:00", 2.9),
        session("2026-08-08T01:30:00+02:00", "2026-08-08T07:00:00+02:00", 5.2),
    ]
    verdicts, held = told_in_order(*parts)
    assert verdicts == [STORED, STORED]
    assert the_night(held).shown.hours.total == pytest.approx(8.1)


def test_the_whole_that_comes_after_two_of_its_parts_does_not_count_them_again():
    first = session("2026-08-07T22:00:00+02:00", "2026-08-08T01:00:00+02:00", 2.9)
    second = session("2026-08-08T01:30:00+02:00", "2026-08-08T07:00:00+02:00", 5.2)
    whole = session("2026-08-07T22:00:00+02:00", "2026-08-08T07:00:00+02:00", 8.1)
    for order in permutations([first, second, whole]):
        assert the_night(told_in_order(*order)[1]).shown.hours.total == pytest.approx(8.1)


def test_sources_do_not_replace_each_other():
    verdicts, held = told_in_order(WHOLE, night("8T02:50", 3.64, source="Ring"))
    assert verdicts == [STORED, STORED]
    assert len(the_night(held).sources) == 2


def test_time_in_bed_gives_way_to_sleep_though_it_is_longer():
    bed = replace(
        session(None, None, None, night=WHOLE.night, in_bed=8),
        in_bed_start=instant("2026-08-07T22:00:00+02:00"),
        in_bed_end=instant("2026-08-08T07:00:00+02:00"),
    )
    assert told_in_order(bed, WHOLE)[0] == [STORED, REVISED]
    assert told_in_order(WHOLE, bed)[0] == [STORED, SUPERSEDED]


def test_a_session_without_times_counts_where_it_tells_more():
    timeless = session(None, None, 6.5, night=WHOLE.night)
    _, held = told_in_order(WHOLE, timeless)
    assert the_night(held).shown.hours.total == pytest.approx(7.02)
    _, held = told_in_order(STUMP, timeless)
    assert the_night(held).shown.hours.total == pytest.approx(6.5)


def test_the_night_stays_where_the_person_woke_when_it_is_told_again_from_elsewhere():
    in_tokyo = session("2026-08-07T23:30:00+09:00", "2026-08-08T06:30:00+09:00", 6.5)
    from_los_angeles = session("2026-08-07T07:10:00-07:00", "2026-08-07T14:30:00-07:00", 6.8)
    verdicts, held = told_in_order(in_tokyo, from_los_angeles)
    assert verdicts == [STORED, REVISED]
    (stands,) = held
    assert (stands.night, stands.offset, stands.slept) == (in_tokyo.night, 32_400, 6.8)


@pytest.mark.parametrize(
    ("start", "end", "total"),
    [
        ("2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00", 7.0),
        ("2026-10-24T23:00:00+02:00", "2026-10-25T07:00:00+01:00", 9.0),
    ],
)
def test_nights_of_a_clock_change_last_what_they_last(start, end, total):
    told = session(start, end, total)
    assert the_night([told]).day == local_day(instant(end), offset_of(end))
    assert (told.window[1] - told.window[0]) / HOUR_US == total


def test_midnights_are_ends_of_the_day_that_begins():
    assert the_night([session("2026-08-07T22:00:00+02:00", "2026-08-08T00:00:00+02:00", 2)]).day == 20_673


def test_segments_become_a_session():
    told = sessions_of(
        [
            segment("core", "23:00", "23:30"),
            segment("deep", "23:30", "00:30"),
            segment("awake", "00:30", "00:40"),
            segment("rem", "00:40", "01:10"),
            segment("in_bed", "22:50", "01:20"),
        ]
    )
    (one,) = told
    assert one.hours == Hours(
        total=2, core=0.5, deep=1, rem=0.5, awake=pytest.approx(1 / 6), in_bed=2.5, asleep=None
    )
    assert one.window == (instant("2026-08-07T23:00:00+02:00"), instant("2026-08-08T01:10:00+02:00"))
    assert one.in_bed_start == instant("2026-08-07T22:50:00+02:00")
    assert [stretch.stage for stretch in one.stretches] == ["in_bed", "core", "deep", "awake", "rem"]


def test_time_in_bed_is_an_envelope_and_not_sleep():
    (one,) = sessions_of([segment("in_bed", "22:00", "07:00"), segment("core", "23:00", "05:00")])
    assert (one.hours.total, one.hours.in_bed) == (6, 9)
    assert the_night([], [segment("in_bed", "22:00", "07:00")]).shown.hours.total is None


def test_segments_an_hour_apart_are_two_sessions():
    apart = [segment("core", "23:00", "02:00"), segment("core", "03:00", "06:00")]
    assert len(sessions_of(apart)) == 2
    assert len(sessions_of([apart[0], segment("core", "02:59", "06:00")])) == 1
    assert len(sessions_of([*apart, segment("in_bed", "22:00", "06:30")])) == 1


def test_a_stage_beats_sleep_without_one_and_no_minute_counts_twice():
    (one,) = sessions_of([segment("asleep", "23:00", "07:00", upload=9), segment("deep", "01:00", "02:00")])
    assert (one.hours.asleep, one.hours.deep, one.hours.total) == (7, 1, 8)


def test_of_two_stages_the_one_told_later_wins():
    (one,) = sessions_of([segment("core", "23:00", "03:00"), segment("rem", "02:00", "03:00", upload=2)])
    assert (one.hours.core, one.hours.rem) == (3, 1)
    (one,) = sessions_of([segment("core", "23:00", "03:00", upload=2), segment("rem", "02:00", "03:00")])
    assert (one.hours.core, one.hours.rem) == (4, 0)


def test_a_segment_of_no_length_makes_no_session():
    assert sessions_of([segment("core", "23:00", "23:00")]) == []


def take(*told):
    line = StageLine()
    return [line.take(each)[0] for each in told], list(line)


def test_a_clipped_segment_is_superseded_and_a_longer_one_replaces():
    whole, clipped = segment("deep", "01:00", "02:00"), segment("deep", "01:40", "02:00", upload=2)
    assert take(whole, clipped, whole) == ([STORED, SUPERSEDED, UNCHANGED], [whole])
    assert take(clipped, whole) == ([STORED, REVISED], [whole])
    assert take(whole, segment("deep", "01:00", "01:30")) == ([STORED, SUPERSEDED], [whole])
    assert take(segment("deep", "01:00", "01:30"), whole) == ([STORED, REVISED], [whole])


def test_segments_beside_each_other_stay():
    told = [
        segment("deep", "01:00", "02:00"),
        segment("deep", "03:00", "04:00"),
        segment("deep", "02:00", "03:00"),
    ]
    verdicts, held = take(*told)
    assert verdicts == [STORED] * 3
    assert held == sorted(told, key=lambda one: one.start)


def test_of_a_sum_and_its_segments_the_segments_stand_because_they_carry_the_detail():
    pieces = [segment("core", "23:10", "04:00"), segment("deep", "04:00", "06:00")]
    shown = the_night([WHOLE], pieces).shown
    assert shown.main.stretches
    assert shown.hours.total == pytest.approx(4 + 5 / 6 + 2)


def test_segments_of_which_some_are_missing_do_not_stand_against_the_sum():
    shown = the_night([WHOLE], [segment("deep", "04:00", "06:00")]).shown
    assert shown.hours.total == pytest.approx(7.02)
    assert not shown.main.stretches


def test_sum_and_segments_are_never_added_up():
    pieces = [segment("core", "23:10", "06:40")]
    assert the_night([WHOLE], pieces).shown.hours.total == pytest.approx(7.5)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_most_complete_source_is_shown_then_the_one_believed_first(order):
    bed = replace(session(None, None, None, night=WHOLE.night, in_bed=9), source="Apple Watch bed")
    plain = night("7T23:00", 9.0, source="Apple Watch", asleep=9.0)
    staged = night("7T23:10", 6.0, source="Ring")
    found = the_night([[bed, plain, staged][n] for n in order])
    assert [one.source for one in found.sources] == ["Ring", "Apple Watch", "Apple Watch bed"]
    assert found.why == "It tells sleep stages, the others do not."


def test_of_sources_as_complete_the_order_of_priority_decides_then_the_length():
    ring, watch = night("7T23:10", 8.0, source="Ring"), night("7T23:10", 7.0, source="Watch")
    assert the_night([ring, watch]).shown.source == "Watch"
    assert the_night([ring, watch], rank=lambda name: name != "Ring").shown.source == "Ring"
    longer = the_night([ring, watch], rank=lambda _name: 0)
    assert (longer.shown.source, "longer" in longer.why) == ("Ring", True)


def test_a_source_without_stages_counts():
    told = night("7T23:10", 7.2, source="Hume", asleep=7.2, core=0, deep=0, rem=0)
    assert the_night([told]).shown.hours.total == 7.2


def test_efficiency_is_derived_only_where_the_bed_is_told():
    assert the_night([WHOLE]).shown.efficiency is None
    in_bed = replace(WHOLE, in_bed_start=WHOLE.sleep_start, in_bed_end=WHOLE.sleep_end)
    assert the_night([in_bed]).shown.efficiency == pytest.approx(100 * 7.02 / 7.5)
    told = replace(WHOLE, hours=replace(WHOLE.hours, in_bed=8.0))
    assert the_night([told]).shown.efficiency == pytest.approx(100 * 7.02 / 8)
    too_short = replace(WHOLE, hours=replace(WHOLE.hours, in_bed=3.0))
    assert the_night([too_short]).shown.efficiency is None


def test_nothing_told_makes_no_nights():
    assert nights() == []


@st.composite
def clipped_weeks(draw):
    """Nights and naps of a week, each sent whole and clipped from the front, in any order."""
    uploads = []
    for day in range(draw(st.integers(1, 3))):
        begin = (20_670 + day) * 24 * HOUR_US
        for at, hours in ((0, draw(st.integers(5, 9))), (13, draw(st.integers(0, 3)))):
            start, end = begin + at * HOUR_US, begin + (at + hours) * HOUR_US
            for lost in [*draw(st.lists(st.integers(1, 9), max_size=3)), 0] if hours else ():
                if lost < hours:
                    window = start + lost * HOUR_US, end
                    slept = 0.9 * (hours - lost)
                    uploads.append(
                        Session("Watch", 20_670 + day, 0, Hours(slept, core=slept), *window, upload_ids=(1,))
                    )
    return uploads, draw(st.permutations(uploads))


@given(clipped_weeks())
def test_property_any_order_of_the_same_uploads_gives_the_same_nights(weeks):
    one, other = weeks
    assert totals(told_in_order(*one)[1]) == totals(told_in_order(*other)[1])


stretches = st.tuples(
    st.sampled_from(list(SleepStage)), st.integers(0, 60), st.integers(0, 20), st.integers(1, 3)
)


@given(st.lists(stretches, max_size=25))
def test_property_no_minute_is_counted_twice_and_none_is_lost(told):
    minute = HOUR_US // 60
    segments = [
        Segment("Watch", stage, start * minute, (start + length) * minute, 0, upload_id=upload)
        for stage, start, length, upload in told
    ]
    covered = {
        n
        for one in segments
        if one.stage is not SleepStage.IN_BED
        for n in range(one.start // minute, one.end // minute)
    }
    found = sessions_of(segments)
    told_minutes = sum((one.hours.total or 0) + (one.hours.awake or 0) for one in found) * 60
    assert told_minutes == pytest.approx(len(covered))


@given(st.lists(stretches, max_size=25), st.randoms(use_true_random=False))
def test_property_a_line_of_segments_is_the_same_in_any_order(told, dice):
    segments = [Segment("Watch", SleepStage.CORE, start, start + length, 0) for _, start, length, _ in told]
    shuffled = dice.sample(segments, len(segments))
    assert list(StageLine(segments)) == list(StageLine(shuffled)) == take(*shuffled)[1]
