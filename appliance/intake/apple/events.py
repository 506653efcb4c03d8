"""Records of category types: sleep stages, stood hours, symptoms, the cycle, notifications.

What the phone sends live as a metric becomes samples of that metric, and what it sends as a record becomes the same
record through the same reader, so that both tellings of one event are one. All others are kept as events.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from appliance.catalog.rows import Category
from appliance.domain.localday import instant
from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind, Record, natural_identity
from appliance.domain.sample import HOUR_US
from appliance.domain.sleep import LONGEST_H, Segment
from appliance.intake.apple.lanes import Lane, LaneReader, SetAside, Times
from appliance.intake.fields import RecordContext, Unreadable
from appliance.intake.heart_notifications import read_heart_notification
from appliance.intake.reading import SAMPLES, Reading
from appliance.intake.sleep import SLEEP, STAGES
from appliance.intake.symptoms import read_cycle_entry, read_symptom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.catalog.load import Catalogue

STAND_HOUR = "stand_hour_event"
SEXUAL_ACTIVITY = "sexual_activity"
PROTECTION = "HKSexualActivityProtectionUsed"
USER_ENTERED = "HKWasUserEntered"
CYCLE_START = "HKMenstrualCycleStart"
THRESHOLD = "HKHeartRateEventThreshold"

# Events whose length is what counts: the metric, its unit in the making, and what a second of it is.
_LENGTHS = {
    "mindful_session": ("mindful_minutes", "s"),
    "handwashing_event": ("handwashing", "s"),
    "toothbrushing_event": ("toothbrushing", "s"),
}
# As the phone names them live.
_NOTIFICATIONS = {
    "high_heart_rate_event": "high_heart_rate_notification",
    "low_heart_rate_event": "low_heart_rate_notification",
    "irregular_heart_rhythm_event": "irregular_heart_rhythm_notification",
}


class EventReader:
    """Turns lanes of a category type into what they are."""

    def __init__(
        self, catalogue: Catalogue, lanes: LaneReader, set_aside: SetAside, context: RecordContext
    ) -> None:
        self._catalogue = catalogue
        self._lanes = lanes
        self._set_aside = set_aside
        self._context = context

    def read(self, category: Category, lane: Lane, reading: Reading) -> None:
        """Read the records of one category."""
        if category.key == SLEEP:
            self._read_sleep(category, lane, reading)
        elif category.key in _LENGTHS or category.key in (STAND_HOUR, SEXUAL_ACTIVITY):
            self._read_samples(category, lane, reading)
        else:
            self._read_records(category, lane, reading)

    def _read_sleep(self, category: Category, lane: Lane, reading: Reading) -> None:
        reading.received[Kind.SLEEP] += len(lane)
        lane, times = self._lanes.times(lane, Kind.SLEEP)
        stages = {word: category.raw_value(word) for word in set(_words(lane))}
        for position, word in enumerate(_words(lane)):
            start, end, raw = times.start[position], times.end[position], stages[word]
            if raw is None:
                fate = Reason.NOT_READ_YET, f"“{word[:80]}” is no word for a stage that we know yet."
            elif not 0 <= end - start <= LONGEST_H * HOUR_US:
                fate = Reason.IMPLAUSIBLE_VALUE, f"The sleep does not last between 0 and {LONGEST_H:g} hours."
            else:
                item = len(reading.sleep)
                reading.sleep.append(
                    Segment(lane.source, STAGES[raw], start, end, times.offset[position], (), item)
                )
                continue
            self._set_aside(Kind.SLEEP, SLEEP, *fate, lane.told(position))

    def _read_samples(self, category: Category, lane: Lane, reading: Reading) -> None:
        reading.received[SAMPLES] += len(lane)
        lane, times = self._lanes.times(lane, SAMPLES)
        if category.key == STAND_HOUR:
            raws = [category.raw_value(word) for word in _words(lane)]
            bad = {position for position, raw in enumerate(raws) if raw is None}
            for position in bad:
                self._set_aside(
                    SAMPLES,
                    lane.type,
                    Reason.NOT_READ_YET,
                    "The value is none that we know.",
                    lane.told(position),
                )
            values: list[float | None] = [float(raw == 0) for raw in raws if raw is not None]
            lane, times = _without(bad, lane, times)
            self._lanes.keep(reading, self._lanes.target_of("apple_stand_hour", "count"), lane, times, values)
            return
        if category.key == SEXUAL_ACTIVITY:
            by_target: dict[str, set[int]] = {}
            for position in range(len(lane)):
                used = lane.extra.get(position, {}).get(PROTECTION)
                name = {"1": "protection_used", "0": "protection_not_used"}.get(str(used), "unspecified")
                by_target.setdefault(f"{SEXUAL_ACTIVITY}_{name}", set()).add(position)
            for key, chosen in by_target.items():
                part, when = _without(set(range(len(lane))) - chosen, lane, times)
                self._lanes.keep(
                    reading, self._lanes.target_of(key, "count"), part, when, [1.0] * len(chosen)
                )
            return
        key, unit = _LENGTHS[category.key]
        target = self._lanes.target_of(key, unit)
        lengths: list[float | None] = [length * target.factor for length in times.duration]
        self._lanes.keep(reading, target, lane, times, lengths)

    def _read_records(self, category: Category, lane: Lane, reading: Reading) -> None:
        kind = kind_of(category)
        reading.received[kind] += len(lane)
        lane, times = self._lanes.times(lane, kind)
        found = reading.records.setdefault(kind, [])
        for position in range(len(lane)):
            try:
                found.append(self._record(kind, category, lane, times, position))
            except Unreadable as fate:
                self._set_aside(kind, lane.type, fate.reason, fate.detail, lane.told(position))

    def _record(self, kind: Kind, category: Category, lane: Lane, times: Times, position: int) -> Record:
        start, end, offset = times.start[position], times.end[position], times.offset[position]
        extra = dict(lane.extra.get(position, {}))
        sent = (lane.value[position] or b"").decode("utf-8", "replace")
        raw = category.raw_value(sent) if sent else None
        word = _word(category, raw) if raw is not None else sent or None
        if kind is Kind.EVENT:
            content = {
                "name": category.display_name,
                "name_key": category.key,
                "value": word,
                "metadata": extra,
            }
            return Record(
                kind,
                natural_identity(category.key, start, end, lane.source),
                category.display_name,
                lane.source,
                start,
                end,
                offset,
                {name: told for name, told in content.items() if told},
                position,
            )
        item: dict[str, Any] = {
            "start": instant(start, offset).isoformat(),
            "end": instant(end, offset).isoformat(),
            "source": lane.source,
        }
        if kind is Kind.HEART_NOTIFICATION:
            item |= {"heartNotification": _NOTIFICATIONS[category.key]}
            threshold = str(extra.pop(THRESHOLD, "")).partition(" ")[0]
            if threshold:
                item["threshold"] = threshold
            return replace(read_heart_notification(item | extra, position, self._context), offset=offset)
        entered = extra.pop(USER_ENTERED, None)
        item |= {"name": category.display_name, "userEntered": True if entered == "1" else None}
        if kind is Kind.SYMPTOM:
            return replace(
                read_symptom(item | {"severity": word} | extra, position, self._context), offset=offset
            )
        item.pop("userEntered")
        begins = extra.pop(CYCLE_START, None)
        item |= {"value": word, "isCycleStart": {"1": True, "0": False}.get(str(begins))}
        return replace(read_cycle_entry(item | extra, position, self._context), offset=offset)


def kind_of(category: Category) -> Kind:
    """Return the kind of record an event is."""
    if category.key in _NOTIFICATIONS:
        return Kind.HEART_NOTIFICATION
    return {"symptom": Kind.SYMPTOM, "reproductive": Kind.CYCLE}.get(category.category, Kind.EVENT)


def _words(lane: Lane) -> list[str]:
    return ["" if sent is None else sent.decode("utf-8", "replace") for sent in lane.value]


def _word(category: Category, raw: int) -> str:
    """Return a value in the words the phone sends it in."""
    return next((label for number, label in category.hae_values if number == raw), category.values[raw])


def _without(bad: set[int], lane: Lane, times: Times) -> tuple[Lane, Times]:
    if not bad:
        return lane, times
    good = [position for position in range(len(lane)) if position not in bad]
    columns: Sequence[list[int]] = (times.start, times.end, times.offset)
    return lane.without(bad), Times(*([column[n] for n in good] for column in columns))
