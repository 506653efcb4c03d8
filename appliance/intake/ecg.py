"""ECGs: `data.ecg[]`.

    {"start": …, "end": …, "classification": "Sinus Rhythm", "averageHeartRate": 62, "samplingFrequency": 512,
     "numberOfVoltageMeasurements": 15379, "source": "Anna's Apple Watch",
     "voltageMeasurements": [{"date": 1786098303.5, "voltage": 31.25, "units": "mcV"}, …]}

There is no id: start and source tell two recordings apart. The classification comes in the phone's language. The dates
of the voltages are floats (documented: texts with milliseconds). Source: HAE's documentation and captured uploads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import le
from typing import TYPE_CHECKING, Any

from appliance.domain.localday import instant
from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind, Record, Track, natural_identity
from appliance.domain.sample import SECOND_US
from appliance.intake.epochs import Frame, read_dates
from appliance.intake.fields import RecordContext, Unreadable, finite_number
from appliance.intake.sent import Object, Sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.catalog.load import Catalogue

VOLTAGE = "voltage"
VOLTAGE_UNIT = "mcV"

# The recording's own start is cut to whole seconds, and its samples may begin a little before or end a little after.
_SLACK_US = 60 * SECOND_US
_MILLISECOND_US = 1_000


@dataclass(frozen=True, slots=True)
class _Timing:
    """When the samples were taken: evenly from `start` on with `frequency` (Hz), or one by one `at`; µs since 1970."""

    start: int
    frequency: float | None
    at: Sequence[int] = ()


def read_ecg(item: Object, position: int, context: RecordContext) -> Record:
    """Read one ECG. Raises `Unreadable`."""
    sent = Sent(item, Kind.ECG, context)
    start, offset = sent.moment("start")
    end = sent.end(start)
    source = sent.source()
    told = sent.word("classification", "classification")
    measurements = sent.objects("voltageMeasurements")
    voltages = _voltages(measurements, context.catalogue)
    timing, voltages = _timed(sent, measurements, voltages, Frame(start, max(start, end or start)), context)
    content: Object = {
        **told,
        "severity": sent.text("severity"),
        "average_heart_rate": _heart_rate(sent, context.catalogue),
        "symptoms": sent.raw("symptoms"),
        "sampling_frequency": timing.frequency,
        "voltage_start": instant(timing.start, offset).isoformat() if voltages else None,
        "voltage_count": len(voltages),
        "voltage_count_told": _count_told(sent, len(voltages)),
    }
    if not voltages:
        sent.flags.append("no_voltages")
    tracks = (
        (Track(VOLTAGE, list(timing.at), {VOLTAGE: voltages}, {VOLTAGE: VOLTAGE_UNIT}),) if voltages else ()
    )
    return Record(
        kind=Kind.ECG,
        identity=natural_identity(start, source),
        label=told["classification"] or "",
        source=source,
        start=start,
        end=end,
        offset=offset,
        content=sent.content(content),
        item=position,
        flags=tuple(sent.flags),
        tracks=tracks,
        natural=natural_identity(start, ""),  # as the files of an export tell it, without a source
    )


def _voltages(measurements: Sequence[Object], catalogue: Catalogue) -> list[float | None]:
    """Return the voltages in mcV, None where none was sent. Raises `Unreadable`."""
    voltages: list[Any] = [each.get("voltage") for each in measurements]
    numbers: list[float | None]
    if set(map(type, voltages)) <= {float, int} and all(map(_is_finite, voltages)):
        numbers = [float(voltage) for voltage in voltages]
    else:
        numbers = [finite_number(voltage) for voltage in voltages]
    units: list[Any] = [each.get("units") for each in measurements]
    told = [unit for unit, number in zip(units, numbers, strict=True) if number is not None]
    if set(map(type, told)) - {str}:
        raise Unreadable(Reason.UNKNOWN_UNIT, "A voltage has no unit.")
    factors = {unit: _factor(unit, catalogue) for unit in set(told)}
    if set(factors.values()) <= {1.0}:
        return numbers
    pairs = zip(numbers, units, strict=True)
    return [None if number is None else finite_number(number * factors[unit]) for number, unit in pairs]


def _factor(unit: str, catalogue: Catalogue) -> float:
    conversion = catalogue.conversion(unit, VOLTAGE_UNIT)
    if conversion is None:
        raise Unreadable(Reason.UNKNOWN_UNIT, f"“{unit[:40]}” is not known as a unit of voltage.")
    return conversion.factor


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _timed(
    sent: Sent,
    measurements: Sequence[Object],
    voltages: list[float | None],
    recorded: Frame,
    context: RecordContext,
) -> tuple[_Timing, list[float | None]]:
    """Return when the voltages were taken, and the voltages in that order."""
    frequency = _frequency(sent)
    length = round(len(voltages) / frequency * SECOND_US) if frequency else 0
    frame = Frame(recorded.begin - _SLACK_US, max(recorded.end, recorded.begin + length) + _SLACK_US)
    at = read_dates([each.get("date") for each in measurements], frame, context.timestamps)
    if at is None:
        if voltages:
            sent.flags.append("voltage_times_unclear")
        return _Timing(recorded.begin, frequency), voltages
    if not all(map(le, at, at[1:])):
        order = sorted(range(len(at)), key=at.__getitem__)
        at, voltages = [at[n] for n in order], [voltages[n] for n in order]
    if frequency is None and at[-1] > at[0]:
        sent.flags.append("sampling_frequency_derived")
        frequency = round((len(at) - 1) * SECOND_US / (at[-1] - at[0]), 3)
    if _is_even(at, frequency):
        return _Timing(at[0], frequency), voltages
    sent.flags.append("voltage_times_uneven")
    return _Timing(at[0], frequency, at), voltages


def _frequency(sent: Sent) -> float | None:
    frequency = sent.number("samplingFrequency")
    # A wrong one does no harm where dates tell the truth.
    if frequency is not None and not 1 <= frequency <= 100_000:
        sent.flags.append("implausible_sampling_frequency")
        sent.keep("samplingFrequency", frequency)
        return None
    return frequency


def _is_even(at: Sequence[int], frequency: float | None) -> bool:
    """Whether each instant is where the frequency puts it, to half a sample or the millisecond dates are cut to."""
    if not frequency:
        return False
    period, first = SECOND_US / frequency, at[0]
    slack = max(period / 2, _MILLISECOND_US)
    return all(abs(each - first - n * period) <= slack for n, each in enumerate(at))


def _heart_rate(sent: Sent, catalogue: Catalogue) -> float | None:
    rate = sent.number("averageHeartRate")
    limits = catalogue.metrics["heart_rate"]
    if rate is not None and not limits.plausible_min <= rate <= limits.plausible_max:
        sent.flags.append("implausible_heart_rate")
    return rate


def _count_told(sent: Sent, count: int) -> float | None:
    told = sent.number("numberOfVoltageMeasurements")
    if told is None or told == count:
        return None
    sent.flags.append("voltage_count_differs")
    return told
