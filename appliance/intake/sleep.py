"""Points of `sleep_analysis`: nights summed by the phone, in the shapes of three generations, and single stages.

Summed, in the entry's unit (normally hr): `date`, `sleepStart`, `sleepEnd`, `asleep`, `inBed`; since 2023 also `core`,
`deep`, `rem` and `awake`; today also `totalSleep`, `inBedStart` and `inBedEnd`. The first generation names its
sources `sleepSource` and `inBedSource`. Single stages: `startDate`, `endDate` (or `start`, `end`), `value` and a
length `qty`, which is not needed. Field names are taken in any case. Every field may be missing or null.

Source of the shapes: the app's documented JSON format and payloads seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from appliance.catalog.load import Catalogue
from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind
from appliance.domain.sample import HOUR_US, local_day
from appliance.domain.sleep import (
    LENGTH_DISAGREES,
    LONGEST_H,
    NO_TIMES,
    Hours,
    Segment,
    Session,
    SleepStage,
    flags_of,
)
from appliance.domain.text import storable_text
from appliance.intake.fields import Unreadable, finite_number, moment, source_field
from appliance.intake.reading import Reading
from appliance.intake.timestamps import Timestamps

SLEEP = "sleep_analysis"
WORD_LENGTH = 60
MINUTE_H = 1 / 60

# How the phone names the hours of a summed night.
FIELDS = {
    "total": "totalSleep",
    "asleep": "asleep",
    "core": "core",
    "deep": "deep",
    "rem": "rem",
    "awake": "awake",
    "in_bed": "inBed",
}
_TIMES = ("sleepStart", "sleepEnd", "inBedStart", "inBedEnd")
_OF_A_SESSION = {name.casefold() for name in (*FIELDS.values(), *_TIMES)}

# HealthKit's numbers (HKCategoryValueSleepAnalysis), which the catalogue has the words for.
STAGES = {
    0: SleepStage.IN_BED,
    1: SleepStage.ASLEEP,
    2: SleepStage.AWAKE,
    3: SleepStage.CORE,
    4: SleepStage.DEEP,
    5: SleepStage.REM,
}

Moment = tuple[int, int]


def is_sleep(name: Any, catalogue: Catalogue) -> bool:
    """Whether an entry of the metrics is about sleep, by any name the catalogue knows it by."""
    category = catalogue.category(name) if isinstance(name, str) else None
    return category is not None and category.key == SLEEP


class SleepReader:
    """Reads the points of sleep entries into a `Reading`."""

    def __init__(self, reading: Reading, catalogue: Catalogue, timestamps: Timestamps) -> None:
        self._reading = reading
        self._catalogue = catalogue
        self._timestamps = timestamps

    def read(self, points: Sequence[Any], unit: Any, path: str) -> None:
        """Read the points of one entry; what cannot be read is quarantined, nothing is raised."""
        for position, point in enumerate(points):
            item = self._reading.received[Kind.SLEEP]
            self._reading.received[Kind.SLEEP] += 1
            try:
                self._reading.sleep.append(
                    self._read_point(point, unit if isinstance(unit, str) else "", item)
                )
            except Unreadable as fate:
                self._reading.set_aside(
                    Kind.SLEEP, SLEEP, f"{path}.data[{position}]", fate.reason, fate.detail, point
                )

    def _read_point(self, point: Any, unit: str, item: int) -> Session | Segment:
        if not isinstance(point, dict):
            raise Unreadable(Reason.WRONG_SHAPE, "A point is not an object.")
        told = {
            str(name).casefold(): value for name, value in point.items() if value is not None and value != ""
        }
        is_summed = not told.keys().isdisjoint(_OF_A_SESSION)
        if "value" in told and (not is_summed or not told.keys().isdisjoint({"startdate", "start"})):
            return self._segment(told, unit, item)
        if is_summed:
            return self._session(told, unit, item)
        if not told.keys().isdisjoint({"startdate", "start", "qty"}):
            raise Unreadable(Reason.MISSING_VALUE, "The stage has no “value” that says which it is.")
        raise Unreadable(Reason.WRONG_SHAPE, "The point is neither a night nor a stage.")

    def _segment(self, told: dict[str, Any], unit: str, item: int) -> Segment:
        start, _ = moment(told, "startdate" if "startdate" in told else "start", self._timestamps)
        end, offset = moment(told, "enddate" if "enddate" in told else "end", self._timestamps)
        _check_span(start, end)
        stage = self._stage(told["value"])
        agrees = self._length_agrees(told.get("qty"), unit, (end - start) / HOUR_US)
        return Segment(
            source_field(told), stage, start, end, offset, () if agrees else (LENGTH_DISAGREES,), item
        )

    def _stage(self, word: Any) -> SleepStage:
        if isinstance(word, bool) or not isinstance(word, str | int):
            raise Unreadable(Reason.WRONG_SHAPE, "“value” is not a text.")
        word = storable_text(str(word), WORD_LENGTH)
        raw = self._catalogue.categories[SLEEP].raw_value(word)
        if raw is not None:
            return STAGES[raw]
        key = self._catalogue.words.key(Kind.SLEEP, "stage", word)
        if key is None:
            raise Unreadable(Reason.NOT_READ_YET, f"“{word}” is no word for a stage that we know yet.")
        return SleepStage(key)

    def _length_agrees(self, qty: Any, unit: str, hours: float) -> bool:
        conversion = self._catalogue.metrics["sleep_total"].conversion(unit)
        if qty is None or conversion is None:
            return True
        try:
            number = finite_number(qty)
        except Unreadable:
            return False
        return number is not None and abs(conversion.apply(number) - hours) <= MINUTE_H

    def _session(self, told: dict[str, Any], unit: str, item: int) -> Session:
        times = {
            name: moment(told, name.casefold(), self._timestamps) if name.casefold() in told else None
            for name in _TIMES
        }
        fell_asleep, woke, lay_down, got_up = times.values()
        for begin, end in ((fell_asleep, woke), (lay_down, got_up)):
            if begin and end:
                _check_span(begin[0], end[0])
        instants = [at[0] for at in times.values() if at]
        _check_span(min(instants, default=0), max(instants, default=0))
        day, offset = _last_known(woke, got_up) or moment(told, "date", self._timestamps)
        begun = fell_asleep or lay_down
        generation = _generation(told)
        hours = self._hours(told, unit, generation)
        session = Session(
            source=_source(told),
            night=local_day(day, offset),
            offset=offset,
            hours=hours,
            sleep_start=fell_asleep and fell_asleep[0],
            sleep_end=woke and woke[0],
            in_bed_start=lay_down and lay_down[0],
            in_bed_end=got_up and got_up[0],
            start_offset=begun[1] if begun else offset,
            generation=generation,
            flags=flags_of(hours),
            item=item,
        )
        return session if session.window else replace(session, flags=(*session.flags, NO_TIMES))

    def _hours(self, told: Mapping[str, Any], unit: str, generation: int) -> Hours:
        metrics = self._catalogue.compound(SLEEP) or {}
        sent: dict[str, float | None] = {}
        for name, field in FIELDS.items():
            number = finite_number(told.get(field.casefold()))
            if number is not None:
                conversion = metrics[field].conversion(unit)
                if conversion is None:
                    raise Unreadable(Reason.UNKNOWN_UNIT, f"Sleep does not come in the unit “{unit[:40]}”.")
                number = _plausible(conversion.apply(number), field)
            sent[name] = number
        if all(number is None for number in sent.values()):
            raise Unreadable(Reason.MISSING_VALUE, "The night has no hours of anything.")
        return _with_total(Hours(**sent), generation)


def _with_total(hours: Hours, generation: int) -> Hours:
    """Return the hours with their total: what was sent, else the sum of what is sleep.

    A total of 0 beside sleep without stages comes from devices that know none. Before `totalSleep`, some versions
    sent as `asleep` the sum of the stages beside it; that sleep must not count twice.
    """
    parts = dict(hours.as_dict())
    asleep = hours.asleep or 0.0
    if not hours.total:
        if generation < 3 and hours.staged and abs(asleep - hours.staged) <= MINUTE_H:
            parts["asleep"], asleep = None, 0.0
        known = [
            part
            for part in (hours.core, hours.deep, hours.rem, hours.asleep, hours.total)
            if part is not None
        ]
        parts["total"] = _plausible(hours.staged + asleep, "totalSleep") if known else None
    return Hours(**parts)


def _plausible(hours: float, field: str) -> float:
    if not 0 <= hours <= LONGEST_H:
        raise Unreadable(
            Reason.IMPLAUSIBLE_VALUE, f"“{field}” is outside 0 to {LONGEST_H:g} hours, which is surely wrong."
        )
    return hours


def _check_span(start: int, end: int) -> None:
    if end < start:
        raise Unreadable(Reason.IMPLAUSIBLE_VALUE, "The sleep ends before it begins.")
    if end - start > LONGEST_H * HOUR_US:
        raise Unreadable(
            Reason.IMPLAUSIBLE_VALUE,
            f"The sleep lasts longer than {LONGEST_H:g} hours, which is surely wrong.",
        )


def _last_known(*moments: Moment | None) -> Moment | None:
    return next((at for at in moments if at is not None), None)


def _source(told: dict[str, Any]) -> str:
    return source_field(
        told, next((name for name in ("source", "sleepsource", "inbedsource") if name in told), "source")
    )


def _generation(told: Mapping[str, Any]) -> int:
    if "totalsleep" in told:
        return 3
    if (
        "sleepsource" in told
        or "inbedsource" in told
        or told.keys().isdisjoint({"core", "deep", "rem", "awake"})
    ):
        return 1
    return 3 if "inbedstart" in told else 2
