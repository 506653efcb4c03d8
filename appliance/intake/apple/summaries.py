"""What an export tells of several samples at once: which belong together, and a day's rings.

A day's rings are the one place where Apple's own number for a day is told, out of all devices; days made of samples
can be checked against them.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from appliance.domain.localday import day_number, day_start_us, instant, microseconds
from appliance.domain.quarantine import Reason
from appliance.domain.record import UNTIL, Kind, Record, natural_identity
from appliance.domain.sample import DAY_US, SECOND_US, normalise_source
from appliance.domain.text import storable, storable_text
from appliance.intake.apple.lanes import NAME_LENGTH
from appliance.intake.apple.metadata import metadata_of
from appliance.intake.fields import Unreadable, finite_number

if TYPE_CHECKING:
    from appliance.catalog.load import Catalogue
    from appliance.intake.apple.elements import Node
    from appliance.intake.apple.times import Instants, Places

CORRELATION = "HKCorrelationTypeIdentifier"
FOOD = "HKFoodType"

# The day's rings: attribute, name in the content, metric whose unit it is told in, attribute of its unit.
_RINGS = (
    ("activeEnergyBurned", "active_energy", "active_energy", "activeEnergyBurnedUnit"),
    ("activeEnergyBurnedGoal", "active_energy_goal", "active_energy", "activeEnergyBurnedUnit"),
    ("appleMoveTime", "move_minutes", "", ""),
    ("appleMoveMinutes", "move_minutes", "", ""),
    ("appleMoveTimeGoal", "move_minutes_goal", "", ""),
    ("appleExerciseTime", "exercise_minutes", "", ""),
    ("appleExerciseTimeGoal", "exercise_minutes_goal", "", ""),
    ("appleStandHours", "stand_hours", "", ""),
    ("appleStandHoursGoal", "stand_hours_goal", "", ""),
)


class SummaryReader:
    """Reads correlations and activity summaries."""

    def __init__(self, catalogue: Catalogue, instants: Instants, places: Places) -> None:
        self._catalogue = catalogue
        self._instants = instants
        self._places = places

    def correlation(self, node: Node, position: int) -> Record:
        """Read a correlation as the grouping alone: its records stand in the file once more, by themselves.

        Raises `Unreadable` or `BadTimestamp`.
        """
        told = node.attributes
        start, end = (self._instants.read(told.get(name, "").encode()) for name in ("startDate", "endDate"))
        metadata, zone = metadata_of(node.named("MetadataEntry"))
        source = normalise_source(told.get("sourceName", ""))
        name = storable_text(told.get("type", "").removeprefix(CORRELATION), NAME_LENGTH)
        members = []
        for each in node.named("Record"):
            kind, unit = each.attributes.get("type", ""), each.attributes.get("unit", "")
            metric = self._catalogue.metric(kind)
            conversion = (
                metric.conversion("fraction" if unit == "%" and metric.xml_scale else unit)
                if metric
                else None
            )
            number = finite_number(each.attributes.get("value"))
            if metric is not None and conversion is not None and number is not None:
                members.append({"metric": metric.key, "value": conversion.apply(number), "unit": metric.unit})
            else:
                members.append({"metric": storable_text(kind), "value": number, "unit": storable_text(unit)})
        content = storable({"type": name, "members": members, "metadata": metadata})
        identity = natural_identity(name, start, end, source, metadata.get(FOOD))
        offset = self._places.offset(start, zone)
        return Record(Kind.CORRELATION, identity, name, source, start, end, offset, content, position)

    def activity(self, node: Node, position: int, exported_at: datetime | None = None) -> Record:
        """Read the rings of one day, which the file names by its date where the person was. Raises `Unreadable`.

        The day the export was made on is told until then.
        """
        told = node.attributes
        try:
            day = date.fromisoformat(told.get("dateComponents", ""))
            if not 1970 <= day.year <= 2100:
                raise ValueError
        except ValueError as error:
            raise Unreadable(Reason.BAD_TIMESTAMP, "The summary names no day.") from error
        content: dict[str, Any] = {"day": day.isoformat()}
        for attribute, name, metric, unit in _RINGS:
            number = finite_number(told.get(attribute) or None)
            if number is None:
                continue
            if metric:
                conversion = self._catalogue.metrics[metric].conversion(told.get(unit, ""))
                if conversion is None:
                    raise Unreadable(
                        Reason.UNKNOWN_UNIT, f"“{told.get(unit, '')[:40]}” is no unit of energy we know."
                    )
                number = conversion.apply(number)
            content.setdefault(name, number)
        noon = day_start_us(day_number(day)) + DAY_US // 2
        offset = self._places.home.offset(noon)
        start = day_start_us(day_number(day)) - offset * SECOND_US
        if exported_at is not None and microseconds(exported_at) < start + DAY_US:
            content[UNTIL] = instant(microseconds(exported_at), offset).isoformat()
        label = day.isoformat()
        return Record(Kind.ACTIVITY_SUMMARY, label, label, "", start, None, offset, content, position)
