"""Single readings, nights and the rarer records as an export tells them: the very ones that the phone posts."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from appliance.demo.points import PHONE, WATCH
from appliance.demo.spelling import CATEGORY, QUANTITY, Raw, metadata, number

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from appliance.demo.life import LivedDay
    from appliance.demo.points import MetricBook
    from appliance.demo.window import Window

Rows = list[dict[str, Any]]

# How Apple calls what the phone posts: the type, its unit, and what the number is multiplied by.
TYPES = {
    "heart_rate": ("HeartRate", "count/min", 1),
    "resting_heart_rate": ("RestingHeartRate", "count/min", 1),
    "walking_heart_rate_average": ("WalkingHeartRateAverage", "count/min", 1),
    "heart_rate_variability": ("HeartRateVariabilitySDNN", "ms", 1),
    "cardio_recovery": ("HeartRateRecoveryOneMinute", "count/min", 1),
    "vo2_max": ("VO2Max", "mL/min·kg", 1),
    "respiratory_rate": ("RespiratoryRate", "count/min", 1),
    "blood_oxygen_saturation": ("OxygenSaturation", "%", 0.01),
    "apple_sleeping_wrist_temperature": ("AppleSleepingWristTemperature", "degC", 1),
    "weight_body_mass": ("BodyMass", "kg", 1),
    "six_minute_walking_test_distance": ("SixMinuteWalkTestDistance", "m", 1),
    "physical_effort": ("PhysicalEffort", "kcal/hr·kg", 1),
    "walking_speed": ("WalkingSpeed", "km/hr", 1),
    "walking_step_length": ("WalkingStepLength", "cm", 1),
    "walking_double_support_percentage": ("WalkingDoubleSupportPercentage", "%", 0.01),
    "walking_asymmetry_percentage": ("WalkingAsymmetryPercentage", "%", 0.01),
    "stair_speed_up": ("StairAscentSpeed", "m/s", 1),
    "stair_speed_down": ("StairDescentSpeed", "m/s", 1),
    "environmental_audio_exposure": ("EnvironmentalAudioExposure", "dBASPL", 1),
    "headphone_audio_exposure": ("HeadphoneAudioExposure", "dBASPL", 1),
    "running_speed": ("RunningSpeed", "km/hr", 1),
    "running_power": ("RunningPower", "W", 1),
    "running_stride_length": ("RunningStrideLength", "m", 1),
    "running_ground_contact_time": ("RunningGroundContactTime", "ms", 1),
    "running_vertical_oscillation": ("RunningVerticalOscillation", "cm", 1),
    "cycling_speed": ("CyclingSpeed", "km/hr", 1),
}
# The phone thins what it was told every few seconds or minutes.
THINNED = {"heart_rate": 30, "physical_effort": 600} | dict.fromkeys(
    (name for name in TYPES if name.startswith("running_")), 60
)
SLEEP_STAGES = {"Core": "AsleepCore", "Deep": "AsleepDeep", "REM": "AsleepREM", "Awake": "Awake"}
LIES_DOWN_S, GETS_UP_S = 720, 360  # before falling asleep, after waking up
BEATS = 40
CUFF, CUFF_AT = "Home Cuff", 7.2


def readings(lived: LivedDay, book: MetricBook, roll: random.Random) -> Iterator[Raw]:
    """Yield the day's single readings as records; `book` has them as they are posted."""
    trace, begin = lived.trace, lived.plan.day.start
    last: dict[str, int] = {}
    for name, instant, point in book.timed(*TYPES):
        if instant - last.get(name, 0) < THINNED.get(name, 0):
            continue
        last[name] = instant
        kind, unit, scale = TYPES[name]
        inside = ""
        if name == "heart_rate":
            minute = min((instant - begin) // 60, len(trace.asleep) - 1)
            motion = 1 if trace.asleep[minute] else 2 if trace.exercising[minute] else 0
            inside = metadata(HKMetadataKeyHeartRateMotionContext=str(motion))
        elif name == "heart_rate_variability":
            inside = _beats(instant, point["qty"], book.window, roll)
        end = lived.plan.night.end if "end" in point else instant
        value = number(scale * (point["Avg"] if "Avg" in point else point["qty"]))
        yield Raw(QUANTITY + kind, point["source"], instant, end, value, unit, inside)


def sleep(lived: LivedDay, window: Window, *, recorded: bool) -> Iterator[Raw]:
    """Yield the night: stages by the watch, the time in bed by the phone, which knows nothing of a watch left aside."""
    night = lived.plan.night
    zone = metadata(HKTimeZone=window.zone.key)
    kind = f"{CATEGORY}SleepAnalysis"
    word = "HKCategoryValueSleepAnalysis"
    lay, up = night.start - LIES_DOWN_S, min(night.end + GETS_UP_S, window.until)
    if night.end <= window.until:
        yield Raw(kind, PHONE, lay, up, f"{word}InBed", inside=zone)
    for stage in night.stages if recorded else ():
        yield Raw(kind, WATCH, stage.start, stage.end, f"{word}{SLEEP_STAGES[stage.value]}", inside=zone)


def events(noted: Rows, alerts: Rows) -> Iterator[Raw]:
    """Yield symptoms and heart alerts, as posted, as records of category types."""
    for row in noted:
        start, end = (int(datetime.fromisoformat(row[edge]).timestamp()) for edge in ("start", "end"))
        kind = CATEGORY + row["name"].replace(" ", "")
        entered = metadata(HKWasUserEntered="1")
        yield Raw(kind, row["source"], start, end, f"HKCategoryValueSeverity{row['severity']}", "", entered)
    for row in alerts:
        start, end = (int(datetime.fromisoformat(row[edge]).timestamp()) for edge in ("start", "end"))
        threshold = metadata(HKHeartRateEventThreshold=f"{row['threshold']} count/min")
        value = "HKCategoryValueNotApplicable"
        yield Raw(f"{CATEGORY}HighHeartRateEvent", row["source"]["name"], start, end, value, "", threshold)


def blood_pressure(lived: LivedDay, window: Window, roll: random.Random) -> list[Raw]:
    """Return the two numbers that the cuff tells on Sundays, together; they are not posted."""
    at = window.at(lived.plan.day.date, CUFF_AT) + roll.randint(0, 1200)
    if lived.plan.day.date.weekday() != 6 or at > window.until:
        return []
    pair = (("Systolic", roll.gauss(116, 5)), ("Diastolic", roll.gauss(74, 4)))
    return [
        Raw(f"{QUANTITY}BloodPressure{name}", CUFF, at, at, number(round(value)), "mmHg")
        for name, value in pair
    ]


def ecg_csv(row: dict[str, Any]) -> str:
    """Return a posted ECG as the file that an export has of it."""
    lines = [
        "Name,Maya",
        "Date of Birth,",
        f"Recorded Date,{row['start']}",
        f"Classification,{row['classification']}",
        "Symptoms,",
        "Software Version,2.0",
        'Device,"Watch7,2"',
        f"Sample Rate,{row['samplingFrequency']} hertz",
        "",
        "",
        "Lead,Lead I",
        "Unit,µV",
        "",
        "",
        *(f"{sample['voltage']:.3f}" for sample in row["voltageMeasurements"]),
    ]
    return "\n".join(lines) + "\n"


def _beats(instant: int, sdnn: float, window: Window, roll: random.Random) -> str:
    """Return the beats behind a variability, each with a time of day on the wall clock and no date."""
    at = window.wall(instant) + timedelta(milliseconds=400)
    lines = []
    for beat in range(BEATS):
        interval = 950 + 1.4 * sdnn * math.sin(beat) + roll.gauss(0, 0.4 * sdnn)
        at += timedelta(milliseconds=max(400, interval))
        clock = f"{at.hour % 12 or 12}:{at:%M:%S}.{at.microsecond // 10_000:02}"
        half = "AM" if at.hour < 12 else "PM"
        lines.append(
            f'   <InstantaneousBeatsPerMinute bpm="{round(60_000 / interval)}" time="{clock}\N{NARROW NO-BREAK SPACE}{half}"/>\n'
        )
    inside = "".join(lines)
    return f"  <HeartRateVariabilityMetadataList>\n{inside}  </HeartRateVariabilityMetadataList>\n"


def route_gpx(points: Rows, made: int) -> str:
    """Return a posted route as the file that an export has of it."""
    lines = []
    for point in points:
        at = datetime.fromisoformat(point["timestamp"]).astimezone(UTC)
        lines.append(
            f'   <trkpt lon="{point["longitude"]:.7f}" lat="{point["latitude"]:.7f}"><ele>{point["altitude"]}</ele>'
            f"<time>{at:%Y-%m-%dT%H:%M:%SZ}</time><extensions><speed>{point['speed']}</speed><course>{point['course']}</course>"
            f"<hAcc>{point['horizontalAccuracy']}</hAcc><vAcc>{point['verticalAccuracy']}</vAcc></extensions></trkpt>\n"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gpx version="1.1" creator="Apple Health Export" xmlns="http://www.topografix.com/GPX/1/1">\n'
        f" <metadata>\n  <time>{datetime.fromtimestamp(made, UTC):%Y-%m-%dT%H:%M:%SZ}</time>\n </metadata>\n"
        f" <trk>\n  <name>Route</name>\n  <trkseg>\n{''.join(lines)}  </trkseg>\n </trk>\n</gpx>\n"
    )
