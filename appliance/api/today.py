"""One day in one answer: every number, the night, the workouts, and how fresh it all is."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from pydantic import BaseModel, Field

from appliance.api.answers import NightAnswer
from appliance.api.routes import Answer, Call, Query, Route
from appliance.api.sleep import night_summary
from appliance.api.times import parse_day
from appliance.api.workouts import WorkoutSummary, workout_summary
from appliance.domain.key import Scope
from appliance.foundation.errors import NotFound

MOST_WORKOUTS = 100


class TodayQuery(Query):
    """Which day."""

    date: str | None = Field(
        None, description="A day as 2026-08-07; today where the person lives, if none is given."
    )


class MetricOfDayAnswer(BaseModel):
    """One metric's truth of the day."""

    key: str
    name: str
    unit: str
    value: float | None
    min: float | None
    max: float | None
    count: int


class TodayAnswer(BaseModel):
    """A day in one answer."""

    date: str
    metrics: list[MetricOfDayAnswer]
    sleep: NightAnswer | None = Field(description="The night that ended on this day.")
    workouts: list[WorkoutSummary]
    last_upload_at: str | None


def show_today(call: Call) -> Answer:
    """Give one day in one answer."""
    person = call.services.people.find(call.person_id)
    day = (
        parse_day(call.query.date)
        if call.query.date
        else call.services.clock.now().astimezone(person.zone).date()
    )
    begin = datetime.combine(day, time(), person.zone)
    end = datetime.combine(day + timedelta(days=1), time(), person.zone)
    page = call.services.workouts.listed(
        call.person_id, start=begin, end=end, label=None, before=None, limit=MOST_WORKOUTS
    )
    newest = call.services.uploads.listed(call.person_id, before=None, limit=1)
    return Answer(
        {
            "date": day.isoformat(),
            "metrics": [
                {
                    "key": told.metric,
                    "name": told.display_name,
                    "unit": told.unit,
                    "value": told.point.value,
                    "min": told.point.minimum,
                    "max": told.point.maximum,
                    "count": told.point.count,
                }
                for told in call.services.lookup.day(call.person_id, day)
            ],
            "sleep": _night(call, day),
            "workouts": [workout_summary(call, row, page.tracks.get(row.record_id, [])) for row in page.rows],
            "last_upload_at": newest[0].upload.received_at.isoformat() if newest else None,
        }
    )


def _night(call: Call, day: date) -> dict[str, Any] | None:
    try:
        return night_summary(call.services.sleep.night(call.person_id, day))
    except NotFound:
        return None


ROUTES = (
    Route(
        "GET", "/api/v1/today", show_today, "Give one day in one answer", Scope.READ, TodayAnswer, TodayQuery
    ),
)
