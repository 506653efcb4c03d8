"""A whole document, array by array."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from appliance.catalog.load import Catalogue
from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind, Record
from appliance.domain.text import storable_text
from appliance.domain.upload import Automation
from appliance.intake.document import Document
from appliance.intake.ecg import read_ecg
from appliance.intake.fields import RecordContext, Unreadable
from appliance.intake.heart_notifications import read_heart_notification
from appliance.intake.medications import read_medication
from appliance.intake.metrics import MetricsReader
from appliance.intake.mind import read_state_of_mind
from appliance.intake.reading import Reading
from appliance.intake.standard_workouts import read_workout_of_either
from appliance.intake.symptoms import read_cycle_entry, read_symptom
from appliance.intake.timestamps import Timestamps

NAME_LENGTH = 80
MOST_KINDS = 50  # told apart in a receipt; what a body has beyond them is counted together
_SAYS_NO_GROUPING = {"", "default"}  # what the default is depends on the format

ReadOne = Callable[[dict[str, Any], int, RecordContext], Record]

# Which reader reads which array of the document; an array without one is kept as it came.
READERS: dict[str, tuple[Kind, ReadOne]] = {
    "workouts": (Kind.WORKOUT, read_workout_of_either),
    "ecg": (Kind.ECG, read_ecg),
    "heartRateNotifications": (Kind.HEART_NOTIFICATION, read_heart_notification),
    "stateOfMind": (Kind.STATE_OF_MIND, read_state_of_mind),
    "medications": (Kind.MEDICATION, read_medication),
    "symptoms": (Kind.SYMPTOM, read_symptom),
    "cycleTracking": (Kind.CYCLE, read_cycle_entry),
}


def read_document(
    document: Document, catalogue: Catalogue, automation: Automation, zone: ZoneInfo
) -> Reading:
    """Read every array of the document. Pure; what cannot be read is quarantined, nothing is raised.

    `zone` is the person's and places dates that come without an offset.
    """
    reading = Reading()
    if document.grouping is not None and automation.aggregation.strip().lower() in _SAYS_NO_GROUPING:
        automation = replace(automation, aggregation=document.grouping)
    for name, content in document.arrays.items():
        if name == "metrics":
            MetricsReader(reading, catalogue, automation, zone).read(content)
        elif name in READERS:
            _read_records(reading, name, content, RecordContext(catalogue, Timestamps(zone)))
        else:
            _keep_for_later(reading, storable_text(name, NAME_LENGTH), content)
    return reading


def _read_records(reading: Reading, name: str, content: Any, context: RecordContext) -> None:
    kind, read_one = READERS[name]
    if content is None or content == {}:
        return
    items = content if isinstance(content, list) else [content]
    found = reading.records.setdefault(kind, [])
    for position, item in enumerate(items):
        reading.received[kind] += 1
        path = f"data.{name}[{position}]" if items is content else f"data.{name}"
        try:
            if not isinstance(item, dict):
                raise Unreadable(Reason.WRONG_SHAPE, "An item is not an object.")
            found.append(read_one(item, position, context))
        except Unreadable as fate:
            reading.set_aside(kind, kind, path, fate.reason, fate.detail, item)


def _keep_for_later(reading: Reading, name: str, content: Any) -> None:
    if content is None or content == {}:
        return
    kind = name if name in reading.received or len(reading.received) < MOST_KINDS else Kind.OTHER
    items = content if isinstance(content, list) else [content]
    detail = f"“{name}” is kept as it came and will be read by a later version."
    for position, item in enumerate(items):
        reading.received[kind] += 1
        path = f"data.{name}[{position}]" if items is content else f"data.{name}"
        reading.set_aside(kind, name, path, Reason.NOT_READ_YET, detail, item)
