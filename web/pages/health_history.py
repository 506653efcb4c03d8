"""How the appliance itself was doing, for owners: a chart for each thing that is measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from flask import Blueprint, Response, jsonify, request

from appliance.domain.measure import Measure
from appliance.foundation.errors import NotFound
from web.frame import Visit, here, page
from web.pages.settings_people import refuse_unless_owner
from web.ranges import Range, read_range

LONGEST_HISTORY_DAYS = 91
# Noted every hour; after a longer pause the line is broken.
LONGEST_PAUSE = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Chart:
    """One measure along time."""

    name: str
    title: str
    meaning: str
    unit: str
    decimals: int
    kind: str
    src: str


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """How the appliance was doing."""

    span: Range
    charts: list[Chart]


# Name → (measure, title, what it means, unit, decimals, colour).
MEASURES: dict[str, tuple[Measure, str, str, str, int, str]] = {
    "intake": (
        Measure(("health_export_metrics_processed_total",)),
        "Items taken in",
        "Values and records in uploads, an hour.",
        "/h",
        0,
        "accent",
    ),
    "receipt": (
        Measure(
            ("health_export_ingest_duration_seconds_sum",),
            ("health_export_ingest_duration_seconds_count",),
            factor=1000,
        ),
        "Time to a receipt",
        "From an upload's last byte kept until everything in it is stored, on average.",
        "ms",
        0,
        "accent",
    ),
    "answers": (
        Measure(
            ("hearthbeat_http_request_duration_seconds_sum",),
            ("hearthbeat_http_request_duration_seconds_count",),
            factor=1000,
        ),
        "Time to answer",
        "Every request of phones, programs and this dashboard, on average.",
        "ms",
        1,
        "accent",
    ),
    "cache": (
        Measure(
            ('hearthbeat_cached_answers_total{outcome="hit"}',),
            ("hearthbeat_cached_answers_total",),
            factor=100,
        ),
        "Answers from the cache",
        "How many of the answers that can be remembered were.",
        "%",
        0,
        "accent",
    ),
    "refused": (
        Measure(("hearthbeat_requests_refused_total",)),
        "Requests refused",
        "For a wrong key or a limit, an hour.",
        "/h",
        0,
        "warn",
    ),
    "database": (
        Measure(("hearthbeat_database_bytes",), is_level=True, factor=1e-6),
        "Database",
        "Its size on disk.",
        "MB",
        0,
        "body",
    ),
    "disk": (
        Measure(("hearthbeat_disk_free_bytes",), is_level=True, factor=1e-9),
        "Free on the disk",
        "Where the data folder lies.",
        "GB",
        1,
        "body",
    ),
    "memory": (
        Measure(("hearthbeat_memory_bytes",), is_level=True, factor=1e-6),
        "Memory",
        "Of the program itself, without its engines.",
        "MB",
        0,
        "body",
    ),
}


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/health/history", endpoint="health_history")
    def history() -> Response:
        visit = here()
        refuse_unless_owner(visit)
        span = _history_span(visit)
        return page(
            "health_history.html",
            HistoryPage(
                span,
                [
                    Chart(
                        name,
                        title,
                        meaning,
                        unit,
                        decimals,
                        kind,
                        f"/health/history/{name}?{span.api_query}",
                    )
                    for name, (_, title, meaning, unit, decimals, kind) in MEASURES.items()
                ],
            ),
        )

    @pages.get("/health/history/<name>", endpoint="health_history_one")
    def course(name: str) -> Response:
        visit = here()
        refuse_unless_owner(visit)
        if name not in MEASURES:
            raise NotFound("Nothing is measured under this name.")
        span = _history_span(visit)
        zone = visit.person.zone
        begin = datetime.combine(span.first, time.min, zone)
        end = datetime.combine(span.last + timedelta(days=1), time.min, zone)
        found = visit.services.own_metrics.course(MEASURES[name][0], begin, end)
        told: list[dict[str, object]] = []
        before: datetime | None = None
        for at, value in found:
            if before is not None and at - before > LONGEST_PAUSE:
                told.append(
                    {"start": (before + (at - before) / 2).astimezone(zone).isoformat(), "value": None}
                )
            told.append({"start": at.astimezone(zone).isoformat(), "value": value})
            before = at
        return jsonify(told)


def _history_span(visit: Visit) -> Range:
    span = read_range(request.args, visit.today, otherwise="w")
    if span.days <= LONGEST_HISTORY_DAYS and span.letter != "all":
        return span
    # Older numbers are not kept.
    return Range("3m", span.last - timedelta(days=LONGEST_HISTORY_DAYS - 1), span.last, visit.today)
