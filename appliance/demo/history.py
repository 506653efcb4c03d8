"""The past before the posted days and those days once more, as an export of the same life tells them.

The posted days are lived exactly as `life` posts them. Before them lies a past of its own, in which nobody posted
anything. Both go through the same motion, totals, vitals and workouts; only what is written of them differs.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from appliance.demo.devices import counted, logged
from appliance.demo.life import ECG, SYMPTOMS, LivedDay, finished_workouts, live, note_day
from appliance.demo.points import WATCH, MetricBook
from appliance.demo.readings import (
    blood_pressure,
    ecg_csv,
    events,
    readings,
    route_gpx,
    sleep,
)
from appliance.demo.records import ecgs, heart_notifications, symptoms
from appliance.demo.spelling import QUANTITY, Raw, Spelling, metadata, number
from appliance.demo.story import RUN, tell
from appliance.demo.window import Window, dice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from appliance.demo.workouts import Session

CORRELATIONS, WORKOUTS, RINGS = "Correlation", "Workout", "ActivitySummary"
LAST_GROUPS = (CORRELATIONS, WORKOUTS, RINGS)  # records come before, by type
ACTIVITY_TYPES = {"run": "Running", "ride": "Cycling"}
INTERVALS = 3  # parts of an interval run


class Told(NamedTuple):
    """What an export tells of one day: its elements, each with the group it belongs to, and files by name."""

    day: date
    elements: list[tuple[str, str]]
    files: dict[str, str]


class History:
    """A life of `past` days before the `days` that are posted, up to `until`.

    The same arguments always tell the same. Raises `ValueError` as `Window.ending` does.
    """

    def __init__(self, *, until: datetime, zone: ZoneInfo, days: int, past: int, seed: int) -> None:
        self.posted = Window.ending(until, zone, days)
        midnight = self.posted.start
        before = Window.ending(self.posted.wall(midnight) - timedelta(seconds=1), zone, past)
        self.past = replace(before, until=midnight)
        self.seed = seed
        self.days = days + past
        self.spelling = Spelling(self.posted, seed)

    def lived(self) -> Iterator[tuple[LivedDay, Window]]:
        """Yield every day as it was lived, oldest first, with the window it belongs to."""
        for window in (self.past, self.posted):
            for plan in tell(window, self.seed, past=window is self.past):
                yield live(plan, window, self.seed), window

    def told(self) -> Iterator[Told]:
        """Yield what the export tells, day by day."""
        for lived, window in self.lived():
            yield self._tell(lived, window)

    def head(self) -> str:
        """Return what the main file begins with."""
        return self.spelling.head(self.posted.until)

    def _tell(self, lived: LivedDay, window: Window) -> Told:
        day = lived.plan.day.date
        hours, book = MetricBook(window), MetricBook(window)
        note_day(lived, hours, book, self.seed)
        roll = dice(self.seed, "raw", day)
        # The first posted night began before anything was posted; the watch knows it all the same.
        seam = window is self.posted and lived.plan.day is window.days[0]
        entered = list(logged(hours, roll))
        cuff = blood_pressure(lived, window, roll)
        noted = symptoms(lived.plan, window, dice(self.seed, SYMPTOMS.name, day))
        alerts = heart_notifications(lived.plan, lived.trace, window)
        raws = [
            *counted(lived, hours, roll),
            *entered,
            *readings(lived, book, roll),
            *sleep(lived, window, recorded=lived.plan.night_recorded or seam),
            *events(noted, alerts),
            *cuff,
        ]
        elements = [(raw.kind, self.spelling.record(raw)) for raw in raws]
        elements += [(CORRELATIONS, told) for told in self._together(entered, cuff)]
        files: dict[str, str] = {}
        for session, row in finished_workouts(lived, window, self.seed):
            name = _route_name(session, window)
            files[f"workout-routes/{name}"] = route_gpx(row["route"], self.posted.until)
            elements.append((WORKOUTS, self._workout(session, row, name, window)))
        for row in ecgs(lived.plan, window, dice(self.seed, ECG.name, day)):
            files[f"electrocardiograms/ecg_{day}.csv"] = ecg_csv(row)
        elements.append((RINGS, _rings(day, hours)))
        return Told(day, elements, files)

    def _together(self, entered: list[Raw], cuff: list[Raw]) -> Iterator[str]:
        if cuff:
            yield self.spelling.correlation("BloodPressure", cuff, "")
        for raw in entered:
            if raw.kind.endswith("Caffeine"):
                yield self.spelling.correlation(
                    "Food", [raw], metadata(HKFoodType="Coffee, black", HKWasUserEntered="1")
                )

    def _workout(self, session: Session, row: dict[str, Any], route: str, window: Window) -> str:
        outing, spell = session.outing, self.spelling
        span = f'startDate="{spell.stamp(outing.start)}" endDate="{spell.stamp(outing.end)}"'
        minutes = f'duration="{outing.duration_s / 60:.12g}" durationUnit="min"'
        beats = row["heartRate"]
        distance = "DistanceWalkingRunning" if outing.sport == RUN else "DistanceCycling"
        sums = {
            "ActiveEnergyBurned": (sum(session.active_kcal), "Cal"),
            "BasalEnergyBurned": (sum(session.basal_kcal), "Cal"),
            distance: (sum(session.km), "km"),
        }
        if outing.sport == RUN:
            sums["StepCount"] = (sum(session.steps), "count")
        statistics = "".join(
            f'  <WorkoutStatistics type="{QUANTITY}{name}" {span} sum="{number(value)}" unit="{unit}"/>\n'
            for name, (value, unit) in sums.items()
        )
        return (
            f' <Workout workoutActivityType="HKWorkoutActivityType{ACTIVITY_TYPES[outing.sport]}" {minutes}'
            f" {spell.origin(WATCH)} {spell.span(outing.start, outing.end)}>\n"
            + metadata(
                HKIndoorWorkout="0",
                HKTimeZone=window.zone.key,
                HKAverageMETs=f"{row['intensity']['qty']} kcal/hr·kg",
                HKWeatherTemperature=f"{row['temperature']['qty'] * 1.8 + 32:.4g} degF",
                HKWeatherHumidity=f"{100 * row['humidity']['qty']:.0f} %",
                HKElevationAscended=f"{100 * row['elevationUp']['qty']:.0f} cm",
            )
            + self._events(session)
            + statistics
            + f'  <WorkoutStatistics type="{QUANTITY}HeartRate" {span} average="{number(beats["avg"]["qty"])}"'
            f' minimum="{number(beats["min"]["qty"])}" maximum="{number(beats["max"]["qty"])}" unit="count/min"/>\n'
            + (self._parts(session) if outing.intervals else "")
            + f"  <WorkoutRoute {spell.origin(WATCH)} {spell.span(outing.start, outing.end)}>\n"
            + metadata(
                "   ", HKMetadataKeySyncIdentifier=f"{outing.start:032X}", HKMetadataKeySyncVersion="2"
            )
            + f'   <FileReference path="/workout-routes/{route}"/>\n  </WorkoutRoute>\n </Workout>\n'
        )

    def _events(self, session: Session) -> str:
        """Return the kilometres, each as a segment of its own."""
        lines, run, begin = [], 0.0, 0
        for minute, km in enumerate(session.km):
            run += km
            if run >= 1:
                started = self.spelling.stamp(session.outing.start + 60 * begin)
                lines.append(
                    f'  <WorkoutEvent type="HKWorkoutEventTypeSegment" date="{started}"'
                    f' duration="{minute + 1 - begin}" durationUnit="min"/>\n'
                )
                run, begin = run - 1, minute + 1
        return "".join(lines)

    def _parts(self, session: Session) -> str:
        """Return the parts of an interval run, which repeat parts of its totals."""
        outing, lines = session.outing, []
        edges = [outing.start + outing.duration_s * part // INTERVALS for part in range(INTERVALS + 1)]
        for part, (start, end) in enumerate(pairwise(edges)):
            span = f'startDate="{self.spelling.stamp(start)}" endDate="{self.spelling.stamp(end)}"'
            energy = sum(session.active_kcal) / INTERVALS
            lines.append(
                f'  <WorkoutActivity uuid="{outing.start + part:032X}" {span}'
                f' duration="{(end - start) / 60:.12g}" durationUnit="min">\n'
                f'   <WorkoutStatistics type="{QUANTITY}ActiveEnergyBurned" {span} sum="{number(energy)}" unit="Cal"/>\n'
                f"{metadata('   ', WOIntervalStepKeyPath=f'{part}.0.0')}  </WorkoutActivity>\n"
            )
        return "".join(lines)


def _route_name(session: Session, window: Window) -> str:
    """Return a route's file name: where its person was, the minute in which it ended."""
    ended = window.wall(session.outing.end)
    return f"route_{ended:%Y-%m-%d}_{ended.hour % 12 or 12}.{ended:%M}{'am' if ended.hour < 12 else 'pm'}.gpx"


def _rings(day: date, hours: MetricBook) -> str:
    """Return the day's rings: what Apple itself makes of all devices."""
    sums = {
        name: sum(point["qty"] for _, _, point in hours.timed(name))
        for name in ("active_energy", "apple_exercise_time", "apple_stand_hour")
    }
    return (
        f' <ActivitySummary dateComponents="{day}" activeEnergyBurned="{sums["active_energy"]:.3f}"'
        f' activeEnergyBurnedGoal="520" activeEnergyBurnedUnit="Cal" appleMoveTime="0" appleMoveTimeGoal="0"'
        f' appleExerciseTime="{sums["apple_exercise_time"]}" appleExerciseTimeGoal="30"'
        f' appleStandHours="{sums["apple_stand_hour"]}" appleStandHoursGoal="12"/>\n'
    )
