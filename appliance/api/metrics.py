"""Metrics: what is held, the samples as stored, and the resolved truth."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import Field
from sqlalchemy import Row

from appliance.api.answers import MetricsAnswer, PointAnswer, SamplesAnswer
from appliance.api.routes import Answer, Call, Query, Route
from appliance.api.times import (
    as_end,
    as_start,
    day_or_instant,
    first_day,
    last_day,
    place_in_time,
    read_cursor,
    write_cursor,
)
from appliance.api.uploads import PageQuery
from appliance.domain.key import Scope
from appliance.domain.localday import instant, microseconds
from appliance.services.lookup import Bucket, MetricSummary

WINDOW = "A day (2026-08-07) or an instant with offset (2026-08-07T10:00:00+02:00)."


class SamplesQuery(PageQuery):
    """A window and a place in it."""

    start: str | None = Field(None, description=WINDOW)
    end: str | None = Field(None, description=f"{WINDOW} A day is included, an instant is not.")
    limit: int = Field(500, ge=1, le=5_000)


class SeriesQuery(Query):
    """A window and the width of its buckets."""

    start: str | None = Field(None, description=WINDOW)
    end: str | None = Field(None, description=f"{WINDOW} A day is included, an instant is not.")
    bucket: Bucket = Bucket.DAY


def show_metrics(call: Call) -> Answer:
    """List every metric of which samples are held."""
    summaries = call.services.lookup.metrics(call.person_id)
    return Answer({"items": [_metric(summary) for summary in summaries], "next": None})


def show_samples(call: Call) -> Answer:
    """List samples as stored, oldest first."""
    zone = call.services.people.find(call.person_id).zone
    page = call.services.lookup.samples(
        call.person_id,
        call.path["key"],
        start=as_start(day_or_instant(call.query.start, "start"), zone),
        end=as_end(day_or_instant(call.query.end, "end"), zone),
        after=place_in_time(read_cursor(call.query.cursor)),
        limit=call.query.limit,
    )
    following = None
    if page.following is not None:
        following = write_cursor([microseconds(page.following[0]), page.following[1]])
    return Answer({"items": [_sample(row) for row in page.rows], "next": following})


def show_series(call: Call) -> Answer:
    """Give the resolved truth by hour, day, week or month."""
    answer = call.services.lookup.series_json(
        call.person_id,
        call.path["key"],
        first=first_day(day_or_instant(call.query.start, "start")),
        last=last_day(day_or_instant(call.query.end, "end")),
        bucket=call.query.bucket,
    )
    return Answer(answer)


def _metric(summary: MetricSummary) -> dict[str, Any]:
    held = summary.held
    return {
        "key": held.metric,
        "name": summary.display_name,
        "category": summary.category,
        "unit": held.unit,
        "kind": summary.kind,
        "aggregate": summary.aggregate,
        "decimals": summary.decimals,
        "count": held.samples,
        "first": held.first_at.isoformat(),
        "last": held.last_at.isoformat(),
        "sources": list(held.sources),
        "grains": list(held.grains),
        "known": summary.is_known,
    }


def _sample(row: Row[Any]) -> dict[str, Any]:
    start = instant(microseconds(row.start_at), row.utc_offset)
    return {
        "start": start.isoformat(),
        "end": (start + timedelta(seconds=row.duration)).isoformat(),
        "value": row.value,
        "min": row.min,
        "max": row.max,
        "unit": row.unit,
        "source": row.source,
        "grain": row.grain,
        "utc_offset": row.utc_offset,
        "upload_id": row.upload_id,
        "extra": row.extra,
    }


ROUTES = (
    Route("GET", "/api/v1/metrics", show_metrics, "List the metrics held", Scope.READ, MetricsAnswer, Query),
    Route(
        "GET",
        "/api/v1/metrics/<key>/samples",
        show_samples,
        "List the samples of a metric as stored",
        Scope.READ,
        SamplesAnswer,
        SamplesQuery,
    ),
    Route(
        "GET",
        "/api/v1/metrics/<key>/series",
        show_series,
        "Give the resolved truth of a metric",
        Scope.READ,
        PointAnswer,
        SeriesQuery,
        answer_is_list=True,
    ),
)
