"""Ninety days of one believable person, cut into the posts that the phone would make of them.

The forms are those of the app's export version 2, as a good set-up sends them: hourly sums, single readings,
nights, workouts and the rarer records, each by an automation of its own.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from appliance.demo.motion import Trace, live_through
from appliance.demo.nights import night_row, stage_rows
from appliance.demo.points import MetricBook
from appliance.demo.records import ecgs, heart_notifications, medications, states_of_mind, symptoms
from appliance.demo.story import DayPlan, tell
from appliance.demo.totals import note_hours
from appliance.demo.vitals import note_readings
from appliance.demo.window import Window, dice
from appliance.demo.workouts import Session, work_out, workout_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

WEEKS_IN_STAGES = 3  # the newest weeks send every sleep stage, the older ones a sum per night

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip  # not strftime's, which follow the computer's language


@dataclass(frozen=True, slots=True)
class Post:
    """One request of the phone."""

    label: str
    headers: dict[str, str]
    body: dict[str, Any]
    items: int


@dataclass(frozen=True, slots=True)
class Automation:
    """An automation as Maya set it up in the app: it sends one kind of data."""

    name: str
    subject: str
    array: str
    aggregation: str = "Default"


DAILY_TOTALS = Automation("Daily totals", "Activity", "metrics", "Hours")
VITALS = Automation("Vitals", "Vitals", "metrics")
SLEEP_NIGHTS = Automation("Sleep", "Sleep", "metrics", "Days")
SLEEP_STAGES = Automation("Sleep", "Sleep stages", "metrics")
WORKOUTS = Automation("Workouts", "Workouts", "workouts", "Minutes")
STATE_OF_MIND = Automation("State of Mind", "State of mind", "stateOfMind")
MEDICATIONS = Automation("Medications", "Medications", "medications")
SYMPTOMS = Automation("Symptoms", "Symptoms", "symptoms")
ECG = Automation("ECG", "ECG", "ecg")
HEART_NOTIFICATIONS = Automation("Heart Rate Notifications", "Heart alerts", "heartRateNotifications")


@dataclass(frozen=True, slots=True)
class LivedDay:
    """A day's plan and what became of it."""

    plan: DayPlan
    sessions: list[Session]
    trace: Trace


def posts(*, until: datetime, zone: ZoneInfo, days: int = 90, seed: int = 20) -> Iterator[Post]:
    """Yield what the phone posts of so many local days ending at `until`: oldest week first, then by automation.

    The same arguments always give the same posts. No date lies after `until`, whose day and hour are cut short.
    Raises `ValueError` when `until` has no offset or `days` is below 1.
    """
    window = Window.ending(until, zone, days)
    plans = tell(window, seed)
    weeks = [list(week) for _, week in groupby(plans, key=lambda plan: plan.day.date.isocalendar()[:2])]
    for index, week in enumerate(weeks):
        newest = index >= len(weeks) - WEEKS_IN_STAGES
        lived = [live(plan, window, seed) for plan in week]
        label = _span(week[0].day.date, week[-1].day.date)
        period = "Default" if index == len(weeks) - 1 else "Previous 7 Days"
        for automation, content in _week(lived, window, seed, in_stages=newest):
            items = _count(automation, content)
            if items:
                yield Post(
                    label=f"{automation.subject}, {label}",
                    headers=_headers(automation, period, week[0].day.date, seed),
                    body={"data": {automation.array: content}},
                    items=items,
                )


def live(plan: DayPlan, window: Window, seed: int) -> LivedDay:
    """Return what becomes of a day's plan."""
    today = plan.day.date
    sessions = [work_out(outing, plan, dice(seed, "workout", today)) for outing in plan.outings]
    return LivedDay(plan, sessions, live_through(plan, sessions, window, dice(seed, "motion", today)))


def note_day(day: LivedDay, totals: MetricBook, readings: MetricBook, seed: int) -> None:
    """Add a day's hourly sums and its single readings."""
    note_hours(day.plan, day.trace, totals, dice(seed, "totals", day.plan.day.date))
    note_readings(day.plan, day.trace, day.sessions, readings, dice(seed, "vitals", day.plan.day.date))


def _week(
    lived: list[LivedDay], window: Window, seed: int, *, in_stages: bool
) -> Iterator[tuple[Automation, list[dict[str, Any]]]]:
    """Yield each automation with what it has to send of a week, which may be nothing."""
    totals, readings = MetricBook(window), MetricBook(window)
    for day in lived:
        note_day(day, totals, readings, seed)
    yield DAILY_TOTALS, totals.metrics()
    yield VITALS, readings.metrics()
    yield SLEEP_STAGES if in_stages else SLEEP_NIGHTS, _sleep(lived, window, in_stages=in_stages)
    yield WORKOUTS, _finished_workouts(lived, window, seed)
    yield from _rare(lived, window, seed)


def _sleep(lived: list[LivedDay], window: Window, *, in_stages: bool) -> list[dict[str, Any]]:
    nights = [day.plan.night for day in lived if day.plan.night_recorded]
    if in_stages:
        rows = [row for night in nights for row in stage_rows(night, window)]
    else:
        rows = [night_row(night, window) for night in nights]
    return [{"name": "sleep_analysis", "units": "hr", "data": rows}]


def finished_workouts(day: LivedDay, window: Window, seed: int) -> Iterator[tuple[Session, dict[str, Any]]]:
    """Yield a day's workouts that have ended, each with the row that the phone sends of it."""
    for session in day.sessions:
        if session.outing.end <= window.until:
            yield session, workout_row(session, window, dice(seed, "route", session.outing.start))


def _finished_workouts(lived: list[LivedDay], window: Window, seed: int) -> list[dict[str, Any]]:
    return [row for day in lived for _, row in finished_workouts(day, window, seed)]


def _rare(
    lived: list[LivedDay], window: Window, seed: int
) -> Iterator[tuple[Automation, list[dict[str, Any]]]]:
    noters = {STATE_OF_MIND: states_of_mind, MEDICATIONS: medications, SYMPTOMS: symptoms, ECG: ecgs}
    for automation, note in noters.items():
        yield (
            automation,
            [
                row
                for day in lived
                for row in note(day.plan, window, dice(seed, automation.name, day.plan.day.date))
            ],
        )
    alerts = [row for day in lived for row in heart_notifications(day.plan, day.trace, window)]
    yield HEART_NOTIFICATIONS, alerts


def _count(automation: Automation, content: list[dict[str, Any]]) -> int:
    if automation.array == "metrics":
        return sum(len(metric["data"]) for metric in content)
    return len(content)


def _headers(automation: Automation, period: str, first_day: date, seed: int) -> dict[str, str]:
    return {
        "automation-name": automation.name,
        "automation-id": _identity(seed, "automation", automation.name),
        "automation-aggregation": automation.aggregation,
        "automation-period": period,
        "session-id": _identity(seed, "session", automation.name, first_day),
    }


def _identity(seed: int, *topic: object) -> str:
    return str(uuid.UUID(int=dice(seed, *topic).getrandbits(128), version=4)).upper()


def _span(first: date, last: date) -> str:
    """Return `2 March – 8 March`, or the one day."""
    start, end = (f"{day.day} {MONTHS[day.month - 1]}" for day in (first, last))
    return start if first == last else f"{start} – {end}"
