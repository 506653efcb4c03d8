"""Heart-rate notifications: `data.heartRateNotifications[]`.

As real uploads have it:

    {"heartNotification": "low_heart_rate_notification", "threshold": 45, "start": …, "end": …, "source": {"name": …},
     "heartRateData": [{"hr": 41, "units": "bpm", "timestamp": {"start": 1786098303.0, "end": 1786098303.0,
                        "interval": {"duration": 0, "units": "s"}}}], "heartRateVariation": [{"hrv": …, "units": "ms", …}]}

As documented: `heartRate` for `heartRateData`, inner dates as texts, a source as text and no `heartNotification`. Rates
are in beats a minute. There is no id. What a reading is made of was never seen in whole, so a shape we do not know is
kept as it came instead of losing the notification.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind, Record, Track, natural_identity
from appliance.domain.sample import SECOND_US
from appliance.intake.epochs import Frame, read_dates
from appliance.intake.fields import RecordContext, Unreadable, finite_number
from appliance.intake.sent import Object, Sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.catalog.load import Catalogue

# Readings lead up to the notification and may lie outside of what it calls its time.
_SLACK_US = 3_600 * SECOND_US


def read_heart_notification(item: Object, position: int, context: RecordContext) -> Record:
    """Read one notification. Raises `Unreadable`."""
    sent = Sent(item, Kind.HEART_NOTIFICATION, context)
    start, offset = sent.moment("start")
    end = sent.end(start)
    source = sent.source()
    threshold = sent.number("threshold")
    last = start if end is None else max(start, end)
    readings = _Readings(sent, context, Frame(start - _SLACK_US, last + _SLACK_US))
    rate = readings.track(("heartRateData", "heartRate"), "hr", "heart_rate")
    variability = readings.track(
        ("heartRateVariation", "heartRateVariationData"), "hrv", "heart_rate_variability"
    )
    notification = sent.text("heartNotification")
    told = _kind(sent, notification, threshold, rate)
    return Record(
        kind=Kind.HEART_NOTIFICATION,
        identity=natural_identity(start, source, sent.identity("heartNotification")),
        label=told.get("kind") or notification or "",
        source=source,
        start=start,
        end=end,
        offset=offset,
        content=sent.content({"notification": notification, **told, "threshold": threshold}),
        item=position,
        flags=tuple(sent.flags),
        tracks=tuple(track for track in (rate, variability) if track is not None),
    )


def _kind(sent: Sent, notification: str | None, threshold: float | None, rate: Track | None) -> Object:
    """Return whether it was about a high, low or irregular rate: told, or derived from threshold and readings."""
    if notification is not None:
        return {"kind": sent.key("notification", notification)}
    if threshold is None:
        kind = "irregular"  # the only one without a threshold
    else:
        rates = [value for value in rate.channels["heart_rate"] if value is not None] if rate else []
        if not rates:
            return {}
        kind = "low" if fmean(rates) < threshold else "high"
    sent.flags.append("kind_derived")
    return {"kind": kind, "kind_derived": True}


class _Readings:
    """The lists of readings of one notification."""

    def __init__(self, sent: Sent, context: RecordContext, frame: Frame) -> None:
        self._sent = sent
        self._context = context
        self._frame = frame

    def track(self, names: Sequence[str], value_field: str, metric: str) -> Track | None:
        """Return the readings of the first list that has any, in the metric's unit. Raises `Unreadable`."""
        for name in names:
            if readings := self._sent.objects(name):
                return self._read(name, readings, value_field, metric)
        return None

    def _read(self, name: str, readings: Sequence[Object], value_field: str, metric: str) -> Track | None:
        if not all(isinstance(each.get("units"), str) and value_field in each for each in readings):
            self._flag("readings_not_read")
            self._sent.keep(name, readings)
            return None
        values = [
            _converted(each[value_field], each["units"], metric, self._context.catalogue) for each in readings
        ]
        times = [_timestamp(each) for each in readings]
        at = read_dates([time.get("start") for time in times], self._frame, self._context.timestamps)
        if at is None:
            self._flag("reading_times_unclear")
            self._sent.keep(name, [_without(each, value_field, "units") for each in readings])
        else:
            self._keep_the_rest(name, readings, value_field)
        limits = self._context.catalogue.metrics[metric]
        if any(
            value is not None and not limits.plausible_min <= value <= limits.plausible_max
            for value in values
        ):
            self._flag(f"implausible_{metric}")
        channels = {
            metric: values,
            "duration": [_seconds(time.get("interval"), self._context) for time in times],
        }
        units = {metric: limits.unit, "duration": "s"}
        if not any(channels["duration"]):
            del channels["duration"], units["duration"]
        if at is None:
            return Track(metric, [], channels, units)
        order = sorted(range(len(at)), key=at.__getitem__)
        return Track(
            metric,
            [at[n] for n in order],
            {channel: [column[n] for n in order] for channel, column in channels.items()},
            units,
        )

    def _keep_the_rest(self, name: str, readings: Sequence[Object], value_field: str) -> None:
        rest = [_without(each, value_field, "units", "timestamp") for each in readings]
        if any(rest):
            self._sent.keep(name, rest)

    def _flag(self, flag: str) -> None:
        if flag not in self._sent.flags:
            self._sent.flags.append(flag)


def _converted(sent: Any, unit: str, metric: str, catalogue: Catalogue) -> float | None:
    conversion = catalogue.metrics[metric].conversion(unit)
    if conversion is None:
        raise Unreadable(Reason.UNKNOWN_UNIT, f"“{unit[:40]}” is not known as a unit of a reading.")
    number = finite_number(sent)
    return None if number is None else finite_number(conversion.apply(number))


def _timestamp(reading: Object) -> Object:
    """Return a reading's start, end and interval; a bare date is its start."""
    sent = reading.get("timestamp")
    return sent if isinstance(sent, dict) else {"start": sent}


def _seconds(interval: Any, context: RecordContext) -> float | None:
    if not isinstance(interval, dict) or interval.get("duration") is None:
        return None
    unit = interval.get("units", "s")
    conversion = context.catalogue.conversion(unit, "s") if isinstance(unit, str) else None
    duration = finite_number(interval["duration"])
    if conversion is None or duration is None:
        raise Unreadable(Reason.UNKNOWN_UNIT, "The length of a reading has an unknown unit.")
    return finite_number(conversion.apply(duration))


def _without(reading: Object, *names: str) -> Object:
    return {name: sent for name, sent in reading.items() if name not in names}
