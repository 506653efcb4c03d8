"""Reads of workouts: the list, one with all that is told of it, its curves and its route."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appliance.domain.localday import instant, microseconds
from appliance.domain.record import Kind, Track
from appliance.domain.sample import SECOND_US
from appliance.domain.workouts import Line
from appliance.foundation.errors import NotFound
from appliance.storage import records, workouts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from appliance.catalog.load import Catalogue
    from appliance.storage.database import Database
    from appliance.storage.records import StoredTrack, TrackOutline

ROUTE, HEART_RATE = "route", "heart_rate"
HEART_RATE_COVERS_US = 60 * SECOND_US  # a point of the curve speaks for at most the minute it opens


@dataclass(frozen=True, slots=True)
class WorkoutPage:
    """Workouts, newest first, with the names of their tracks by record, and the place to go on from (None at the end)."""

    rows: Sequence[Row[Any]]
    tracks: dict[int, list[str]]
    following: tuple[datetime, int] | None


@dataclass(frozen=True, slots=True)
class Workout:
    """One workout as held, its tracks without their points, and the versions it had before, newest first."""

    row: Row[Any]
    tracks: list[TrackOutline]
    revisions: list[Row[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a workout went. `heart_rate` has one entry a point (count/min), None where the curve tells nothing."""

    row: Row[Any]
    track: StoredTrack
    heart_rate: list[float | None]


class Workouts:
    """Answers questions about one person's workouts. What another person's id names does not exist."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    def listed(
        self,
        person_id: int,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        label: str | None = None,
        before: tuple[datetime, int] | None = None,
        limit: int = 50,
    ) -> WorkoutPage:
        """Return workouts that start in [start, end), newest first; `label` is a type in any of its names."""
        known = self._catalogue.workout_type(label) if label else None
        with self._database.transaction() as connection:
            rows = records.page(
                connection,
                person_id,
                Kind.WORKOUT,
                start=start,
                end=end,
                label=known.key if known else label,
                before=before,
                limit=limit + 1,
            )
            names = records.track_names(connection, person_id, [row.record_id for row in rows])
        following = (rows[limit - 1].start_at, rows[limit - 1].record_id) if len(rows) > limit else None
        return WorkoutPage(rows[:limit], names, following)

    def lines(self, person_id: int) -> list[Line]:
        """Return all workouts in few numbers, newest first."""
        with self._database.transaction() as connection:
            return [_line(row) for row in workouts.lines(connection, person_id)]

    def find(self, person_id: int, workout_id: int) -> Workout:
        """Return one workout. Raises `NotFound`."""
        with self._database.transaction() as connection:
            row = _present(records.find(connection, person_id, Kind.WORKOUT, workout_id), workout_id)
            return Workout(
                row,
                records.track_outlines(connection, person_id, workout_id),
                records.revisions(connection, person_id, workout_id),
            )

    def track(self, person_id: int, workout_id: int, name: str) -> tuple[Row[Any], StoredTrack]:
        """Return a workout and one of its tracks. Raises `NotFound`."""
        with self._database.transaction() as connection:
            row = _present(records.find(connection, person_id, Kind.WORKOUT, workout_id), workout_id)
            found = records.tracks(connection, person_id, workout_id, name)
        if not found:
            raise NotFound(f"Workout {workout_id} has no track “{name[:80]}”.")
        return row, found[0]

    def tracks(self, person_id: int, workout_id: int) -> dict[str, Track]:
        """Return all tracks of a workout with their points, by name; none for a workout that does not exist."""
        with self._database.transaction() as connection:
            return {
                track.name: Track(track.name, track.at, track.channels, track.units)
                for track in records.tracks(connection, person_id, workout_id)
            }

    def route(self, person_id: int, workout_id: int) -> Route:
        """Return where a workout went, with the heart rate along the way. Raises `NotFound`."""
        row, track = self.track(person_id, workout_id, ROUTE)
        with self._database.transaction() as connection:
            curve = records.tracks(connection, person_id, workout_id, HEART_RATE)
        return Route(row, track, _heart_rate_along(track.at, curve[0]) if curve else [None] * len(track.at))

    def display_name(self, label: str) -> str | None:
        """Return the shown name of a type; None for a label the catalogue lacks."""
        known = self._catalogue.workout_types.get(label)
        return known.display_name if known else None


def _line(row: Row[Any]) -> Line:
    end = None if row.end_at is None else instant(microseconds(row.end_at), row.utc_offset)
    return Line(
        workout_id=row.record_id,
        label=row.label,
        name=row.name,
        source=row.source,
        start=instant(microseconds(row.start_at), row.utc_offset),
        end=end,
        flags=tuple(row.flags),
        has_route=row.has_route,
        **{number: row._mapping[number] for number in workouts.NUMBERS},
    )


def _present(row: Row[Any] | None, workout_id: int) -> Row[Any]:
    if row is None:
        raise NotFound(f"There is no workout {workout_id}.")
    return row


def _heart_rate_along(at: Sequence[int], curve: StoredTrack) -> list[float | None]:
    """Return for each instant the latest value of the curve, where it is recent enough to speak for it."""
    values = curve.channels.get("value") or [None] * len(curve.at)
    places = [bisect_right(curve.at, moment) - 1 for moment in at]
    return [
        values[place] if place >= 0 and moment - curve.at[place] < HEART_RATE_COVERS_US else None
        for moment, place in zip(at, places, strict=True)
    ]
