"""What is not a metric: state of mind, medications, symptoms, ECG and the heart-rate notification."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from appliance.demo.points import PHONE, WATCH

if TYPE_CHECKING:
    import random

    from appliance.demo.motion import Trace
    from appliance.demo.story import DayPlan
    from appliance.demo.window import Window

Record = dict[str, Any]

# Apple cuts the scale from −1 to 1 into seven equal classes.
VALENCE_CLASSES = (
    "very_unpleasant",
    "unpleasant",
    "slightly_unpleasant",
    "neutral",
    "slightly_pleasant",
    "pleasant",
    "very_pleasant",
)
MOODS = (
    (0.62, ("content", "grateful"), ("family",)),
    (0.35, ("calm",), ("work",)),
    (0.05, ("indifferent",), ("work",)),
    (-0.3, ("stressed",), ("work", "tasks")),
)
AFTER_SPORT = (0.72, ("proud", "energetic"), ("fitness",))
IN_ILLNESS = (-0.58, ("drained",), ("health",))

HIGH_HEART_RATE_BPM = 120  # the watch's usual threshold while at rest

ECG_HZ, ECG_S = 512, 30
ECG_EARLY_AT = 0.22  # as a share of the window; a second one follows the notification
# Waves of one beat: centre in seconds from the R peak, width in seconds, height in mcV, of a healthy lead I.
ECG_WAVES = (
    (-0.165, 0.024, 95),  # P
    (-0.033, 0.009, -70),  # Q
    (0.0, 0.0105, 880),  # R
    (0.032, 0.010, -165),  # S
    (0.255, 0.055, 210),  # T
)


def states_of_mind(plan: DayPlan, window: Window, roll: random.Random) -> list[Record]:
    """Return the day's entry, if Maya made one: about twice a week, and when she is at her worst."""
    at = window.at(plan.day.date, roll.uniform(20.5, 22))
    if at > window.until or (roll.random() > 0.28 and plan.illness < 1):
        return []
    usual = IN_ILLNESS if plan.illness else AFTER_SPORT if plan.outings else roll.choice(MOODS)
    valence = min(max(usual[0] + roll.gauss(0, 0.08), -1.0), 1.0)
    start = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [
        {
            "id": str(uuid.UUID(int=roll.getrandbits(128), version=4)).upper(),
            "start": start,
            "end": start,
            "kind": "daily_mood" if roll.random() < 0.6 else "momentary_emotion",
            "labels": list(usual[1]),
            "associations": list(usual[2]),
            "valence": round(valence, 3),
            "valenceClassification": VALENCE_CLASSES[min(int((valence + 1) / 2 * 7), 6)],
        }
    ]


def medications(plan: DayPlan, window: Window, roll: random.Random) -> list[Record]:
    """Return a vitamin every morning, mostly taken, and a painkiller without a schedule in illness."""
    rows = [_vitamin(plan, window, roll)]
    if plan.illness:
        for hour in (9.2, 20.1):
            taken = window.at(plan.day.date, hour + roll.uniform(-0.2, 0.2))
            rows.append((taken, _dose("Ibuprofen 400 mg", window.stamp(taken), "Taken")))
    return [row for known_from, row in rows if known_from <= window.until]


def _vitamin(plan: DayPlan, window: Window, roll: random.Random) -> tuple[int, Record]:
    scheduled = window.at(plan.day.date, 8)
    luck = roll.random()
    status = "Taken" if luck < 0.88 else "Skipped" if luck < 0.95 else "Not Interacted"
    known_from = scheduled if status == "Not Interacted" else scheduled + 60 * roll.randint(1, 55)
    row = _dose("Vitamin D3 1000 IU", window.stamp(known_from), status)
    row["scheduledDate"] = window.stamp(scheduled)
    return known_from, row


def _dose(name: str, start: str, status: str) -> Record:
    row: Record = {"displayText": name, "start": start, "end": start, "status": status}
    if status != "Not Interacted":
        row["dosage"] = 1  # the app sends 1 for a skipped dose as well
    return row | {"isArchived": False, "codings": []}


def symptoms(plan: DayPlan, window: Window, roll: random.Random) -> list[Record]:
    """Return what Maya notes when she is ill, and a rare headache otherwise."""
    noted: list[tuple[str, str, float]] = []
    if plan.illness == 1:
        noted = [("Fever", "Moderate", 9.5), ("Sore Throat", "Mild", 9.6), ("Fatigue", "Severe", 16.0)]
    elif plan.illness:
        noted = [("Fatigue", "Mild", 10.0)]
    elif roll.random() < 0.03:
        noted = [("Headache", "Mild", 15.5)]
    rows = []
    for name, severity, hour in noted:
        at = window.at(plan.day.date, hour)
        if at <= window.until:
            when = window.stamp(at)
            row = {"start": when, "end": when, "name": name, "severity": severity}
            rows.append(row | {"userEntered": True, "source": PHONE})
    return rows


def heart_notifications(plan: DayPlan, trace: Trace, window: Window) -> list[Record]:
    """Return the notification of the day on which the heart raced at rest."""
    if not trace.racing:
        return []
    start, end = (plan.day.start + 60 * minute for minute in (trace.racing.start, trace.racing.stop))
    if end > window.until:
        return []
    readings = [
        {
            "hr": round(trace.heart[minute]),
            "units": "bpm",
            "timestamp": {
                "start": float(plan.day.start + 60 * minute),
                "end": float(plan.day.start + 60 * minute),
                "interval": {"duration": 0, "units": "s"},
            },
        }
        for minute in trace.racing
    ]
    return [
        {
            "heartNotification": "high_heart_rate_notification",
            "threshold": HIGH_HEART_RATE_BPM,
            "start": window.stamp(start),
            "end": window.stamp(end),
            "heartRateData": readings,
            "heartRateVariation": [],
            "source": {"name": WATCH},
        }
    ]


def ecgs(plan: DayPlan, window: Window, roll: random.Random) -> list[Record]:
    """Return the day's ECG: one out of curiosity, one after the notification."""
    curious = window.days.index(plan.day) == round(len(window.days) * ECG_EARLY_AT)
    if not curious and plan.illness < 1:
        return []
    start = window.at(plan.day.date, 20.25 if curious else 16.4) + roll.randint(0, 600)
    if start + ECG_S > window.until:
        return []
    bpm = round(plan.resting_bpm + (7 if curious else 22))
    voltages = _voltages(bpm, roll)
    return [
        {
            "start": window.stamp(start),
            "end": window.stamp(start + ECG_S),
            "classification": "Sinus Rhythm",
            "averageHeartRate": bpm,
            "numberOfVoltageMeasurements": len(voltages),
            "voltageMeasurements": [
                {"date": start + index / ECG_HZ, "voltage": voltage, "units": "mcV"}
                for index, voltage in enumerate(voltages)
            ],
            "samplingFrequency": ECG_HZ,
            "source": WATCH,
        }
    ]


def _voltages(bpm: float, roll: random.Random) -> list[float]:
    """Return thirty seconds of lead I in mcV: beats, the slow sway of breathing and a little noise."""
    voltages = [
        22 * math.sin(math.tau * 0.24 * index / ECG_HZ) + roll.gauss(0, 5) for index in range(ECG_S * ECG_HZ)
    ]
    peak = roll.uniform(0.1, 0.6)
    while peak < ECG_S + 0.3:
        for centre, width, height in ECG_WAVES:
            _add_wave(voltages, peak + centre, width, height * roll.gauss(1, 0.03))
        peak += 60 / bpm * (1 + 0.03 * math.sin(math.tau * 0.24 * peak) + roll.gauss(0, 0.008))
    return [round(voltage, 3) for voltage in voltages]


def _add_wave(voltages: list[float], centre: float, width: float, height: float) -> None:
    first = max(0, math.floor((centre - 4 * width) * ECG_HZ))
    last = min(len(voltages), math.ceil((centre + 4 * width) * ECG_HZ))
    for index in range(first, last):
        voltages[index] += height * math.exp(-(((index / ECG_HZ - centre) / width) ** 2) / 2)
