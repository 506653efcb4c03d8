"""Days against what else is known of them: Apple's own number of a day, where an export has told it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from appliance.domain.localday import midnight
from appliance.domain.record import Kind
from appliance.storage import records, rollups
from appliance.storage.database import Database

# A day's ring in an activity summary, and the metric that makes the same day out of samples.
RINGS = {
    "active_energy": "active_energy",
    "exercise_minutes": "apple_exercise_time",
    "stand_hours": "apple_stand_hour",
}
AGREES_WITHIN = 0.01
MOST_DAYS = 4_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A day on which a metric's own number and Apple's differ; `ours` is None for a day without samples."""

    day: date
    metric: str
    ours: float | None
    apples: float

    @property
    def share(self) -> float:
        """How far apart they are, as a share of the greater one."""
        greater = max(abs(self.ours or 0.0), abs(self.apples))
        return abs((self.ours or 0.0) - self.apples) / greater if greater else 0.0


@dataclass(frozen=True, slots=True)
class ActivityCheck:
    """How many days were compared, and what differs, newest day first."""

    days: int
    differences: Sequence[Difference]


class Checking:
    """Compares days."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def activity(self, person_id: int, *, first: date | None, last: date | None, limit: int) -> ActivityCheck:
        """Compare the newest days between two, both included, with the activity summaries of exports."""
        with self._database.transaction() as connection:
            rows = records.page(
                connection,
                person_id,
                Kind.ACTIVITY_SUMMARY,
                # Days begin somewhere within a day of the midnight in UTC; the summary names its own.
                start=midnight(first - timedelta(days=1), 0) if first else None,
                end=midnight(last + timedelta(days=2), 0) if last else None,
                limit=min(limit, MOST_DAYS) + 3,
            )
            told = {date.fromisoformat(row.content["day"]): row.content for row in rows}
            told = {
                day: content
                for day, content in told.items()
                if (first is None or day >= first) and (last is None or day <= last)
            }
            days = sorted(told, reverse=True)[:limit]
            ours = {
                metric: {
                    row.day: row.value
                    for row in rollups.day_values(connection, person_id, metric, days[-1], days[0])
                }
                for metric in RINGS.values()
                if days
            }
        found = [
            Difference(day, metric, ours[metric].get(day), float(told[day][ring]))
            for day in days
            for ring, metric in RINGS.items()
            if ring in told[day]
        ]
        return ActivityCheck(len(days), [each for each in found if each.share > AGREES_WITHIN])
