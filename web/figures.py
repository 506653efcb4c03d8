"""A span of days in figures, and how it differs from the span before. From the days the API tells; nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.services.lookup import Point
from web.glances import value_and_unit
from web.ranges import Range
from web.units import Scale, hours_text


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its name, its unit, and when it was."""

    name: str
    value: str
    unit: str = ""
    when: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """How a span differs from the one before; `words` say by how much, `icon` in which direction."""

    icon: str
    words: str


def figures(points: Sequence[Point], scale: Scale, *, is_sum: bool, span: Range) -> list[Figure]:
    """Return what the days of a span come to; of an unknown metric only its lowest and highest value.

    A sum of today is not over, so it is left out of averages and of the least, and counts in the total.
    """
    told = [(point, point.value) for point in points if point.value is not None]
    over = whole_days(points, span) if is_sum else points
    average = _average(over)
    without = "without today" if len(over) < len(points) else ""
    found = []
    if average is not None:
        found.append(_figure("Average a day" if is_sum else "Average of days", average, scale, without))
    if is_sum and told:
        most = max(told, key=lambda each: each[1])
        least = min((each for each in told if each[0] in over), key=lambda each: each[1], default=most)
        found.append(_figure("Most", most[1], scale, _day(most[0])))
        found.append(_figure("Least", least[1], scale, _day(least[0])))
        found.append(_figure("Total", sum(value for _, value in told), scale))
    else:
        lowest = [(point, point.minimum) for point in points if point.minimum is not None]
        highest = [(point, point.maximum) for point in points if point.maximum is not None]
        if lowest and highest:
            low, high = min(lowest, key=lambda each: each[1]), max(highest, key=lambda each: each[1])
            found.append(_figure("Lowest", low[1], scale, _day(low[0])))
            found.append(_figure("Highest", high[1], scale, _day(high[0])))
    found.append(Figure("Days with data", f"{len(points):,}", "", f"of {span.days:,}"))
    found.append(Figure("Samples", f"{sum(point.count for point in points):,}"))
    return found


def whole_days(points: Sequence[Point], span: Range) -> Sequence[Point]:
    """Return the days that are over; today too when there is no other."""
    return [point for point in points if point.start.date() < span.today] or points


def compared(
    points: Sequence[Point], before: Sequence[Point], scale: Scale, *, is_sum: bool, days: int
) -> Compared:
    """Return how the average of days differs from that of as many days before."""
    now, then = _average(points), _average(before)
    length = "day" if days == 1 else f"{days} days"
    if now is None:
        return Compared("level", "Nothing was told in this time, so there is nothing to compare.")
    if then is None:
        return Compared(
            "level", f"Nothing was told in the {length} before, so there is nothing to compare with."
        )
    was = " ".join(filter(None, value_and_unit(then, scale)))
    if len(before) < days:
        was = f"{was}, {len(before)} of them told"
    # An offset between scales (°F) belongs to temperatures and not to their difference.
    difference = (now - then) * scale.factor
    amount = hours_text(abs(difference)) if scale.unit == "h" else f"{abs(difference):,.{scale.decimals}f}"
    if amount.strip("0.,") == "" or amount == "0 min":
        return Compared("level", f"The same average as in the {length} before ({was}).")
    unit = f" {scale.unit}" if scale.unit not in ("", "h") else ""
    share = f" ({abs(difference / (then * scale.factor)):.0%})" if is_sum and then else ""
    direction = ("more" if is_sum else "higher") if difference > 0 else ("less" if is_sum else "lower")
    return Compared(
        "up" if difference > 0 else "down",
        f"On average {amount}{unit}{share} {direction} than in the {length} before ({was}).",
    )


def _average(points: Sequence[Point]) -> float | None:
    values = [point.value for point in points if point.value is not None]
    return sum(values) / len(values) if values else None


def _figure(name: str, value: float, scale: Scale, when: str = "") -> Figure:
    return Figure(name, *value_and_unit(value, scale), when)


def _day(point: Point) -> str:
    return f"{point.start:%a} {point.start.day} {point.start:%b %Y}"
