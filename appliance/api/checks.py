"""Days against Apple's own numbers."""

from __future__ import annotations

from pydantic import BaseModel, Field

from appliance.api.metrics import WINDOW
from appliance.api.routes import Answer, Call, Query, Route
from appliance.api.times import day_or_instant, first_day, last_day
from appliance.domain.key import Scope


class CheckQuery(Query):
    """A window of days."""

    start: str | None = Field(None, description=WINDOW)
    end: str | None = Field(None, description=f"{WINDOW} A day is included, an instant is not.")
    limit: int = Field(400, ge=1, le=4_000, description="The newest days compared.")


class DifferenceAnswer(BaseModel):
    """One metric of one day that differs by more than one percent."""

    date: str
    metric: str
    value: float | None = Field(description="Made of the samples; null without any.")
    apple: float = Field(description="As the activity summary of an export tells it.")
    difference: float = Field(description="As a share of the greater of the two.")
    why: str
    explanation: str | None = Field(description="The address that explains our number; null without one.")


class ActivityCheckAnswer(BaseModel):
    """How many days were compared, and what differs, newest first."""

    days: int
    items: list[DifferenceAnswer]
    next: str | None


def check_activity(call: Call) -> Answer:
    """List days whose move energy, exercise or stood hours differ from Apple's own number by more than 1 %."""
    found = call.services.checking.activity(
        call.person_id,
        first=first_day(day_or_instant(call.query.start, "start")),
        last=last_day(day_or_instant(call.query.end, "end")),
        limit=call.query.limit,
    )
    items = [
        {
            "date": each.day.isoformat(),
            "metric": each.metric,
            "value": each.ours,
            "apple": each.apples,
            "difference": round(each.share, 4),
            "why": _why(each.ours, each.apples),
            "explanation": None
            if each.ours is None
            else f"/api/v1/metrics/{each.metric}/days/{each.day.isoformat()}",
        }
        for each in found.differences
    ]
    return Answer({"days": found.days, "items": items, "next": None})


def _why(ours: float | None, apples: float) -> str:
    if ours is None:
        return "No samples of this day are held; Apple's summary was told by an export."
    if ours > apples:
        return "Ours is higher: sources may count the same time that Apple gives to one of them, or samples came later."
    return "Ours is lower: samples of this day may be missing, or Apple gives time to a source you have put behind."


ROUTES = (
    Route(
        "GET",
        "/api/v1/checks/activity",
        check_activity,
        "Compare days with Apple's activity summaries",
        Scope.READ,
        ActivityCheckAnswer,
        CheckQuery,
    ),
)
