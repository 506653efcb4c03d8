"""All metrics held, and one of them: along time, in figures, by source, sample by sample, and why a day's number is so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, request, url_for

from appliance.domain.localday import instant, microseconds
from appliance.domain.usual import Band
from appliance.foundation.errors import NotFound
from appliance.services.explaining import Candidate, Explanation
from appliance.services.glance import Glance
from appliance.services.lookup import Bucket, MetricSummary, Point, Teller
from web.figures import Compared, Figure, compared, figures, whole_days
from web.frame import Visit, here, page
from web.glances import metric_url, spark_of, value_and_unit
from web.kinds import kind_of
from web.ranges import Range, read_range
from web.sparks import Spark
from web.standing import band_words
from web.units import Scale
from web.words import day_words, moment

# The order categories are shown in; whatever is new stands first, because it wants something done.
CATEGORIES = {
    "new": "New to Hearthbeat",
    "activity": "Activity",
    "heart": "Heart",
    "vitals": "Vital signs",
    "sleep": "Sleep",
    "respiratory": "Breathing",
    "body": "Body",
    "mobility": "Mobility",
    "running": "Running",
    "cycling": "Cycling",
    "swimming": "Swimming",
    "mindfulness": "Mind",
    "nutrition": "Food and drink",
    "hearing": "Hearing",
    "environment": "Surroundings",
    "reproductive": "Reproductive health",
    "other": "Other",
}
WEEK_AT_LEAST, WEEK_AT_MOST, WEEK_SAMPLES_A_DAY = 7, 366, 4
DAYS_LISTED = 31
PAGE_SIZES = (25, 50)
EXPORTS = (("csv", "CSV"), ("ndjson", "JSON lines"), ("parquet", "Parquet"))


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One metric in the list. `words` is what a search looks through."""

    key: str
    name: str
    url: str
    kind: str
    value: str
    unit: str
    when: str
    count: int
    span: str
    spark: Spark
    words: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """The metrics of one category."""

    category: str
    name: str
    lines: tuple[MetricLine, ...]


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """Every metric held that the search finds."""

    search: str
    shelves: tuple[Shelf, ...]
    held: int
    found: int


@dataclass(frozen=True, slots=True)
class SourceLine:
    """Who tells, and how much of all samples held."""

    name: str
    grain: str
    samples: int
    share: float
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class DayLine:
    """A day's number, and where it is explained."""

    url: str
    words: str
    value: str
    bounds: str
    samples: int


@dataclass(frozen=True, slots=True)
class MetricPage:
    """One metric along time."""

    metric: MetricSummary
    kind: str
    span: Range
    scale: Scale
    is_sum: bool
    compares: bool
    compared: Compared | None
    compare_src: str
    switch: str
    band: Band | None
    band_words: str
    figures: tuple[Figure, ...]
    sources: tuple[SourceLine, ...]
    days: tuple[DayLine, ...]
    days_told: int
    has_week: bool
    api: str
    samples_url: str
    exports: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One sample as stored."""

    at: str
    length: str
    value: str
    bounds: str
    source: str
    grain: str
    upload_id: int
    day_url: str
    extra: str


@dataclass(frozen=True, slots=True)
class SamplesPage:
    """Samples as stored, a page of them."""

    metric: MetricSummary
    span: Range
    scale: Scale
    size: int
    lines: tuple[SampleLine, ...]
    has_extra: bool
    first: str | None
    following: str | None
    sizes: tuple[tuple[int, str], ...]
    api: str


@dataclass(frozen=True, slots=True)
class CandidateLine:
    """One who tells of the day; amounts in words."""

    told: Candidate
    subtotal: str
    counted: str
    removed: str
    share: float


@dataclass(frozen=True, slots=True)
class RevisionLine:
    """A value a sample had before."""

    at: str
    value: str
    upload_id: int
    replaced_by: int
    replaced_at: str


@dataclass(frozen=True, slots=True)
class WhyPage:
    """Why a day's number is what it is."""

    name: str
    url: str
    day: date
    day_words: str
    explanation: Explanation
    value: str
    unit: str
    bounds: str
    candidates: tuple[CandidateLine, ...]
    revisions: tuple[RevisionLine, ...]
    earlier: str
    later: str | None
    api: str


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/browse", endpoint="metrics")
    def metrics() -> Response:
        return page("metrics.html", _list(here(), request.args.get("q", "").strip()[:100]))

    @pages.get("/browse/<key>", endpoint="metrics_one")
    def metric(key: str) -> Response:
        return page("metric.html", _one(here(), key))

    @pages.get("/browse/<key>/samples", endpoint="metrics_samples")
    def samples(key: str) -> Response:
        return page("metric_samples.html", _samples(here(), key))

    @pages.get("/browse/<key>/days/<day>", endpoint="metrics_why")
    def why(key: str, day: str) -> Response:
        try:
            wanted = date.fromisoformat(day)
        except ValueError as error:
            raise NotFound("A day is written as 2026-08-07.") from error
        return page("metric_why.html", _why(here(), key, wanted))


def _list(visit: Visit, search: str) -> MetricsPage:
    summaries = visit.services.lookup.metrics(visit.person_id)
    seen = visit.services.glances.of_day(visit.person_id, visit.today).glances
    lines: dict[str, list[MetricLine]] = {}
    for summary in summaries:
        line = _line(visit, summary, seen.get(summary.held.metric))
        if search.casefold() in line.words:
            lines.setdefault(summary.category, []).append(line)
    # A category the catalogue gets later is shown under its own name, after those named here.
    order = [*CATEGORIES, *sorted(lines.keys() - CATEGORIES.keys())]
    shelves = tuple(
        Shelf(
            category,
            CATEGORIES.get(category, category.capitalize()),
            tuple(sorted(lines[category], key=lambda line: line.name)),
        )
        for category in order
        if category in lines
    )
    return MetricsPage(search, shelves, len(summaries), sum(len(shelf.lines) for shelf in shelves))


def _line(visit: Visit, summary: MetricSummary, glance: Glance | None) -> MetricLine:
    held = summary.held
    scale = visit.scales.of(held.metric, held.unit)
    newest = glance.newest if glance else None
    value, unit = value_and_unit(newest.value if newest else None, scale)
    if newest and newest.value is None and newest.minimum is not None and newest.maximum is not None:
        value, unit = _bounds(newest.minimum, newest.maximum, scale), scale.unit
    name = summary.display_name
    first, last = (at.astimezone(visit.person.zone).date() for at in (held.first_at, held.last_at))
    return MetricLine(
        key=held.metric,
        name=name,
        url=metric_url(held.metric),
        kind=kind_of(summary.category),
        value=value,
        unit=unit,
        when=day_words(newest.day, visit.today) if newest else "",
        count=held.samples,
        span=_span(first, last, visit.today),
        spark=spark_of(glance, f"The last 14 days of {name.lower()}")
        if glance
        else Spark("Nothing was told in the last 14 days"),
        words=f"{name} {held.metric} {_searched(summary.category)}".casefold(),
    )


def _searched(category: str) -> str:
    # The heading of what is new holds our own name, which nobody looks for here.
    return "new" if category == "new" else CATEGORIES.get(category, category)


def _span(first: date, last: date, today: date) -> str:
    if first == last:
        return day_words(first, today)
    until = "" if (today - last).days < 7 else f" until {day_words(last, today)}"
    return f"since {day_words(first, today)}" if not until else f"{day_words(first, today)}{until}"


def _found(visit: Visit, key: str) -> MetricSummary:
    for summary in visit.services.lookup.metrics(visit.person_id):
        if summary.held.metric == key:
            return summary
    raise NotFound("Nothing is held under this name.")


def _one(visit: Visit, key: str) -> MetricPage:
    summary = _found(visit, key)
    held = summary.held
    earliest = held.first_at.astimezone(visit.person.zone).date()
    span = read_range(request.args, visit.today, earliest=earliest)
    scale = visit.scales.of(key, held.unit)
    is_sum = summary.aggregate == "sum"
    compares = request.args.get("compare") == "1" and span.letter != "all"
    points = _days(visit, key, span)
    before = _days(visit, key, span.before()) if compares else []
    # What is usual is shown where the chart shows days; an hour's or a month's number is another thing.
    seen = visit.services.glances.of_day(visit.person_id, span.last, [key]).glances.get(key)
    band = seen.band if seen and span.bucket == "day" and summary.is_known else None
    address = f"/api/v1/metrics/{quote(key, safe='')}/series?bucket={span.bucket}"
    export = {"metric": key, "start": span.first.isoformat(), "end": span.last.isoformat()}
    return MetricPage(
        metric=summary,
        kind=kind_of(summary.category),
        span=span,
        scale=scale,
        is_sum=is_sum,
        compares=compares,
        compared=compared(
            whole_days(points, span) if is_sum else points, before, scale, is_sum=is_sum, days=span.days
        )
        if compares
        else None,
        compare_src=f"{address}&{span.before().api_query}" if compares else "",
        switch=f"?{span.query}" + ("" if compares else "&compare=1"),
        band=band,
        band_words=band_words(band, scale) if band else "",
        figures=tuple(figures(points, scale, is_sum=is_sum, span=span)),
        sources=tuple(_sources(visit, visit.services.lookup.tellers(visit.person_id, key))),
        days=tuple(_day_line(visit, key, point, scale) for point in reversed(points[-DAYS_LISTED:])),
        days_told=len(points),
        has_week=WEEK_AT_LEAST <= span.days <= WEEK_AT_MOST
        and summary.is_known
        # One value a day has no hours to speak of.
        and sum(point.count for point in points) >= WEEK_SAMPLES_A_DAY * len(points)
        and summary.category != "sleep",
        api=f"{address}&{span.api_query}",
        samples_url=f"{url_for('web.metrics_samples', key=key)}?{span.query}",
        exports=tuple(
            (name, f"/api/v1/export?{urlencode(export | {'format': each})}") for each, name in EXPORTS
        ),
    )


def _days(visit: Visit, key: str, span: Range) -> list[Point]:
    return visit.services.lookup.series(
        visit.person_id, key, first=span.first, last=span.last, bucket=Bucket.DAY
    )


def _sources(visit: Visit, tellers: list[Teller]) -> list[SourceLine]:
    whole = sum(teller.samples for teller in tellers) or 1
    return [
        SourceLine(
            teller.source or "No source named",
            teller.grain,
            teller.samples,
            round(100 * teller.samples / whole, 1),
            day_words(teller.first_at.date(), visit.today),
            day_words(teller.last_at.date(), visit.today),
        )
        for teller in tellers
    ]


def _day_line(visit: Visit, key: str, point: Point, scale: Scale) -> DayLine:
    day = point.start.date()
    words = day_words(day, visit.today)
    return DayLine(
        _why_url(key, day),
        words[0].upper() + words[1:],
        value_and_unit(point.value, scale)[0],
        _bounds(point.minimum, point.maximum, scale),
        point.count,
    )


def _why_url(key: str, day: date) -> str:
    return url_for("web.metrics_why", key=key, day=day.isoformat())


def _bounds(low: float | None, high: float | None, scale: Scale) -> str:
    if low is None or high is None:
        return ""
    one, other = scale.text(low), scale.text(high)
    return one if one == other else f"{one} – {other}"


def _samples(visit: Visit, key: str) -> SamplesPage:
    summary = _found(visit, key)
    zone = visit.person.zone
    span = read_range(request.args, visit.today, earliest=summary.held.first_at.astimezone(zone).date())
    scale = visit.scales.of(key, summary.held.unit)
    size = PAGE_SIZES[1] if request.args.get("size") == str(PAGE_SIZES[1]) else PAGE_SIZES[0]
    after = _place(request.args.get("after"))
    found = visit.services.lookup.samples(
        visit.person_id,
        key,
        start=datetime.combine(span.first, datetime.min.time(), zone),
        end=datetime.combine(span.last + timedelta(days=1), datetime.min.time(), zone),
        after=after,
        limit=size,
    )
    here_ = f"?{span.query}&size={size}"
    lines = []
    for row in found.rows:
        start = instant(microseconds(row.start_at), row.utc_offset)
        extra = ", ".join(f"{name}: {told}" for name, told in (row.extra or {}).items())
        lines.append(
            SampleLine(
                at=f"{start:%Y-%m-%d %H:%M:%S}",
                length=_length(row.duration),
                value=scale.with_unit(row.value),
                bounds=_bounds(row.min, row.max, scale),
                source=row.source,
                grain=row.grain,
                upload_id=row.upload_id,
                day_url=_why_url(key, start.date()),
                extra=extra[:300],
            )
        )
    following = found.following
    return SamplesPage(
        metric=summary,
        span=span,
        scale=scale,
        size=size,
        lines=tuple(lines),
        has_extra=any(line.extra for line in lines),
        first=here_ if after else None,
        following=f"{here_}&after={microseconds(following[0])}-{following[1]}" if following else None,
        sizes=tuple((each, f"?{span.query}&size={each}") for each in PAGE_SIZES),
        api=f"/api/v1/metrics/{quote(key, safe='')}/samples?{span.api_query}",
    )


def _place(text: str | None) -> tuple[datetime, int] | None:
    """Return the place in the list an address names; one that is not ours begins at the beginning."""
    start, _, number = (text or "").rpartition("-")
    try:
        return instant(int(start), 0), min(int(number), (1 << 63) - 1)
    except (ValueError, OverflowError):
        return None


def _length(seconds: int) -> str:
    if not seconds:
        return "an instant"
    if seconds % 3600 == 0:
        return f"{seconds // 3600} h"
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"


def _why(visit: Visit, key: str, day: date) -> WhyPage:
    summary = _found(visit, key)
    explanation = visit.services.explaining.day(visit.person_id, key, day)
    scale = visit.scales.of(key, explanation.unit)
    truth = explanation.truth
    value, unit = value_and_unit(truth.value, scale)
    is_sum = explanation.aggregate == "sum"
    whole = truth.value if is_sum else None
    later = day + timedelta(days=1)
    words = day_words(day, visit.today)
    return WhyPage(
        name=summary.display_name,
        url=metric_url(key),
        day=day,
        day_words=words[0].upper() + words[1:],
        explanation=explanation,
        value=value,
        unit=unit,
        bounds=_bounds(truth.minimum, truth.maximum, scale),
        candidates=tuple(
            CandidateLine(
                told=told,
                subtotal=scale.with_unit(told.subtotal),
                counted=scale.with_unit(told.counted),
                removed=scale.with_unit(told.removed) if told.removed is not None else "–",
                share=_share(told, whole),
            )
            for told in explanation.candidates
        ),
        revisions=tuple(
            RevisionLine(
                moment(each.start, visit.now),
                scale.with_unit(each.value),
                each.upload_id,
                each.replaced_by,
                moment(each.replaced_at, visit.now),
            )
            for each in explanation.revisions
        ),
        earlier=_why_url(key, day - timedelta(days=1)),
        later=_why_url(key, later) if later <= visit.today else None,
        api=f"/api/v1/metrics/{quote(key, safe='')}/days/{day.isoformat()}",
    )


def _share(told: Candidate, whole: float | None) -> float:
    """Return what a candidate gave to the day, in percent: of a sum its part, else all that was counted."""
    if whole:
        return round(100 * (told.counted or 0.0) / whole, 1)
    return 100.0 if told.samples_counted else 0.0
