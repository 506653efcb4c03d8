"""Points of sleep_analysis, in every shape they were seen or described in."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.catalog.load import load_catalogue
from appliance.domain.quarantine import Reason
from appliance.domain.sleep import Hours, Segment, Session, SleepStage
from tests.builders import instant, metric, read

FELL_ASLEEP, WOKE = "2026-08-07 23:10:00 +0200", "2026-08-08 06:40:00 +0200"
MIDNIGHT = "2026-08-08 00:00:00 +0200"
TODAY = {
    "date": MIDNIGHT,
    "totalSleep": 7.02,
    "asleep": 0,
    "core": 4.5,
    "deep": 0.8,
    "rem": 1.72,
    "awake": 0.48,
    "sleepStart": FELL_ASLEEP,
    "sleepEnd": WOKE,
    "inBed": 0,
    "inBedStart": FELL_ASLEEP,
    "inBedEnd": WOKE,
    "source": "Mara’s Apple Watch",
}
STAGE = {"startDate": FELL_ASLEEP, "endDate": "2026-08-07 23:40:00 +0200", "value": "Core", "source": "Watch"}


def only(point, unit="hr", name="sleep_analysis"):
    reading = read(metric(name, unit, point))
    assert reading.quarantined == []
    assert reading.batches == {}
    assert reading.received == {"sleep": 1}
    (told,) = reading.sleep
    return told


def fate(point, unit="hr"):
    reading = read(metric("sleep_analysis", unit, point))
    assert reading.sleep == []
    (item,) = reading.quarantined
    assert (item.kind, item.path, item.item) == ("sleep", "data.metrics[0].data[0]", point)
    return item.reason


def day(session):
    return session.as_record().content["night"]


def test_a_night_as_the_app_sends_it_today():
    night = only(TODAY)
    assert night == Session(
        source="Mara's Apple Watch",
        night=20_673,
        offset=7_200,
        hours=Hours(total=7.02, asleep=0, core=4.5, deep=0.8, rem=1.72, awake=0.48, in_bed=0),
        sleep_start=instant("2026-08-07T23:10:00+02:00"),
        sleep_end=instant("2026-08-08T06:40:00+02:00"),
        in_bed_start=instant("2026-08-07T23:10:00+02:00"),
        in_bed_end=instant("2026-08-08T06:40:00+02:00"),
        start_offset=7_200,
        generation=3,
    )
    assert day(night) == "2026-08-08"


def test_a_night_of_2023_has_stages_and_no_time_in_bed():
    row = {
        name: value for name, value in TODAY.items() if name not in ("totalSleep", "inBedStart", "inBedEnd")
    }
    night = only(row | {"source": "Watch | iPhone"})
    assert night.generation == 2
    assert night.hours.total == pytest.approx(4.5 + 0.8 + 1.72)
    assert (night.in_bed_start, night.in_bed_end) == (None, None)
    assert night.source == "Watch | iPhone"


def test_a_night_before_stages_names_its_sources_and_is_dated_with_a_time():
    night = only(
        {
            "date": "2022-03-04 06:51:12 +0100",
            "asleep": 6.6,
            "sleepStart": "2022-03-03 23:30:00 +0100",
            "sleepEnd": "2022-03-04 06:51:12 +0100",
            "sleepSource": "Sleep Cycle",
            "inBed": 7.3,
            "inBedStart": "2022-03-03 23:20:00 +0100",
            "inBedEnd": "2022-03-04 06:55:00 +0100",
            "inBedSource": "iPhone",
        }
    )
    assert (night.generation, night.source, day(night)) == (1, "Sleep Cycle", "2022-03-04")
    assert night.hours == Hours(total=6.6, asleep=6.6, in_bed=7.3)


def test_an_old_time_in_bed_alone_is_of_the_source_that_told_it():
    told = only(
        {"date": MIDNIGHT, "inBed": 7.5, "inBedStart": FELL_ASLEEP, "inBedEnd": WOKE, "inBedSource": "iPhone"}
    )
    assert (told.source, told.hours.total, told.hours.in_bed) == ("iPhone", None, 7.5)


def test_without_a_total_the_stages_make_it():
    row = {name: value for name, value in TODAY.items() if name != "totalSleep"}
    assert only(row | {"asleep": 0.5}).hours.total == pytest.approx(7.52)


def test_a_device_without_stages_carries_the_night_in_asleep():
    stages = {"core": 0, "deep": 0, "rem": 0, "asleep": 7.2, "source": "Hume"}
    without_total = {name: value for name, value in TODAY.items() if name != "totalSleep"} | stages
    assert only(without_total).hours.total == 7.2
    assert only(TODAY | stages | {"totalSleep": 0}).hours.total == 7.2


def test_an_asleep_that_is_the_sum_of_the_stages_does_not_count_twice():
    row = {
        name: value for name, value in TODAY.items() if name not in ("totalSleep", "inBedStart", "inBedEnd")
    }
    hours = only(row | {"asleep": 7.02}).hours
    assert (hours.total, hours.asleep) == (pytest.approx(7.02), None)


def test_what_is_missing_stays_apart_from_zero():
    row = {name: value for name, value in TODAY.items() if name not in ("deep", "awake", "inBed")}
    hours = only(row | {"rem": None, "asleep": 0}).hours
    assert (hours.deep, hours.awake, hours.in_bed, hours.rem) == (None, None, None, None)
    assert hours.asleep == 0


def test_the_night_is_the_day_of_waking_up_where_the_person_was():
    assert day(only(TODAY | {"date": None})) == "2026-08-08"
    assert day(only(TODAY | {"date": "2026-08-08 06:40:00 +0200"})) == "2026-08-08"
    nap = {"sleepStart": "2026-08-08 13:00:00 +0200", "sleepEnd": "2026-08-08 14:00:00 +0200"}
    assert day(only(TODAY | nap | {"inBedStart": None, "inBedEnd": None})) == "2026-08-08"
    late = {"sleepStart": "2026-08-08 00:30:00 +0900", "sleepEnd": "2026-08-08 07:10:00 +0900"}
    assert day(only(TODAY | late | {"inBedStart": None, "inBedEnd": None})) == "2026-08-08"


def test_without_times_the_date_names_the_night_and_a_flag_says_so():
    row = {name: value for name, value in TODAY.items() if "Start" not in name and "End" not in name}
    night = only(row)
    assert (day(night), night.flags, night.window) == ("2026-08-08", ("no_times",), None)
    assert day(only(row | {"date": "2026-08-08"})) == "2026-08-08"
    assert fate(row | {"date": None}) is Reason.BAD_TIMESTAMP


def test_twelve_hour_phones_are_read_too():
    night = only(
        TODAY | {"sleepStart": "2026-08-07 11:10:00 PM +0200", "sleepEnd": "2026-08-08 6:40:00\u202fam +0200"}
    )
    assert night.window == only(TODAY).window


@pytest.mark.parametrize(("unit", "factor"), [("hr", 1), ("h", 1), ("min", 60), ("s", 3600)])
def test_hours_come_in_any_unit_of_time(unit, factor):
    row = TODAY | {name: TODAY[name] * factor for name in ("totalSleep", "core", "deep", "rem", "awake")}
    assert only(row, unit).hours.equals(only(TODAY).hours)


@pytest.mark.parametrize("unit", ["", "furlong", None])
def test_no_unit_is_guessed(unit):
    assert fate(TODAY, unit) is Reason.UNKNOWN_UNIT


@pytest.mark.parametrize("name", ["sleep_analysis", "Sleep Analysis", "sleepAnalysis", "Sleep", "sleep_time"])
def test_sleep_is_known_by_any_name_of_it(name):
    assert only(TODAY, name=name).hours.total == 7.02


def test_field_names_come_in_any_case():
    assert only({name.upper(): value for name, value in TODAY.items()}) == only(TODAY)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"deep": -0.1}, Reason.IMPLAUSIBLE_VALUE),
        ({"core": 24.1}, Reason.IMPLAUSIBLE_VALUE),
        ({"totalSleep": None, "core": 20, "rem": 10}, Reason.IMPLAUSIBLE_VALUE),
        ({"rem": float("nan")}, Reason.NOT_A_NUMBER),
        ({"rem": float("inf")}, Reason.NOT_A_NUMBER),
        ({"rem": "lots"}, Reason.NOT_A_NUMBER),
        ({"sleepEnd": "2026-08-07 22:00:00 +0200"}, Reason.IMPLAUSIBLE_VALUE),
        ({"inBedEnd": "2026-08-07 22:00:00 +0200"}, Reason.IMPLAUSIBLE_VALUE),
        ({"sleepEnd": "2026-08-09 06:40:00 +0200"}, Reason.IMPLAUSIBLE_VALUE),
        ({"inBedStart": "2025-08-07 22:00:00 +0200", "inBedEnd": None}, Reason.IMPLAUSIBLE_VALUE),
        ({"sleepStart": "yesterday"}, Reason.BAD_TIMESTAMP),
        (
            dict.fromkeys(["totalSleep", "asleep", "core", "deep", "rem", "awake", "inBed"]),
            Reason.MISSING_VALUE,
        ),
    ],
)
def test_what_is_surely_wrong_is_set_aside(change, reason):
    assert fate(TODAY | change) is reason


def test_numbers_as_texts_are_read():
    assert only(TODAY | {"totalSleep": "7.02"}).hours.total == 7.02


def test_more_than_fourteen_hours_is_kept_and_flagged():
    assert only(TODAY | {"totalSleep": 14.7}).flags == ("over_14_hours",)
    assert only(TODAY | {"totalSleep": 14.0}).flags == ()


def test_a_stage_as_the_app_sends_it_unsummed():
    assert only(STAGE | {"qty": 0.5, "date": None}) == Segment(
        "Watch",
        SleepStage.CORE,
        instant("2026-08-07T23:10:00+02:00"),
        instant("2026-08-07T23:40:00+02:00"),
        7_200,
    )


def test_a_stage_may_name_its_times_start_and_end():
    stage = {"start": STAGE["startDate"], "end": STAGE["endDate"], "value": "Core", "source": "Watch"}
    assert only(stage) == only(STAGE)


def test_stage_totals_mixed_into_a_stage_do_not_make_it_a_night():
    assert isinstance(only(STAGE | {"deep": 0.8, "rem": 1.7}), Segment)


@pytest.mark.parametrize(
    ("words", "stage"),
    [
        ("InBed|In Bed|in_bed|INBED|HKCategoryValueSleepAnalysisInBed|Im Bett", SleepStage.IN_BED),
        ("Asleep|Unspecified|AsleepUnspecified|asleep", SleepStage.ASLEEP),
        ("Awake|AWAKE|Wach|Éveillé", SleepStage.AWAKE),
        ("Core|AsleepCore|asleep core|Kern", SleepStage.CORE),
        ("Deep|AsleepDeep|Profundo|深度睡眠", SleepStage.DEEP),
        ("REM|rem|AsleepREM|HKCategoryValueSleepAnalysisAsleepREM", SleepStage.REM),
    ],
)
def test_stages_are_known_by_every_word_for_them(words, stage):
    assert {only(STAGE | {"value": word}).stage for word in words.split("|")} == {stage}


def test_every_word_for_a_stage_leads_to_one():
    words = load_catalogue().words
    assert {words.key("sleep", "stage", stage) for stage in SleepStage} == set(SleepStage)


def test_a_word_we_do_not_know_waits_for_a_version_that_does():
    assert fate(STAGE | {"value": "Träumend"}) is Reason.NOT_READ_YET
    assert fate(STAGE | {"value": ["Core"]}) is Reason.WRONG_SHAPE


def test_a_length_that_disagrees_is_ignored_and_flagged():
    assert only(STAGE | {"qty": 0.515}).flags == ()
    told = only(STAGE | {"qty": 3})
    assert (told.flags, told.end - told.start) == (("length_disagrees",), 30 * 60 * 1_000_000)
    assert only(STAGE | {"qty": "?"}).flags == ("length_disagrees",)
    assert only(STAGE | {"qty": 30}, "min").flags == ()
    assert only(STAGE | {"qty": 30}, "lamps").flags == ()


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        (STAGE | {"endDate": "2026-08-07 23:00:00 +0200"}, Reason.IMPLAUSIBLE_VALUE),
        (STAGE | {"endDate": "2026-08-09 23:00:00 +0200"}, Reason.IMPLAUSIBLE_VALUE),
        (STAGE | {"endDate": 1786164000}, Reason.BAD_TIMESTAMP),
        (STAGE | {"endDate": None}, Reason.BAD_TIMESTAMP),
        (STAGE | {"value": None, "qty": 0.5}, Reason.MISSING_VALUE),
        ({"date": MIDNIGHT}, Reason.WRONG_SHAPE),
        ("night", Reason.WRONG_SHAPE),
        (None, Reason.WRONG_SHAPE),
    ],
)
def test_a_stage_that_cannot_be_is_set_aside(point, reason):
    assert fate(point) is reason


def test_items_and_paths_count_through_several_entries():
    reading = read(
        metric("step_count", "count"),
        metric("sleep_analysis", "hr", TODAY, "x"),
        metric("Sleep", "hr", STAGE),
    )
    assert [told.item for told in reading.sleep] == [0, 2]
    assert [item.path for item in reading.quarantined] == ["data.metrics[1].data[1]"]
    assert reading.received == {"sleep": 3}


def test_an_empty_entry_says_nothing():
    reading = read(metric("sleep_analysis", "hr"), {"name": "sleep_analysis", "units": "hr", "data": None})
    assert (reading.sleep, reading.quarantined, reading.received.total()) == ([], [], 0)


def test_a_session_comes_back_from_its_record_as_it_went_in():
    for point in (TODAY, TODAY | {"inBedStart": None, "inBedEnd": None}, {"date": MIDNIGHT, "asleep": 7}):
        told = only(point)
        record = told.as_record()
        content = json.loads(json.dumps(record.content))
        back = Session.from_content(content, record.source, record.offset, record.flags, upload_id=3)
        assert back.tells_the_same(told)
        assert (back.night, back.offset, back.start_offset) == (told.night, told.offset, told.start_offset)
        assert (back.identity, back.upload_ids) == (record.identity, (3,))


times = st.sampled_from(
    [FELL_ASLEEP, WOKE, MIDNIGHT, "2026-08-08", "1900-01-01 00:00:00 +0000", "2100-12-31", "", "x"]
)
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=6)
    | times
    | st.sampled_from(["Core", "In Bed", 3, {}, []])
)
names = st.sampled_from(sorted({*TODAY, *STAGE, "qty", "start", "end", "sleepSource", "SLEEPEND"})) | st.text(
    max_size=3
)


@given(st.lists(st.dictionaries(names, values, max_size=12) | values, max_size=5), values)
def test_no_point_whatever_raises_and_each_is_accounted_for(points, unit):
    reading = read(metric("sleep_analysis", unit, *points))
    assert reading.received["sleep"] == len(points) == len(reading.sleep) + len(reading.quarantined)
    for told in reading.sleep:
        if isinstance(told, Session):
            json.dumps(told.as_record().content, allow_nan=False)


@given(
    st.sampled_from(["", "hr", "min"]),
    st.fixed_dictionaries({}, optional={name: times | st.floats(0, 9) for name in TODAY}),
)
def test_whatever_is_read_comes_back_from_its_record(unit, point):
    for told in read(metric("sleep_analysis", unit, point)).sleep:
        record = told.as_record()
        assert Session.from_content(
            record.content, record.source, record.offset, record.flags, upload_id=1
        ).tells_the_same(told)
