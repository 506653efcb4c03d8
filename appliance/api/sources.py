"""Which source is believed first, and why a number is what it is."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from appliance.api.answers import PointAnswer
from appliance.api.routes import Answer, Call, Query, Route
from appliance.api.times import parse_day
from appliance.domain.key import Scope
from appliance.domain.localday import instant, midnight
from appliance.services.explaining import Explanation


class OrderBody(Query):
    """A new order of sources."""

    category: str = Field(
        "", max_length=60, description="A category of metrics; empty for all without their own order."
    )
    sources: list[str] = Field(max_length=200, description="Single devices and apps, the most trusted first.")


class OrderAnswer(BaseModel):
    """The order in force in one category."""

    category: str
    sources: list[str]
    chosen: bool = Field(
        description="Whether the person chose it; otherwise watches come before phones before others."
    )


class OrdersAnswer(BaseModel):
    """The orders in force."""

    items: list[OrderAnswer]
    next: str | None


class ReorderedAnswer(BaseModel):
    """What the new order did to history."""

    category: str
    sources: list[str]
    days_changed: dict[str, int] = Field(description="Days whose numbers changed, by metric.")


class CandidateAnswer(BaseModel):
    """One series that tells of the day."""

    source: str
    grain: str
    samples: int
    subtotal: float | None
    samples_counted: int
    counted: float | None
    removed: float | None
    uploads: list[int]
    why: str


class RevisionAnswer(BaseModel):
    """A value a sample had before."""

    start: str
    value: float | None
    upload_id: int
    replaced_by: int
    replaced_at: str


class DayAnswer(BaseModel):
    """A day's number and where it comes from."""

    metric: str
    unit: str
    aggregate: str | None
    date: str
    value: float | None
    min: float | None
    max: float | None
    count: int
    overlap_removed: float | None
    rule: str
    candidates: list[CandidateAnswer]
    hours: list[PointAnswer]
    revisions: list[RevisionAnswer]


def show_day(call: Call) -> Answer:
    """Explain one day of a metric."""
    return Answer(
        _day(call.services.explaining.day(call.person_id, call.path["key"], parse_day(call.path["date"])))
    )


def show_orders(call: Call) -> Answer:
    """Show the order of sources by category."""
    orders = call.services.sources.orders(call.person_id)
    return Answer(
        {
            "items": [{"category": o.category, "sources": list(o.names), "chosen": o.is_own} for o in orders],
            "next": None,
        }
    )


def set_order(call: Call) -> Answer:
    """Set the order of sources of a category and resolve history again."""
    done = call.services.sources.reorder(call.person_id, call.body.category, call.body.sources)
    return Answer({"category": done.category, "sources": list(done.names), "days_changed": done.days_changed})


def _day(told: Explanation) -> dict[str, Any]:
    truth = told.truth
    removed = [candidate.removed for candidate in told.candidates if candidate.removed is not None]
    return {
        "metric": told.metric,
        "unit": told.unit,
        "aggregate": told.aggregate,
        "date": told.day.isoformat(),
        "start": midnight(told.day, truth.offset).isoformat(),
        "value": truth.value,
        "min": truth.minimum,
        "max": truth.maximum,
        "count": truth.count,
        "overlap_removed": sum(removed) if removed else None,
        "rule": told.rule,
        "candidates": [
            {
                "source": c.source,
                "grain": c.grain,
                "samples": c.samples,
                "subtotal": c.subtotal,
                "samples_counted": c.samples_counted,
                "counted": c.counted,
                "removed": c.removed,
                "uploads": list(c.upload_ids),
                "why": c.why,
            }
            for c in told.candidates
        ],
        "hours": [
            {
                "start": instant(start, truth.offset).isoformat(),
                "value": value,
                "min": low,
                "max": high,
                "count": count,
            }
            for start, value, low, high, count in zip(
                truth.hours.start,
                truth.hours.value,
                truth.hours.minimum,
                truth.hours.maximum,
                truth.hours.count,
                strict=True,
            )
        ],
        "revisions": [
            {
                "start": r.start.isoformat(),
                "value": r.value,
                "upload_id": r.upload_id,
                "replaced_by": r.replaced_by,
                "replaced_at": r.replaced_at.isoformat(),
            }
            for r in told.revisions
        ],
    }


ROUTES = (
    Route(
        "GET",
        "/api/v1/metrics/<key>/days/<date>",
        show_day,
        "Say why a day's number is what it is",
        Scope.READ,
        DayAnswer,
        Query,
    ),
    Route(
        "GET",
        "/api/v1/sources/priority",
        show_orders,
        "Show the order of sources",
        Scope.READ,
        OrdersAnswer,
        Query,
    ),
    Route(
        "PUT",
        "/api/v1/sources/priority",
        set_order,
        "Set the order of sources",
        Scope.ADMIN,
        ReorderedAnswer,
        Query,
        OrderBody,
    ),
)
