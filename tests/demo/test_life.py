"""The demo person: the same every time, in the phone's own forms, and consistent from one number to the next."""

from __future__ import annotations

import json
import math
import re
import uuid
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import mean
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from appliance.demo.life import Post, posts
from appliance.demo.points import BOTH, PHONE, WATCH

if TYPE_CHECKING:
    from collections.abc import Iterator

BERLIN = ZoneInfo("Europe/Berlin")
SPRING = datetime(2026, 4, 19, 17, 23, 41, tzinfo=BERLIN)  # the window holds the change of 29 March 2026
AUTUMN = datetime(2026, 11, 15, 8, 5, 0, tzinfo=BERLIN)  # and this one that of 25 October 2026

PHONE_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}")
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module")
def spring() -> list[Post]:
    return list(posts(until=SPRING, zone=BERLIN))


@pytest.fixture(scope="module")
def autumn() -> list[Post]:
    return list(posts(until=AUTUMN, zone=BERLIN, days=40))


def points(sent: list[Post], name: str) -> list[dict[str, Any]]:
    return [
        point
        for post in sent
        for metric in post.body["data"].get("metrics", [])
        if metric["name"] == name
        for point in metric["data"]
    ]


def records(sent: list[Post], array: str) -> list[dict[str, Any]]:
    return [row for post in sent for row in post.body["data"].get(array, [])]


def instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z")


def daily(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Sum by local day, leaving out the phone's own rows that stand beside joined ones."""
    joined = {row["date"] for row in rows if row["source"] == BOTH}
    sums: dict[str, float] = defaultdict(float)
    for row in rows:
        if row["source"] != PHONE or row["date"] not in joined:
            sums[row["date"][:10]] += row["qty"]
    return sums


def weekday(day: str) -> int:
    return datetime.fromisoformat(day).weekday()


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def test_the_same_call_gives_the_same_posts(spring):
    assert list(posts(until=SPRING, zone=BERLIN)) == spring


def test_another_seed_is_another_life(spring):
    assert next(posts(until=SPRING, zone=BERLIN, seed=21)).body != spring[0].body


def test_the_same_instant_in_another_zone_is_the_same_call(spring):
    assert next(posts(until=SPRING.astimezone(UTC), zone=BERLIN)) == spring[0]


def assert_dates(sent: list[Post], first: datetime, until: datetime, zone: ZoneInfo) -> None:
    for text in (text for post in sent for text in texts(post.body)):
        if PHONE_DATE.fullmatch(text):
            moment = instant(text)
            assert moment.utcoffset() == moment.astimezone(zone).utcoffset(), text
        elif ISO_DATE.fullmatch(text):
            moment = datetime.fromisoformat(text)
        else:
            assert not re.match(r"\d{4}-", text), text
            continue
        assert first <= moment <= until, text


def test_every_date_has_the_offset_of_its_zone_and_lies_in_the_window(spring):
    assert_dates(spring, datetime(2026, 1, 20, tzinfo=BERLIN), SPRING, BERLIN)


@pytest.mark.parametrize(
    ("until", "zone"),
    [
        (datetime(2026, 3, 12, 3, 30, tzinfo=UTC), "America/New_York"),
        (
            datetime(2026, 4, 8, 12, 0, 0, 999, tzinfo=UTC),
            "Australia/Lord_Howe",
        ),  # half an hour of daylight saving
        (
            datetime(2026, 9, 9, 23, 59, 59, tzinfo=UTC),
            "America/Santiago",
        ),  # a day that begins at one o'clock
        (datetime(2026, 7, 1, 0, 0, tzinfo=UTC), "Asia/Kathmandu"),  # three quarters of an hour off
    ],
    ids=str,
)
def test_every_zone_keeps_its_own_wall_clock(until, zone):
    place = ZoneInfo(zone)
    sent = list(posts(until=until, zone=place, days=12))
    today = until.astimezone(place).date()
    first = datetime.combine(today - timedelta(days=11), datetime.min.time(), place)
    assert_dates(sent, first, until, place)


def test_every_array_says_when_by_a_date_string(spring):
    for post in spring:
        for rows in post.body["data"].values():
            for row in rows:
                for dated in row.get("data", [row]):
                    assert {"date", "start", "startDate"} & dated.keys()


def test_items_are_what_the_body_holds(spring):
    for post in spring:
        ((array, rows),) = post.body["data"].items()
        held = sum(len(metric["data"]) for metric in rows) if array == "metrics" else len(rows)
        assert post.items == held > 0
    assert 100_000 <= sum(post.items for post in spring) <= 150_000


def test_a_body_is_plain_json(spring):
    for post in spring:
        assert json.loads(json.dumps(post.body, allow_nan=False)) == post.body


def test_headers_are_those_of_the_phone(spring):
    sessions = [post.headers["session-id"] for post in spring]
    assert len(set(sessions)) == len(spring)
    identities = {(post.headers["automation-name"], post.headers["automation-id"]) for post in spring}
    assert len(identities) == len({name for name, _ in identities})
    for identity in [*sessions, *(identity for _, identity in identities)]:
        assert str(uuid.UUID(identity)).upper() == identity
    assert {post.headers["automation-aggregation"] for post in spring} == {
        "Hours", "Default", "Days", "Minutes",
    }  # fmt: skip


def test_a_label_names_the_subject_and_the_week(spring):
    assert spring[0].label == "Activity, 20 January – 25 January"
    assert "Vitals, 2 March – 8 March" in {post.label for post in spring}


def test_no_point_is_sent_twice(spring, autumn):
    for sent in (spring, autumn):
        keys = Counter(
            (metric["name"], point["source"], point.get("date") or point["startDate"])
            for post in sent
            for metric in post.body["data"].get("metrics", [])
            for point in metric["data"]
        )
        assert [key for key, count in keys.items() if count > 1] == []


def test_a_metric_keeps_its_unit_and_energy_is_in_kcal(spring):
    units = defaultdict(set)
    for post in spring:
        for metric in post.body["data"].get("metrics", []):
            units[metric["name"]].add(metric["units"])
        assert "kJ" not in set(texts(post.body))
    assert all(len(spellings) == 1 for spellings in units.values())
    assert units["hydration_index_beta"] == {"pts"}


def test_devices_are_named_as_ios_names_them(spring):
    sources = {
        point["source"]
        for post in spring
        for metric in post.body["data"].get("metrics", [])
        for point in metric["data"]
    }
    assert sources == {WATCH, PHONE, f"{WATCH}|{PHONE}", ""}
    assert WATCH == "Maya\u2019s Apple\u00a0Watch"


def test_a_sum_of_nothing_is_not_sent(spring):
    for post in spring:
        if post.headers["automation-name"] == "Daily totals":
            assert all(
                point["qty"] > 0 for metric in post.body["data"]["metrics"] for point in metric["data"]
            )


def test_steps_follow_the_week(spring):
    steps = daily(points(spring, "step_count"))
    workdays = [total for day, total in steps.items() if weekday(day) < 5]
    sundays = [total for day, total in steps.items() if weekday(day) == 6]
    assert mean(workdays) > 1.5 * mean(sundays)
    assert all(800 < total < 25_000 for total in steps.values())


def test_hours_hold_no_more_than_an_hour(spring):
    for name, most in (("apple_exercise_time", 60), ("apple_stand_time", 60), ("time_in_daylight", 60)):
        assert max(point["qty"] for point in points(spring, name)) <= most
    stood = Counter(point["date"][:10] for point in points(spring, "apple_stand_hour"))
    assert max(stood.values()) <= 20
    assert {point["qty"] for point in points(spring, "apple_stand_hour")} == {1}


def test_daily_energy_is_that_of_a_person(spring):
    today = SPRING.date().isoformat()
    active = daily(points(spring, "active_energy"))
    assert all(150 < total < 1400 for total in active.values())
    basal = daily(points(spring, "basal_energy_burned"))
    assert all(800 < total <= 60 * 25 for day, total in basal.items() if day != today)


def test_the_last_hour_is_cut_short(spring):
    last = points(spring, "basal_energy_burned")[-1]
    assert last["date"] == "2026-04-19 17:00:00 +0200"
    assert last["qty"] == pytest.approx(58 * 23 / 60, abs=0.01)


def test_heart_rate_stays_in_human_bounds(spring):
    rows = points(spring, "heart_rate")
    assert all(38 <= row["Min"] <= row["Avg"] <= row["Max"] <= 195 for row in rows)
    night = [row["Avg"] for row in rows if "03:00" <= row["date"][11:16] < "05:00"]
    afternoon = [row["Avg"] for row in rows if "14:00" <= row["date"][11:16] < "17:00"]
    assert mean(night) + 8 < mean(afternoon)


def test_training_shows(spring):
    def halves(name: str) -> tuple[float, float]:
        values = [row["qty"] for row in points(spring, name)]
        return mean(values[: len(values) // 3]), mean(values[-len(values) // 4 :])

    early, late = halves("resting_heart_rate")
    assert late < early - 1
    early, late = halves("heart_rate_variability")
    assert late > early + 2
    early, late = halves("weight_body_mass")
    assert 1 < early - late < 3
    assert 70 < len(points(spring, "weight_body_mass")) < 90


def test_the_ill_days_stand_out(spring):
    ill = {row["start"][:10] for row in records(spring, "symptoms") if row["name"] == "Fatigue"}
    assert len(ill) == 3

    def apart(name: str, stamp: str = "date") -> tuple[float, float]:
        rows = points(spring, name)
        return (
            mean(row["qty"] for row in rows if row[stamp][:10] in ill),
            mean(row["qty"] for row in rows if row[stamp][:10] not in ill),
        )

    ailing, well = apart("resting_heart_rate")
    assert ailing > well + 4
    ailing, well = apart("heart_rate_variability")
    assert ailing < well - 8
    ailing, well = apart("apple_sleeping_wrist_temperature", "end")
    assert ailing > well + 0.4
    steps = daily(points(spring, "step_count"))
    assert max(steps[day] for day in ill) < 3000
    assert not [workout for workout in records(spring, "workouts") if workout["start"][:10] in ill]


def test_the_notification_agrees_with_the_heart_rate_of_its_minutes(spring):
    (alert,) = records(spring, "heartRateNotifications")
    beats = [row for row in points(spring, "heart_rate") if alert["start"] <= row["date"] < alert["end"]]
    assert len(beats) == len(alert["heartRateData"])
    assert all(row["Avg"] > alert["threshold"] for row in beats)
    assert instant(alert["start"]).timestamp() == alert["heartRateData"][0]["timestamp"]["start"]


def test_a_night_adds_up(spring, autumn):
    rows = [*points(spring, "sleep_analysis"), *points(autumn, "sleep_analysis")]
    nights = [row for row in rows if "totalSleep" in row]
    assert len(nights) > 80
    for night in nights:
        assert night["core"] + night["deep"] + night["rem"] == pytest.approx(night["totalSleep"])
        assert 6.3 <= night["totalSleep"] <= 8.4
        elapsed = (instant(night["sleepEnd"]) - instant(night["sleepStart"])).total_seconds() / 3600
        assert elapsed == pytest.approx(night["totalSleep"] + night["awake"])
        assert night["date"][:10] == night["sleepEnd"][:10]
        assert night["date"][11:19] == "00:00:00"


def test_the_last_three_weeks_come_in_stages_without_gaps(spring):
    stages = [row for row in points(spring, "sleep_analysis") if "value" in row]
    assert {row["value"] for row in stages} == {"Core", "Deep", "REM", "Awake"}
    slept: dict[str, float] = defaultdict(float)
    for row, following in zip(stages, [*stages[1:], None], strict=True):
        length = (instant(row["endDate"]) - instant(row["startDate"])).total_seconds() / 3600
        assert row["qty"] == pytest.approx(length)
        assert following is None or instant(row["endDate"]) <= instant(following["startDate"])
        if row["value"] != "Awake":
            slept[(instant(row["startDate"]) + timedelta(hours=6)).date().isoformat()] += row["qty"]
    assert len(slept) == 20  # three calendar weeks but for the night without the watch
    assert all(6.3 <= hours <= 8.4 for hours in slept.values())


def test_stages_and_sums_never_tell_of_the_same_night(spring):
    rows = points(spring, "sleep_analysis")
    last_sum = max(instant(row["sleepEnd"]) for row in rows if "totalSleep" in row)
    assert last_sum < min(instant(row["startDate"]) for row in rows if "value" in row)


@pytest.mark.parametrize(
    ("season", "day", "offsets", "hours"),
    [("spring", "2026-03-29", ("+0100", "+0200"), 23), ("autumn", "2026-10-25", ("+0200", "+0100"), 25)],
)
def test_a_change_of_the_clocks_makes_a_short_and_a_long_day(season, day, offsets, hours, request):
    sent = request.getfixturevalue(season)
    basal = [row for row in points(sent, "basal_energy_burned") if row["date"].startswith(day)]
    assert len(basal) == hours
    assert {row["date"][-5:] for row in basal} == set(offsets)
    (night,) = [row for row in points(sent, "sleep_analysis") if row.get("date", "").startswith(day)]
    assert night["sleepEnd"].endswith(offsets[1])
    assert night["sleepStart"].endswith(offsets[0])


def test_the_night_without_the_watch_is_missing(spring):
    woke = {(row.get("sleepEnd") or row["endDate"])[:10] for row in points(spring, "sleep_analysis")}
    every = {row["date"][:10] for row in points(spring, "resting_heart_rate")}
    first, (gap,) = min(every), sorted(every - woke - {min(every)})
    assert gap > first
    assert not [row for row in points(spring, "heart_rate") if f"{gap} 01" < row["date"] < f"{gap} 06"]
    assert not [row for row in points(spring, "respiratory_rate") if row["date"].startswith(f"{gap} 0")]
    assert gap not in {row["end"][:10] for row in points(spring, "apple_sleeping_wrist_temperature")}


def test_workouts_follow_the_habits(spring):
    workouts = records(spring, "workouts")
    assert len({workout["id"] for workout in workouts}) == len(workouts) > 40
    days = {(workout["name"], weekday(workout["start"][:10])) for workout in workouts}
    assert days == {("Outdoor Run", 1), ("Outdoor Run", 3), ("Outdoor Run", 5), ("Outdoor Cycling", 6)}


def test_a_workout_agrees_with_its_series(spring):
    for workout in records(spring, "workouts"):
        length = (instant(workout["end"]) - instant(workout["start"])).total_seconds()
        assert workout["duration"] == length
        active = sum(row["qty"] for row in workout["activeEnergy"])
        basal = sum(row["qty"] for row in workout["basalEnergy"])
        assert workout["activeEnergyBurned"]["qty"] == pytest.approx(active, abs=0.01)
        assert workout["totalEnergy"]["qty"] == pytest.approx(active + basal, abs=0.01)
        distance = workout.get("walkingAndRunningDistance") or workout["cyclingDistance"]
        assert workout["distance"]["qty"] == pytest.approx(sum(row["qty"] for row in distance), abs=0.001)
        assert workout["avgSpeed"]["qty"] == pytest.approx(
            workout["distance"]["qty"] / length * 3600, abs=0.01
        )
        # the last started minute may be too short for a reading
        assert len(workout["heartRateData"]) in {math.ceil(length / 60) - 1, math.ceil(length / 60)}
        assert workout["heartRate"]["max"]["qty"] == max(row["Max"] for row in workout["heartRateData"])
        if "stepCount" in workout:
            steps = sum(row["qty"] for row in workout["stepCount"])
            assert workout["stepCadence"]["qty"] == pytest.approx(steps / (length / 60), abs=0.01)


def test_a_route_is_as_long_as_its_workout_and_far_from_any_land(spring):
    for workout in records(spring, "workouts"):
        route = workout["route"]
        metres = sum(
            math.dist((a["latitude"], a["longitude"]), (b["latitude"], b["longitude"])) * 111_320
            for a, b in pairwise(route)
        )
        assert metres == pytest.approx(1000 * workout["distance"]["qty"], rel=0.02)
        assert all(abs(point["latitude"]) < 0.1 and abs(point["longitude"]) < 0.1 for point in route)
        times = [instant(point["timestamp"]) for point in route]
        assert all(3 <= (b - a).total_seconds() <= 5 for a, b in pairwise(times))


def test_the_hours_of_a_workout_hold_at_least_the_workout(spring):
    rows = {name: points(spring, name) for name in ("active_energy", "cycling_distance", "heart_rate")}
    for workout in records(spring, "workouts"):
        hours = {
            (instant(row["date"])).strftime("%Y-%m-%d %H")
            for row in [*workout["activeEnergy"], {"date": workout["end"]}]
        }
        active = sum(row["qty"] for row in rows["active_energy"] if row["date"][:13] in hours)
        assert active >= workout["activeEnergyBurned"]["qty"] - 0.01
        if "cyclingDistance" in workout:
            cycled = sum(row["qty"] for row in rows["cycling_distance"] if row["date"][:13] in hours)
            assert cycled == pytest.approx(workout["distance"]["qty"], abs=0.01)
        beats = [row for row in rows["heart_rate"] if workout["start"] <= row["date"] <= workout["end"]]
        assert mean(row["Avg"] for row in beats) == pytest.approx(workout["avgHeartRate"]["qty"], abs=1)


def test_an_ecg_is_thirty_seconds_of_beats(spring):
    recordings = records(spring, "ecg")
    assert len(recordings) == 2
    for ecg in recordings:
        samples = ecg["voltageMeasurements"]
        assert len(samples) == ecg["numberOfVoltageMeasurements"] == 30 * ecg["samplingFrequency"]
        assert samples[0]["date"] == instant(ecg["start"]).timestamp()
        assert samples[-1]["date"] < instant(ecg["end"]).timestamp()
        volts = [sample["voltage"] for sample in samples]
        peaks = sum(now > 500 and before <= 500 for before, now in pairwise(volts))
        assert peaks * 2 == pytest.approx(ecg["averageHeartRate"], abs=6)
        assert -600 < min(volts) < max(volts) < 1500


def test_medications_have_a_schedule_unless_taken_at_need(spring):
    doses = records(spring, "medications")
    assert {dose["status"] for dose in doses} == {"Taken", "Skipped", "Not Interacted"}
    assert all(("dosage" in dose) == (dose["status"] != "Not Interacted") for dose in doses)
    assert all(("scheduledDate" in dose) == dose["displayText"].startswith("Vitamin") for dose in doses)


def test_states_of_mind_have_the_class_of_their_valence(spring):
    entries = records(spring, "stateOfMind")
    assert 10 < len(entries) < 45
    for entry in entries:
        assert -1 <= entry["valence"] <= 1
        assert ("unpleasant" in entry["valenceClassification"]) == (entry["valence"] < -1 / 7)


@pytest.mark.parametrize("days", [1, 2, 7, 10, 30])
def test_any_number_of_days_is_a_life(days):
    sent = list(posts(until=SPRING, zone=BERLIN, days=days))
    seen = {row["date"][:10] for row in points(sent, "basal_energy_burned")}
    assert len(seen) == days


@pytest.mark.parametrize("seed", range(3))
def test_other_lives_are_human_too(seed):
    sent = list(posts(until=AUTUMN, zone=BERLIN, days=28, seed=seed))
    assert all(38 <= row["Min"] <= row["Max"] <= 195 for row in points(sent, "heart_rate"))
    assert all(row["totalSleep"] <= 8.4 for row in points(sent, "sleep_analysis") if "totalSleep" in row)


def test_a_moment_without_an_offset_is_refused():
    with pytest.raises(ValueError, match="aware"):
        next(posts(until=datetime(2026, 4, 19, 12, 0), zone=BERLIN))  # noqa: DTZ001  what is refused


def test_no_day_at_all_is_refused():
    with pytest.raises(ValueError, match="at least one day"):
        next(posts(until=SPRING, zone=BERLIN, days=0))
