"""The automations a phone should have, one for each kind of data, with the settings that suit it.

All send the window “Default”: yesterday and today so far, several times a day. It includes today, cuts no night and no
hour in the middle, and what was missed once comes with the next run. “Since Last Sync” does none of that, and
“Previous 7 Days” leaves today out. Sending the same again costs nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_WINDOW = {"period": "none"}
# Sums by the hour: the phone has then counted each step once, whichever devices saw it; by the minute it has not.
_SUMS = {"datatype": "healthMetrics", "interval": "hours", "aggregatedata": "true", "aggregatesleep": "true"}
# Single readings with their own times. Sleep has to go along: mixed, the app drops stages.
_READINGS = {"datatype": "healthMetrics", "aggregatedata": "false", "aggregatesleep": "false"}


@dataclass(frozen=True, slots=True)
class AutomationKind:
    """One automation. `metrics` are the names the app shows; without any the link asks for all of the data type."""

    code: str
    name: str
    brings: str
    why: str
    settings: Mapping[str, str]
    metrics: tuple[str, ...] = ()
    is_usual: bool = field(default=False)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the link, but for the address, key and name."""
        chosen = {"metrics": ",".join(self.metrics)} if self.metrics else {}
        return _WINDOW | dict(self.settings) | chosen


def _every(quantity: int, unit: str) -> dict[str, str]:
    return {"syncinterval": unit, "syncquantity": str(quantity)}


def _records(datatype: str) -> dict[str, str]:
    return {"datatype": datatype} | _every(6, "hours")


_ALL = (
    AutomationKind(
        "totals",
        "Daily totals",
        "Steps, distances, energy, exercise and stand minutes, floors, daylight",
        "Summed by the hour, so that a step your watch and your phone both saw counts once.",
        _SUMS | _every(30, "minutes"),
        (
            "Step Count",
            "Walking + Running Distance",
            "Cycling Distance",
            "Active Energy",
            "Basal Energy Burned",
            "Apple Exercise Time",
            "Apple Stand Time",
            "Apple Stand Hour",
            "Flights Climbed",
            "Time in Daylight",
            "Mindful Minutes",
        ),
        is_usual=True,
    ),
    AutomationKind(
        "vitals",
        "Vitals",
        "Heart rate, variability, breathing, oxygen, temperature, blood pressure, weight",
        "Every single reading with its own time, nothing averaged away.",
        _READINGS | _every(1, "hours"),
        (
            "Heart Rate",
            "Resting Heart Rate",
            "Walking Heart Rate Average",
            "Heart Rate Variability",
            "Cardio Recovery",
            "VO2 Max",
            "Respiratory Rate",
            "Blood Oxygen Saturation",
            "Apple Sleeping Wrist Temperature",
            "Body Temperature",
            "Blood Pressure",
            "Blood Glucose",
            "Weight & Body Mass",
            "Body Fat Percentage",
        ),
        is_usual=True,
    ),
    AutomationKind(
        "sleep",
        "Sleep",
        "Every stage of the night: awake, REM, core, deep",
        "Not summarised, so that the night can be drawn as it was.",
        _READINGS | _every(1, "hours"),
        ("Sleep Analysis",),
        is_usual=True,
    ),
    AutomationKind(
        "workouts",
        "Workouts",
        "Workouts with heart rate, splits and the route",
        "With routes and details; a whole workout is sent again if it changes.",
        {
            "datatype": "workouts",
            "includeroutes": "true",
            "includeworkoutmetadata": "true",
            "workoutsmetadatainterval": "seconds",
        }
        | _every(1, "hours"),
        is_usual=True,
    ),
    AutomationKind(
        "food",
        "Food and drink",
        "Energy eaten, water, carbohydrates, protein, fat, caffeine",
        "Summed by the hour, as the daily totals.",
        _SUMS | _every(2, "hours"),
        (
            "Dietary Energy",
            "Dietary Water",
            "Carbohydrates",
            "Protein",
            "Total Fat",
            "Saturated Fat",
            "Fiber",
            "Dietary Sugar",
            "Sodium",
            "Caffeine",
        ),
    ),
    AutomationKind(
        "walking",
        "Walking and hearing",
        "Walking speed, steadiness of steps, stairs, sound levels",
        "Every single reading.",
        _READINGS | _every(6, "hours"),
        (
            "Walking Speed",
            "Walking Step Length",
            "Walking Asymmetry Percentage",
            "Walking Double Support Percentage",
            "Stair Speed Up",
            "Stair Speed Down",
            "Environmental Audio Exposure",
            "Headphone Audio Exposure",
        ),
    ),
    AutomationKind(
        "symptoms",
        "Symptoms",
        "Symptoms you log in the Health app",
        "Each as you logged it.",
        _records("symptoms"),
    ),
    AutomationKind(
        "mind",
        "State of mind",
        "Moods and emotions you log",
        "Each as you logged it.",
        _records("stateOfMind"),
    ),
    AutomationKind(
        "medications",
        "Medications",
        "Doses planned, taken and skipped",
        "Each dose as you logged it.",
        _records("medications"),
    ),
    AutomationKind(
        "cycle",
        "Cycle tracking",
        "Cycle and what you log with it",
        "Each day as you logged it.",
        _records("cycleTracking"),
    ),
    AutomationKind(
        "ecg",
        "ECG",
        "Electrocardiograms with their whole trace",
        "A recording is large; few are made, so this runs seldom.",
        _records("ecg"),
    ),
    AutomationKind(
        "heart",
        "Heart notifications",
        "High, low and irregular heart rate notifications",
        "Each as your watch gave it.",
        _records("heartRateNotifications"),
    ),
)
AUTOMATIONS: Mapping[str, AutomationKind] = MappingProxyType({kind.code: kind for kind in _ALL})
