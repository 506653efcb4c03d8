"""Single fields of untrusted objects: numbers, texts, dates and quantities with their unit."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from appliance.catalog.load import Catalogue
from appliance.catalog.rows import Metric
from appliance.domain.quarantine import Reason
from appliance.domain.sample import normalise_source
from appliance.domain.text import storable_text
from appliance.intake.timestamps import BadTimestamp, Timestamps

TEXT_LENGTH = 500

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)


class Unreadable(Exception):
    """One item cannot be read; carries the reason and a sentence."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class RecordContext:
    """What every reader of records needs."""

    catalogue: Catalogue
    timestamps: Timestamps


@dataclass(frozen=True, slots=True)
class Target:
    """Where the values of one field go: the metric, and how the unit sent becomes the canonical one.

    Limits are in the canonical unit and inclusive.
    """

    key: str
    unit: str
    cumulative: bool
    factor: float = 1.0
    shift: float = 0.0
    low: float = -math.inf
    high: float = math.inf


def target_of(metric: Metric, unit: str) -> Target:
    """Return where values of a metric go that come in this unit. Raises `Unreadable` for a unit it does not come in."""
    conversion = metric.conversion(unit)
    if conversion is None:
        raise Unreadable(
            Reason.UNKNOWN_UNIT,
            f"“{metric.key}” does not come in the unit “{unit}”; it is kept in {metric.unit}."
            if unit
            else f"“{metric.key}” came without a unit.",
        )
    return Target(
        metric.key,
        metric.unit,
        metric.cumulative,
        conversion.factor,
        conversion.offset,
        metric.plausible_min,
        metric.plausible_max,
    )


def finite_number(sent: Any) -> float | None:
    """Return a number, None where none was sent; numeric texts are taken. Raises `Unreadable`."""
    if sent is None:
        return None
    if isinstance(sent, str) and _NUMBER.fullmatch(sent):
        sent = float(sent)
    if isinstance(sent, bool) or not isinstance(sent, int | float):
        raise Unreadable(Reason.NOT_A_NUMBER, "A value is not a number.")
    try:
        number = float(sent)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Unreadable(Reason.NOT_A_NUMBER, "A value is not a finite number.")
    return number


def canonical_number(target: Target, sent: Any) -> float | None:
    """Return one number in the canonical unit, None where none was sent. Raises `Unreadable`."""
    number = finite_number(sent)
    if number is None:
        return None
    number = number * target.factor + target.shift
    if not target.low <= number <= target.high:
        raise Unreadable(
            Reason.IMPLAUSIBLE_VALUE,
            f"The value is outside {target.low:g} to {target.high:g} {target.unit}, which is surely wrong.",
        )
    return number


def text_field(item: dict[str, Any], name: str) -> str | None:
    """Return a text field made storable, None where there is none. Raises `Unreadable` for another type."""
    sent = item.get(name)
    if sent is None:
        return None
    if not isinstance(sent, str):
        raise Unreadable(Reason.WRONG_SHAPE, f"“{name}” is not a text.")
    return storable_text(sent, TEXT_LENGTH).strip()


def source_field(item: dict[str, Any], name: str = "source") -> str:
    """Return the normalised source set; an object names its device in “name”. Never raises."""
    sent = item.get(name)
    if isinstance(sent, dict):
        sent = sent.get("name")
    return normalise_source(sent) if isinstance(sent, str) else ""


def moment(item: dict[str, Any], name: str, timestamps: Timestamps) -> tuple[int, int]:
    """Return a date field as instant (µs since 1970 UTC) and offset (seconds). Raises `Unreadable`."""
    try:
        return timestamps.read(item.get(name))
    except BadTimestamp as error:
        raise Unreadable(Reason.BAD_TIMESTAMP, f"“{name}” cannot be read: {error}.") from error


def moment_or_none(item: dict[str, Any], name: str, timestamps: Timestamps) -> int | None:
    """Return an optional date field as instant, None where there is none or it cannot be read."""
    try:
        return timestamps.read(item.get(name))[0]
    except BadTimestamp:
        return None
