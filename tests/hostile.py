"""Documents that mean harm: good ones of every array the phone sends, in which some place holds what nobody would send."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.fixtures.documents import document, hours, metric, point
from tests.fixtures.records import a_documented_notification, one_of_each

if TYPE_CHECKING:
    from collections.abc import Callable

NIGHT = {
    "date": "2026-08-07 00:00:00 +0200",
    "source": "Anna’s Apple Watch",
    "sleepStart": "2026-08-06 23:00:00 +0200",
    "sleepEnd": "2026-08-07 06:30:00 +0200",
    "inBedStart": "2026-08-06 22:50:00 +0200",
    "inBedEnd": "2026-08-07 06:40:00 +0200",
    "totalSleep": 7.0,
    "asleep": 0,
    "core": 4,
    "deep": 1,
    "rem": 2,
    "awake": 0.5,
    "inBed": 7.8,
}
STAGE = {
    "startDate": "2026-08-07 23:00:00 +0200",
    "endDate": "2026-08-08 01:00:00 +0200",
    "value": "Core",
    "qty": 2,
    "source": "Ring",
}
WORKOUT = {
    "id": "0A0B0C0D-1111-4222-8333-444455556666",
    "name": "Outdoor Run",
    "start": "2026-08-07 18:00:00 +0200",
    "end": "2026-08-07 18:30:00 +0200",
    "duration": 1800.0,
    "location": "Outdoor",
    "isIndoor": False,
    "distance": {"qty": 5.2, "units": "km"},
    "activeEnergyBurned": {"qty": 310, "units": "kcal"},
    "totalEnergy": {"qty": 350, "units": "kcal"},
    "avgHeartRate": {"qty": 141, "units": "bpm"},
    "heartRate": {"min": {"qty": 90, "units": "bpm"}, "max": {"qty": 170, "units": "bpm"}},
    "elevationUp": {"qty": 12, "units": "m"},
    "swolfScore": 30,
    "metadata": {"weather": "fine"},
    "activeEnergy": [{"date": "2026-08-07 18:01:00 +0200", "qty": 310, "units": "kcal", "source": "Watch"}],
    "stepCount": [{"date": "2026-08-07 18:01:00 +0200", "qty": 160, "units": "count", "source": "Watch"}],
    "heartRateData": [
        {"date": f"2026-08-07 18:0{n}:00 +0200", "Min": 90, "Avg": 120 + n, "Max": 150, "units": "bpm"}
        for n in range(3)
    ],
    "heartRateRecovery": [{"date": "2026-08-07 18:31:00 +0200", "Avg": 110, "units": "bpm"}],
    "route": [
        {
            "timestamp": f"2026-08-07 18:0{n}:00 +0200",
            "latitude": 48.1 + n / 1e4,
            "longitude": 11.5,
            "altitude": 500,
            "speed": 2.9,
            "course": -1,
            "horizontalAccuracy": 4,
        }
        for n in range(3)
    ],
}
OLD_WORKOUT = {
    "name": "Running",
    "start": "2026-08-05 18:00:00 +0200",
    "end": "2026-08-05 18:30:00 +0200",
    "elevation": {"ascent": 5, "descent": 3, "units": "m"},
    "route": [{"lat": 48.1, "lon": 11.5, "timestamp": "2026-08-05 18:01:00 +0200"}],
}
STANDARD_WORKOUT = {
    "workout_type": "running",
    "started_at": "2026-08-03T08:00:00Z",
    "ended_at": "2026-08-03T09:00:00Z",
    "distance_meters": 9000,
    "route_points": [
        {"latitude": 1, "longitude": 2, "altitude_meters": 3, "recorded_at": "2026-08-03T08:01:00Z"}
    ],
}


def good() -> list[dict[str, Any]]:
    """Return whole bodies that hold every array in every shape it comes in, each with its parts."""
    return [
        document(
            metric("step_count", "count", *hours("2026-08-07", range(4))),
            metric("heart_rate", "bpm", point("2026-08-07 10:00", Min=50, Avg=60.5, Max=70, context="rest")),
            metric("blood_pressure", "mmHg", point("2026-08-07 10:00", systolic=120, diastolic=80)),
            metric("blood_glucose", "mg/dL", point("2026-08-07 10:00", 90, mealTime="Before Meal")),
            metric("aura_brightness", "lm", point("2026-08-07 10:00", 1, None)),
        ),
        document(metric("sleep_analysis", "hr", NIGHT, STAGE)),
        document(
            {
                "type": "HeartRate",
                "recorded_at": "2026-08-04T08:00:00Z",
                "heart_rate": 61,
                "source_device": "R",
            },
            {
                "type": "BloodPressure",
                "recorded_at": "2026-08-04T08:00:00Z",
                "systolic": 120,
                "diastolic": 80,
                "pulse": 61,
            },
            {"type": "Workout"} | STANDARD_WORKOUT,
        ),
        document(workouts=[WORKOUT, OLD_WORKOUT, STANDARD_WORKOUT]),
        document(**one_of_each()),
        document(heartRateNotifications=[a_documented_notification()], brandNew=[{"a": {"b": [1, "x"]}}]),
    ]


_DATES = [
    "0000-01-01 00:00:00 +0000",
    "0001-01-01 00:00:00 +1400",
    "1899-12-31 23:59:59 -1400",
    "1900-01-01 00:00:00 +1400",
    "2100-12-31 23:59:59 -1400",
    "2026-02-30 00:00:00 +0000",
    "2026-03-29 02:30:00",
    "2026-10-25 02:30:00",
    "2026-08-07 24:00:00 +0200",
    "2026-08-07 10:00:00 +9959",
    "9999-12-31 23:59:59 -1400",
    "10000-01-01 00:00:00 +0000",
    "٢٠٢٦-٠٨-٠٧ 10:00:00 +0200",
    "2026-08-07T10:00:00.123456789Z",
    "2026-08-07",
    " 2026-08-07 10:00:00 pm +0200",
]
_TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\ufeff",
    "\u202e",
    "x" * 10_000,
    "ﷺ" * 500,
    "|" * 300,
    " | ".join(f"device {n}" for n in range(400)),
    "İ",
    "1e400",
    "-0",
    "1" * 400,
    "NaN",
    "null",
    "'; DROP TABLE sample; --",
    "{{7*7}}",
    "../../etc/passwd",
    "count",
    "kJ",
    "%",
]
_NUMBERS = [
    0,
    -0.0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63) - 1,
    10**400,
    -(10**400),
    1e308,
    -1e308,
    5e-324,
    1.7976931348623157e308,
    math.inf,
    -math.inf,
    math.nan,
    True,
    False,
]
_DEEP: Any = {"a": 1}
for _ in range(90):
    _DEEP = {"a": [_DEEP]}

_NAMES = (
    "data",
    "name",
    "units",
    "date",
    "qty",
    "source",
    "start",
    "end",
    "timestamp",
    "value",
    "id",
    "type",
    "stepCount",
    "step\0count",
    "heart\ud800Rate",
    "route",
    "a\0",
    "a\ud800",
    "",
    "." * 5,
    "x]y[0",
    "n" * 500,
)

hostile = (
    st.sampled_from([*_DATES, *_TEXTS, *_NUMBERS, None, [], {}, [[]], [None], {"": ""}, _DEEP])
    | st.sampled_from(
        [[{"date": "2026-08-07", "qty": 1}], [1, "x", None, {}, []], {"qty": math.inf, "units": "km"}]
    )
    | st.text(alphabet=st.characters(), max_size=6)
    | st.integers()
    | st.floats()
)
names = st.sampled_from(_NAMES) | st.text(alphabet=st.characters(), max_size=4)


def _places(root: Any) -> list[tuple[Any, Any]]:
    """Return every place of a document: the container and the key or position in it."""
    found: list[tuple[Any, Any]] = []
    waiting = [root]
    while waiting:
        here = waiting.pop()
        keys = list(here) if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else ()
        for key in keys:
            found.append((here, key))
            waiting.append(here[key])
    return found


@st.composite
def documents(draw: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a good document in which one to six places were harmed."""
    root = copy.deepcopy(draw(st.sampled_from(good())))
    for _ in range(draw(st.integers(1, 6))):
        places = _places(root)
        if not places:
            break
        here, key = places[draw(st.integers(0, len(places) - 1))]
        what = draw(st.sampled_from(["replace", "replace", "replace", "drop", "add", "again", "move"]))
        if what == "replace":
            here[key] = copy.deepcopy(draw(hostile))
        elif what == "drop":
            del here[key]
        elif what == "add" and isinstance(here, dict):
            here[draw(names)] = copy.deepcopy(draw(hostile))
        elif what == "move" and isinstance(here, dict):
            here[draw(names)] = here.pop(key)
        elif isinstance(here, list):
            here.insert(draw(st.integers(0, len(here))), copy.deepcopy(here[key]))
        elif isinstance(here[key], list) and here[key]:
            here[key] = here[key] * draw(st.integers(2, 4))
    return root
