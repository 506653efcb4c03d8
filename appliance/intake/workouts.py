"""Workouts of both export versions, field by field, told apart by the JSON type of a field and never by version.

A workout is lost only when nobody can say when it was. Any other field that cannot be read stays as it came
under `more`, with a flag. Known faults of the app are mended only where the numbers themselves prove them, and
what was mended stays readable under `more`.

Source: the app's documented JSON format and payloads seen.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from appliance.catalog.names import fold_name
from appliance.catalog.rows import SAME, Conversion
from appliance.domain.quarantine import Reason
from appliance.domain.record import UNKNOWN_TYPE, Kind, Record, Track, natural_identity
from appliance.domain.sample import DAY_S, SECOND_US, normalise_source
from appliance.domain.text import storable, storable_text
from appliance.intake.fields import (
    TEXT_LENGTH,
    RecordContext,
    Unreadable,
    finite_number,
    moment,
    source_field,
)
from appliance.intake.timestamps import BadTimestamp
from appliance.intake.tracks import ROUTE, Channel, Told, read_route, read_series

if TYPE_CHECKING:
    from appliance.catalog.load import Catalogue
    from appliance.catalog.rows import Metric

LONGEST_DURATION_S = 366 * DAY_S  # further than any forgotten timer: a slip, and no length of time
SAME_SHARE = 0.001  # two tellings of one number differ by rounding alone
SWAP_SHARE = 0.03  # a total rounded to whole units against the sum of its parts


class Quantity(NamedTuple):
    """One number of a workout: its name in the content, its unit, and the fields it may come in, best first.

    The unit of a name without one is in this table. `metric` is the catalogue's row whose conversions and limits
    hold; without one, `low` and `high` do (inclusive).
    """

    name: str
    unit: str
    sent: tuple[str, ...]
    metric: str = ""
    low: float = 0.0
    high: float = math.inf


QUANTITIES = (
    Quantity("distance_km", "km", ("distance",), high=5_000),
    Quantity("lap_length_m", "m", ("lapLength",), high=10_000),
    Quantity("active_energy_kcal", "kcal", ("activeEnergyBurned", "activeEnergy"), "active_energy"),
    Quantity("total_energy_kcal", "kcal", ("totalEnergy",), high=40_000),
    Quantity("avg_heart_rate", "count/min", ("avgHeartRate", "heartRate.avg"), "heart_rate"),
    Quantity("max_heart_rate", "count/min", ("maxHeartRate", "heartRate.max"), "heart_rate"),
    Quantity("min_heart_rate", "count/min", ("minHeartRate", "heartRate.min"), "heart_rate"),
    Quantity("avg_speed_km_hr", "km/hr", ("avgSpeed", "speed"), high=2_000),
    Quantity("max_speed_km_hr", "km/hr", ("maxSpeed",), high=2_000),
    Quantity("elevation_up_m", "m", ("elevationUp", "elevation.ascent"), low=-20_000, high=50_000),
    Quantity("elevation_down_m", "m", ("elevationDown", "elevation.descent"), low=-20_000, high=50_000),
    Quantity("temperature_degC", "degC", ("temperature",), "ambient_temperature"),
    Quantity("humidity_percent", "%", ("humidity",), high=100),
    Quantity("intensity", "kcal/hr·kg", ("intensity", "intesity"), "physical_effort"),
    Quantity("step_cadence", "count/min", ("stepCadence",), high=600),
    Quantity("swim_cadence", "count/min", ("swimCadence",), high=600),
    Quantity("step_count", "count", ("stepCount",), "step_count"),
    Quantity("flights_climbed", "count", ("flightsClimbed",), "flights_climbed"),
    Quantity("swim_strokes", "count", ("totalSwimmingStrokeCount",), "swimming_stroke_count"),
)

# What each series is a curve of. Any other list whose name the catalogue knows is read as that metric.
SERIES = {
    "activeEnergy": "active_energy",
    "basalEnergy": "basal_energy_burned",
    "stepCount": "step_count",
    "walkingAndRunningDistance": "walking_running_distance",
    "cyclingDistance": "cycling_distance",
    "cyclingSpeed": "cycling_speed",
    "cyclingPower": "cycling_power",
    "cyclingCadence": "cycling_cadence",
    "swimDistance": "swimming_distance",
    "swimStroke": "swimming_stroke_count",
}
HEART_RATE, HEART_RATE_RECOVERY = "heart_rate", "heart_rate_recovery"
HEART_SERIES = {"heartRateData": HEART_RATE, "heartRateRecovery": HEART_RATE_RECOVERY}
HEART_CHANNELS = (("min", ("Min", "min")), ("value", ("Avg", "avg", "qty")), ("max", ("Max", "max")))

TEXTS = {"name": "name", "location": "location", "strokeStyle": "stroke_style", "salinity": "salinity"}
_READ_AS_IDENTITY = ("id", "start", "source")
_NOT_IN_VERSION_1 = ("id", "duration", "source")
_QUANTITY_FIELDS = {name.partition(".")[0] for quantity in QUANTITIES for name in quantity.sent}
_SPEEDS = {"avgSpeed", "maxSpeed", "speed"}

ConversionOf = Callable[[str], Conversion | None]


def read_workout(item: dict[str, Any], position: int, context: RecordContext) -> Record:
    """Read one workout. Raises `Unreadable` without a readable start, or when the end lies before it."""
    return _Workout(item, context).read(position)


@dataclass(slots=True)
class _Workout:
    """One workout while it is being read; `left` are the sent fields that nothing has taken yet."""

    item: dict[str, Any]
    context: RecordContext
    left: dict[str, Any] = field(init=False)
    content: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    series: dict[str, Told] = field(default_factory=dict)
    unreadable: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.left = {
            name: sent for name, sent in self.item.items() if sent is not None and sent not in ({}, [], "")
        }

    def read(self, position: int) -> Record:
        start, offset = moment(self.item, "start", self.context.timestamps)
        if self.item.keys().isdisjoint(_NOT_IN_VERSION_1):
            self.flags.add("version_1")
        for name in _READ_AS_IDENTITY:
            self.left.pop(name, None)
        self._read_words()
        end = self._read_times(start)
        self._read_lists()
        for quantity in QUANTITIES:
            self._read_quantity(quantity)
        self._mend_energy()
        self._mend_heart_rate(end)
        tracks = tuple(told.track for told in self.series.values() if told.track is not None)
        self._gather_the_rest()
        name = self.content.get("name", "")
        known = self.context.catalogue.workout_type(name)
        natural = natural_identity(fold_name(name) or name, start, end)
        return Record(
            kind=Kind.WORKOUT,
            identity=_phone_id(self.item.get("id")) or natural,
            label=known.key if known else UNKNOWN_TYPE,
            source=self._source(),
            start=start,
            end=end,
            offset=offset,
            content=self.content,
            item=position,
            flags=tuple(sorted(self.flags)),
            tracks=tuple(sorted(tracks, key=lambda track: track.name)),
            natural=natural,
        )

    def _read_words(self) -> None:
        for sent, name in TEXTS.items():
            if isinstance(self.left.get(sent), str):
                told = storable_text(self.left[sent]).strip()
                if told:
                    self.content[name] = told[:TEXT_LENGTH]
                if len(told) <= TEXT_LENGTH:
                    del self.left[sent]
        if isinstance(self.left.get("isIndoor"), bool):
            self.content["is_indoor"] = self.left.pop("isIndoor")
        self._read_score()

    def _read_score(self) -> None:
        sent = self.left.pop("swolfScore", None)
        try:
            score = finite_number(sent.get("qty") if isinstance(sent, dict) else sent)
        except Unreadable:
            self._set_aside("swolfScore", sent, "unreadable")
        else:
            if score is not None:
                self.content["swolf"] = score

    def _read_times(self, start: int) -> int | None:
        """Return the end in µs since 1970 UTC; where it is missing, it follows from the duration if that is told."""
        duration = self._read_duration()
        sent = self.left.pop("end", None)
        end = None
        try:
            end, _ = self.context.timestamps.read(sent)
        except BadTimestamp:
            if sent is not None:
                self._set_aside("end", sent, "unreadable")
            if duration is not None:
                # Pauses are not counted in it, so the true end is this or later.
                end = start + round(duration * SECOND_US)
            self.flags.add("end_missing" if end is None else "end_derived")
        if end is not None and end < start:
            raise Unreadable(Reason.IMPLAUSIBLE_VALUE, "The workout ends before it starts.")
        span = 0.0 if end is None else (end - start) / SECOND_US
        if max(span, duration or 0.0) > DAY_S:
            self.flags.add("very_long")
        return end

    def _read_duration(self) -> float | None:
        sent = self.left.pop("duration", None)
        quantity = sent if isinstance(sent, dict) else {"qty": sent, "units": "s"}
        try:
            conversion = self.context.catalogue.conversion(_unit(quantity), "s")
            if conversion is None:
                self._set_aside("duration", sent, "unknown_unit")
                return None
            number = finite_number(quantity.get("qty"))
        except Unreadable:
            self._set_aside("duration", sent, "unreadable")
            return None
        if number is None:
            return None
        duration = conversion.apply(number)
        if not 0 <= duration <= LONGEST_DURATION_S:
            self._set_aside("duration", sent, "implausible")
            return None
        self.content["duration_s"] = duration
        return duration

    def _read_quantity(self, quantity: Quantity) -> None:
        for name in quantity.sent:
            sent = self._take(name)
            if sent is None:
                continue
            number = self._number(quantity, name, sent)
            if number is None:
                continue
            told = self.content.setdefault(quantity.name, number)
            if not math.isclose(told, number, rel_tol=SAME_SHARE):
                self.more[name] = storable(sent)

    def _take(self, name: str) -> Any:
        """Take a field, or for “outer.inner” the part of an object, whose unit may stand in the object itself."""
        outer, _, inner = name.partition(".")
        if not inner:
            return None if isinstance(self.left.get(name), list) else self.left.pop(name, None)
        whole = self.left.get(outer)
        if not isinstance(whole, dict) or inner not in whole:
            return None
        self.left[outer] = rest = {key: part for key, part in whole.items() if key != inner}
        if not rest.keys() - {"units"}:
            del self.left[outer]
        part = whole[inner]
        if isinstance(part, dict) or part is None:
            return part or None
        return {"qty": part, "units": whole.get("units")}

    def _number(self, quantity: Quantity, name: str, sent: Any) -> float | None:
        """Return a quantity in its unit; None, with a flag and the field kept, when it cannot be read."""
        told = sent if isinstance(sent, dict) else {"qty": sent}
        unit = _unit(told)
        try:
            number = finite_number(told.get("qty"))
        except Unreadable:
            self._set_aside(name, sent, "unreadable")
            return None
        if number is None:
            return None
        conversion = self._conversion(quantity)(unit)
        if name in _SPEEDS and unit.strip() == "km":
            self.flags.add("speed_unit_km")
            conversion = SAME
        if conversion is None:
            self._set_aside(name, sent, "unknown_unit")
            return None
        number = conversion.apply(number)
        low, high = quantity.low, quantity.high
        if quantity.metric:
            metric = self.context.catalogue.metrics[quantity.metric]
            low, high = metric.plausible_min, metric.plausible_max
        if not low <= number <= high:
            self._set_aside(name, sent, "implausible")
            return None
        return number

    def _conversion(self, quantity: Quantity) -> ConversionOf:
        catalogue = self.context.catalogue
        if quantity.unit == "count":
            return lambda unit: _counted(catalogue, unit)
        if quantity.metric:
            return catalogue.metrics[quantity.metric].conversion
        return lambda unit: catalogue.conversion(unit, quantity.unit)

    def _set_aside(self, name: str, sent: Any, why: str) -> None:
        self.more[name] = storable(sent)
        self.flags.add(f"{why}:{name}")

    def _read_lists(self) -> None:
        lists = [name for name, sent in self.left.items() if isinstance(sent, list)]
        for name in sorted(lists, key=lambda name: (name not in SERIES, name)):
            if name == ROUTE:
                self._keep_track(name, ROUTE, read_route(self.left[name], self.context.timestamps))
            elif name in HEART_SERIES:
                self._read_heart_series(name, HEART_SERIES[name])
            else:
                self._read_metric_series(name)

    def _read_metric_series(self, name: str) -> None:
        catalogue = self.context.catalogue
        points = self.left[name]
        metric = self._metric_of(name)
        if metric is None or metric.key in self.series or dict not in map(type, points):
            return
        counted = metric.unit == "count"
        channel = Channel("value", ("qty", "Avg"), metric.plausible_min, metric.plausible_max)
        told = read_series(
            metric.key,
            metric.unit,
            (channel,),
            points,
            self.context.timestamps,
            (lambda unit: _counted(catalogue, unit)) if counted else metric.conversion,
        )
        self._keep_track(name, metric.key, told)

    def _metric_of(self, name: str) -> Metric | None:
        catalogue = self.context.catalogue
        if name in SERIES:
            return catalogue.metrics[SERIES[name]]
        return None if name in _QUANTITY_FIELDS else catalogue.metric(name)

    def _read_heart_series(self, name: str, track: str) -> None:
        metric = self.context.catalogue.metrics["heart_rate"]
        channels = [
            Channel(channel, spellings, metric.plausible_min, metric.plausible_max)
            for channel, spellings in HEART_CHANNELS
        ]
        # Version 1 names the beats of a minute “count”.
        told = read_series(
            track,
            metric.unit,
            channels,
            self.left[name],
            self.context.timestamps,
            lambda unit: SAME if unit == "count" else metric.conversion(unit),
        )
        self._keep_track(name, track, told)

    def _keep_track(self, name: str, track: str, told: Told) -> None:
        """Take what a list gave; one without a readable point stays as it came."""
        self.series[track] = told
        if told.unknown_unit:
            self.flags.add(f"unknown_unit:{track}")
        if told.unreadable:
            self.unreadable[track] = told.unreadable
        if told.track is None:
            self.more[storable_text(name)] = storable(self.left[name])  # a known name may be oddly spelt
        del self.left[name]

    def _mend_energy(self) -> None:
        """Undo swapped energy labels: the total says kJ and its parts say kcal, and only the other way round they agree.

        Seen in payloads of late 2025: 43 “kJ” burned, and a series that adds up to 180 “kcal”.
        """
        total = _Labelled.of_total(self.item.get("activeEnergyBurned"), self.context.catalogue)
        parts = _Labelled.of_series(self.series.get("active_energy"), self.context.catalogue)
        if total is None or parts is None or not total.is_swapped_with(parts):
            return
        self.flags.add("energy_label_swapped")
        self.content["active_energy_kcal"] = total.qty * parts.factor
        self.more["activeEnergyBurned"] = storable(self.item["activeEnergyBurned"])
        self.more["activeEnergy"] = {"units": parts.unit}
        self._rescale("active_energy", total.factor / parts.factor)
        self._mend_other_energy(total, parts)

    def _mend_other_energy(self, burned: _Labelled, active: _Labelled) -> None:
        """Mend total and resting energy by the same proof; unproven, they are kept as they came and not believed."""
        whole = _Labelled.of_total(self.item.get("totalEnergy"), self.context.catalogue)
        basal = _Labelled.of_series(self.series.get("basal_energy_burned"), self.context.catalogue)
        if basal is not None:
            both = _Labelled(active.qty + basal.qty, active.unit, active.factor)
            if whole is not None and basal.factor == active.factor and whole.is_swapped_with(both):
                self.content["total_energy_kcal"] = whole.qty * active.factor
                self._rescale("basal_energy_burned", burned.factor / active.factor)
                self.more["basalEnergy"] = {"units": basal.unit}
            else:
                del self.series["basal_energy_burned"]
                self.content.pop("total_energy_kcal", None)
                self.more["basalEnergy"] = storable(self.item["basalEnergy"])
        else:
            self.content.pop("total_energy_kcal", None)
        if whole is not None:
            self.more["totalEnergy"] = storable(self.item["totalEnergy"])

    def _rescale(self, name: str, factor: float) -> None:
        told = self.series[name]
        if told.track is not None:
            value = [None if number is None else number * factor for number in told.track.channels["value"]]
            track = Track(name, told.track.at, {"value": value}, told.track.units)
            self.series[name] = Told(track, told.unreadable, told.units, told.unknown_unit, told.sources)

    def _mend_heart_rate(self, end: int | None) -> None:
        """Call a heart rate that only begins when the workout is over what it is: the recovery.

        Average and maximum of such a workout were made of it too and are not believed.
        """
        told = self.series.get(HEART_RATE)
        if end is None or told is None or told.track is None or HEART_RATE_RECOVERY in self.series:
            return
        channels = told.track.channels
        value = channels.get("value")
        if told.track.at[0] < end or any(column != value for column in channels.values()):
            return
        self.flags.add("heart_rate_is_recovery")
        del self.series[HEART_RATE]
        track = Track(HEART_RATE_RECOVERY, told.track.at, channels, told.track.units)
        self.series[HEART_RATE_RECOVERY] = Told(
            track, told.unreadable, told.units, told.unknown_unit, told.sources
        )
        if HEART_RATE in self.unreadable:
            self.unreadable[HEART_RATE_RECOVERY] = self.unreadable.pop(HEART_RATE)
        for name in ("avg_heart_rate", "max_heart_rate", "min_heart_rate"):
            self.content.pop(name, None)
        for name in ("avgHeartRate", "maxHeartRate", "minHeartRate", "heartRate"):
            if self.item.get(name):
                self.more[name] = storable(self.item[name])

    def _gather_the_rest(self) -> None:
        for name, sent in self.left.items():
            self.more.setdefault(storable_text(name), storable(sent))
        if self.unreadable:
            self.content["points_unreadable"] = self.unreadable
        if self.more:
            self.content["more"] = self.more

    def _source(self) -> str:
        """Return the devices that the workout, or else its series, name."""
        own = source_field(self.item)
        return own or normalise_source(
            "|".join(sorted({part for told in self.series.values() for part in told.sources}))
        )


class _Labelled(NamedTuple):
    """An amount of energy as sent, and how its label becomes kcal."""

    qty: float
    unit: str
    factor: float

    @classmethod
    def of_total(cls, sent: Any, catalogue: Catalogue) -> _Labelled | None:
        if not isinstance(sent, dict):
            return None
        try:
            qty = finite_number(sent.get("qty"))
        except Unreadable:
            return None
        return cls._of(qty, _unit(sent), catalogue)

    @classmethod
    def of_series(cls, told: Told | None, catalogue: Catalogue) -> _Labelled | None:
        if told is None or told.track is None or len(told.units) != 1:
            return None
        (unit,) = told.units
        conversion = catalogue.conversion(unit, "kcal")
        kcal = math.fsum(number or 0.0 for number in told.track.channels["value"])
        return None if conversion is None else cls._of(kcal / conversion.factor, unit, catalogue)

    @classmethod
    def _of(cls, qty: float | None, unit: str, catalogue: Catalogue) -> _Labelled | None:
        conversion = catalogue.conversion(unit, "kcal")
        return None if qty is None or qty <= 0 or conversion is None else cls(qty, unit, conversion.factor)

    def is_swapped_with(self, parts: _Labelled) -> bool:
        """Whether whole and parts agree only when each has the other's label."""
        return self.factor != parts.factor and math.isclose(
            self.qty * parts.factor, parts.qty * self.factor, rel_tol=SWAP_SHARE
        )


def _phone_id(sent: Any) -> str:
    """Return HealthKit's identifier as it always writes it, other identifiers as sent; empty without one."""
    if not isinstance(sent, str) or not sent.strip():
        return ""
    told = storable_text(sent).strip()
    try:
        return str(uuid.UUID(told)).upper()
    except ValueError:
        return natural_identity(told)


def _unit(quantity: Mapping[str, Any]) -> str:
    unit = quantity.get("units")
    return unit if isinstance(unit, str) else ""


def _counted(catalogue: Catalogue, unit: str) -> Conversion | None:
    """Return the conversion of a field that can only be a count, such as steps: its unit may be a word of any language.

    None for what the catalogue knows as a unit of something else.
    """
    known = catalogue.conversion(unit, "count")
    if known is None and not any(catalogue.conversion(unit, other) for other in catalogue.units.general):
        return SAME
    return known
