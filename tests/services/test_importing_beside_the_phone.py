"""What an export tells and the phone tells too is one truth, whichever came first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.fixtures.apple_export import CATEGORY, ECG_DE, ECG_EN, QUANTITY, WATCH, AppleExport
from tests.fixtures.documents import document, metric, point, spelt, when

EXPORT = AppleExport(days=2)
WALK = when("2025-10-24 17:00")


@pytest.fixture
def take(services, phone, tmp_path):
    """Import an export for the phone's person."""

    def import_it(export=EXPORT, *, name="export.zip", more=()):
        xml = export.xml(root_end="".join(more) + "</HealthData>\n")
        (anna,) = services.people.everyone()
        run = services.importing.export(anna.person_id, export.zip(tmp_path / name, xml=xml))
        assert run.counts.adds_up()
        return run

    return import_it


@pytest.fixture(params=["import first", "phone first"])
def both(request, take, phone):
    """Let both tell, in either order, then both once more (the export as of another season)."""

    def tell(body, more=lambda _export: (), export=EXPORT, **headers):
        winter = export.but(offset_h=1)
        if request.param == "import first":
            take(export, more=more(export))
            phone.send(body, **headers)
        else:
            phone.send(body, **headers)
            take(export, more=more(export))
        phone.send(body, **headers)
        take(winter, name="winter.zip", more=more(winter))

    return tell


def workout(name, **fields):
    return {
        "id": "11111111-2222-3333-4444-555555555555",
        "name": name,
        "start": spelt(WALK),
        "end": spelt(WALK + timedelta(minutes=30)),
        "duration": 1710,
    } | fields


@pytest.mark.parametrize("name", ["Running", "Outdoor Run", "Laufen im Freien"])
def test_a_workout_is_one_whatever_the_phone_calls_it(both, ask, name):
    both(document(workouts=[workout(name)]))
    assert ask("SELECT count(*) FROM record WHERE kind = 'workouts'") == [(EXPORT.days,)]
    # The phone's word of it stands, with the route that only the export has.
    assert ask(
        "SELECT content->>'name', name FROM record JOIN record_track AS t USING (person_id, record_id)"
        " WHERE identity LIKE '1111%'"
    ) == [(name, "route")]


def test_another_workout_of_the_same_time_is_another(both, ask):
    both(document(workouts=[workout("Yoga"), workout("Cycling", id="2")]))
    assert ask("SELECT count(*) FROM record WHERE kind = 'workouts'") == [(EXPORT.days + 2,)]


@pytest.mark.parametrize("file", [ECG_EN, ECG_DE], ids=["English", "German"])
def test_an_ecg_is_one(both, ask, file):
    ecg = {
        "start": "2025-10-25 18:15:35 +0200",
        "end": "2025-10-25 18:16:05 +0200",
        "classification": "Sinus Rhythm",
        "averageHeartRate": 62,
        "samplingFrequency": 512,
        "voltageMeasurements": [
            {"date": when("2025-10-25 18:15").timestamp() + 35 + n / 512, "voltage": n / 4, "units": "mcV"}
            for n in range(64)
        ],
        "source": "Sam’s Apple Watch",
    }
    both(document(ecg=[ecg]), export=EXPORT.but(files={"electrocardiograms/ecg_2025-10-25.csv": file}))
    assert ask("SELECT source, content->'average_heart_rate' FROM record WHERE kind = 'ecg'") == [
        ("Sam's Apple Watch", 62.0)
    ]


def test_a_symptom_a_notification_and_an_entry_of_the_cycle_are_one(both, ask):
    at = when("2025-10-24 15:00")

    def more(export):
        return [
            export.record(CATEGORY + "MenstrualFlow", "Health", at, 0, "HKCategoryValueVaginalBleedingLight",
                          inside='  <MetadataEntry key="HKMenstrualCycleStart" value="1"/>\n')
        ]  # fmt: skip

    symptom = {
        "start": spelt(at),
        "end": spelt(at),
        "name": "Headache",
        "severity": "Mild",
        "source": "Health",
    }
    alarm = {
        "heartNotification": "low_heart_rate_notification",
        "threshold": 40,
        "start": spelt(when("2025-10-24 04:00")),
        "end": spelt(when("2025-10-24 04:00")),
        "heartRateData": [],
        "source": "Sam’s Apple Watch",
    }
    flow = {"start": spelt(at), "end": spelt(at), "name": "Menstrual Flow", "value": "Light",
            "isCycleStart": True, "source": "Health"}  # fmt: skip
    both(document(symptoms=[symptom], heartRateNotifications=[alarm], cycleTracking=[flow]), more)
    assert ask(
        "SELECT kind, count(*) FROM record WHERE kind IN ('symptoms', 'heart_notifications', 'cycle')"
        " GROUP BY 1 ORDER BY 1"
    ) == [("cycle", 1), ("heart_notifications", EXPORT.days), ("symptoms", EXPORT.days)]
    assert ask("SELECT content->>'value_key' FROM record WHERE kind = 'cycle'") == [("light",)]
    assert ask(
        "SELECT content->'threshold' FROM record WHERE kind = 'heart_notifications' AND content ? 'threshold'"
    ) == [(40.0,)]


def test_a_night_is_slept_once(both, phone):
    night = {
        "date": "2025-10-24 00:00:00 +0200", "sleepStart": "2025-10-23 23:30:00 +0200", "sleepEnd": "2025-10-24 04:40:00 +0200",
        "inBedStart": "2025-10-23 23:00:00 +0200", "inBedEnd": "2025-10-24 05:40:00 +0200",
        "totalSleep": 5.0, "asleep": 0, "core": 3.3333333, "rem": 1.6666667, "deep": 0, "awake": 0, "inBed": 5.1,
        "source": "Sam’s Apple Watch",
    }  # fmt: skip
    both(document(metric("sleep_analysis", "hr", night)))
    assert phone.days("sleep_total")["2025-10-24"] == pytest.approx(5.0, abs=0.01)


def test_hours_and_days_of_the_phone_count_before_the_records(both, phone):
    body = document(
        metric("step_count", "count", *(point(f"2025-10-24 {h:02}:00", 10, "Sam’s iPhone|Sam’s Apple Watch") for h in range(24))),
        metric("active_energy", "kJ", *(point(f"2025-10-24 {h:02}:00", 4.184, WATCH) for h in range(24))),
        metric("apple_stand_hour", "count", *(point(f"2025-10-24 {h:02}:00", 1, WATCH) for h in (10, 11))),
    )  # fmt: skip
    both(body, automation_aggregation="Hours")
    assert phone.days("step_count")["2025-10-24"] == 240
    assert phone.days("active_energy")["2025-10-24"] == pytest.approx(24)
    assert phone.days("apple_stand_hour")["2025-10-24"] == 2


def test_glasses_of_water_are_drunk_once(both, phone):
    glasses = [
        (when("2025-10-24 12:03") + timedelta(seconds=17), 200),
        (when("2025-10-24 13:07") + timedelta(seconds=23), 300),
    ]

    def more(export):
        return [export.record(QUANTITY + "DietaryWater", "Lunch Log", at, 0, f"{ml * 0.033814:.6g}", "fl_oz_us")
                for at, ml in glasses]  # fmt: skip

    both(document(metric("dietary_water", "mL", *(point(at, ml, "Lunch Log") for at, ml in glasses))), more)
    assert phone.days("dietary_water")["2025-10-24"] == pytest.approx(500, rel=1e-4)


def test_single_readings_are_the_same_samples(both, ask, phone):
    water = when("2025-10-24 12:00")

    def more(export):
        return [export.record(QUANTITY + "DietaryWater", "Lunch Log", water, 0, "250", "mL"),
                export.record(CATEGORY + "MindfulSession", "Calm", water, 600, None)]  # fmt: skip

    body = document(
        metric("weight_body_mass", "kg", point(when("2025-10-24 06:00"), 74.5, "Kitchen Scale")),
        metric("dietary_water", "mL", point(water, 250, "Lunch Log")),
        metric("mindful_minutes", "min", point(water, 10, "Calm")),
        metric("heart_rate_variability", "ms", point(when("2025-10-24 07:47") + timedelta(seconds=41), 48.5, WATCH)),
    )  # fmt: skip
    both(body, more)
    assert phone.days("dietary_water")["2025-10-24"] == pytest.approx(250)
    assert phone.days("mindful_minutes")["2025-10-24"] == pytest.approx(10)
