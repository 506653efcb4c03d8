"""Which metric was told on which day, and what is missing with its likely mend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import quote

from flask import Blueprint, Response, request

from appliance.domain.coverage import Stretch, gaps
from appliance.services.lookup import MetricSummary
from web.frame import Visit, here, page
from web.glances import metric_url
from web.kinds import kind_of
from web.pages.metrics import CATEGORIES
from web.ranges import Range, read_range
from web.units import Scale

STRETCHES_SHOWN = 6
BAR = 10.0


@dataclass(frozen=True, slots=True)
class GapLine:
    """A metric that is usually told and was not on some days."""

    metric: str
    name: str
    kind: str
    url: str
    days: int
    words: str


@dataclass(frozen=True, slots=True)
class GapsFound:
    """What is missing in a span. `quiet` are days on which hardly anything was told, in words."""

    usual: int
    quiet: list[str]
    quiet_days: int
    lines: list[GapLine]


@dataclass(frozen=True, slots=True)
class CoverageLine:
    """One metric along the span. `told` and `missing` are paths in a box of days × `BAR`."""

    metric: str
    name: str
    url: str
    days_url: str
    told: str
    missing: str
    days: int
    of: int
    words: str


@dataclass(frozen=True, slots=True)
class Group:
    """The metrics of one category."""

    name: str
    kind: str
    lines: list[CoverageLine]


@dataclass(frozen=True, slots=True)
class Tick:
    """A day's name over the lines, at a place in per cent."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """One metric as a calendar."""

    metric: str
    name: str
    kind: str
    src: str
    scale: Scale
    url: str


@dataclass(frozen=True, slots=True)
class CoveragePage:
    """Metrics by days. `more` stays in the address when the range changes."""

    span: Range
    groups: list[Group]
    ticks: list[Tick]
    found: GapsFound
    chosen: Chosen | None
    more: dict[str, str]
    lines_not_shown: int


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/health/coverage", endpoint="health_coverage")
    def coverage() -> Response:
        return page("health_coverage.html", _coverage(here()))


def gaps_found(visit: Visit, first: date, last: date) -> GapsFound:
    """Return what is missing from the first to the last day; both should be over."""
    if last < first:
        return GapsFound(0, [], 0, [])
    told = visit.services.holdings.coverage(visit.person_id, first, last)
    return _found(visit, told, first, last)


def _found(visit: Visit, told: Mapping[str, Sequence[Stretch]], first: date, last: date) -> GapsFound:
    found = gaps(told, first, last)
    summaries = {each.held.metric: each for each in visit.services.lookup.metrics(visit.person_id)}
    lines = [
        GapLine(
            metric,
            summaries[metric].display_name,
            kind_of(summaries[metric].category),
            metric_url(metric),
            sum(stretch.days for stretch in missed),
            _listed(missed, visit.today),
        )
        for metric, missed in found.of_metrics.items()
        if metric in summaries
    ]
    return GapsFound(
        len(found.usual),
        [_words(stretch, visit.today) for stretch in reversed(found.quiet)],
        sum(stretch.days for stretch in found.quiet),
        sorted(lines, key=lambda line: (-line.days, line.name)),
    )


def _coverage(visit: Visit) -> CoveragePage:
    summaries = visit.services.lookup.metrics(visit.person_id)
    zone = visit.person.zone
    earliest = min((each.held.first_at.astimezone(zone).date() for each in summaries), default=None)
    span = read_range(request.args, visit.today, earliest=earliest)
    told = visit.services.holdings.coverage(visit.person_id, span.first, span.last)
    groups: dict[str, list[CoverageLine]] = {}
    for summary in summaries:
        began = max(summary.held.first_at.astimezone(zone).date(), span.first)
        if began <= span.last:
            line = _line(
                visit,
                span,
                summary.held.metric,
                summary.display_name,
                told.get(summary.held.metric, ()),
                began,
            )
            groups.setdefault(summary.category, []).append(line)
    order = [*CATEGORIES, *sorted(groups.keys() - CATEGORIES.keys())]
    wanted = request.args.get("metric", "")
    chosen = next((each for each in summaries if each.held.metric == wanted), None)
    over = min(span.last, visit.today - timedelta(days=1))
    return CoveragePage(
        span,
        [
            Group(
                CATEGORIES.get(category, category.capitalize()),
                kind_of(category),
                sorted(groups[category], key=lambda line: line.name),
            )
            for category in order
            if category in groups
        ],
        _ticks(span),
        _found(visit, told, span.first, over) if over >= span.first else GapsFound(0, [], 0, []),
        _chosen(visit, chosen, span) if chosen else None,
        {"metric": wanted} if chosen else {},
        sum(1 for each in summaries if each.held.first_at.astimezone(zone).date() > span.last),
    )


def _chosen(visit: Visit, summary: MetricSummary, span: Range) -> Chosen:
    metric = summary.held.metric
    return Chosen(
        metric,
        summary.display_name,
        kind_of(summary.category),
        f"/api/v1/metrics/{quote(metric, safe='')}/series?bucket=day&{span.api_query}",
        visit.scales.of(metric, summary.held.unit),
        metric_url(metric),
    )


def _line(
    visit: Visit, span: Range, metric: str, name: str, told: Sequence[Stretch], began: date
) -> CoverageLine:
    # A day of travel can be told before the first instant's day at home.
    began = min([began, *(stretch.first for stretch in told)])
    days = sum(stretch.days for stretch in told)
    missed, at = [], began
    for stretch in told:
        if at < stretch.first:
            missed.append(Stretch(at, stretch.first - timedelta(days=1)))
        at = stretch.last + timedelta(days=1)
    # Today may still be told.
    end = min(span.last, visit.today - timedelta(days=1))
    if at <= end:
        missed.append(Stretch(at, end))
    return CoverageLine(
        metric,
        name,
        metric_url(metric),
        f"?{span.query}&metric={quote(metric, safe='')}#calendar",
        _path(told, span.first),
        _path(missed, span.first),
        days,
        days + sum(stretch.days for stretch in missed),
        f"Missing: {_listed(missed, visit.today)}" if missed else "No day is missing",
    )


def _path(found: Sequence[Stretch], first: date) -> str:
    return "".join(
        f"M{(stretch.first - first).days} 0h{stretch.days}v{BAR:g}h-{stretch.days}z" for stretch in found
    )


def _ticks(span: Range) -> list[Tick]:
    wanted = min(5, span.days)
    places = sorted({round(n * span.days / wanted) for n in range(wanted)})
    ticks = []
    for place in places:
        day = span.first + timedelta(days=place)
        words = f"{day:%b %Y}" if span.days > 400 else f"{day.day} {day:%b}"
        ticks.append(Tick(round(place * 100 / span.days, 2), words))
    return ticks


def _listed(found: Sequence[Stretch], today: date) -> str:
    newest = list(reversed(found))
    words = ", ".join(_words(stretch, today) for stretch in newest[:STRETCHES_SHOWN])
    more = len(newest) - STRETCHES_SHOWN
    return f"{words} and {more} more times" if more > 0 else words


def _words(stretch: Stretch, today: date) -> str:
    """Return days as they are to be chosen in the app: always as dates."""
    first, last = stretch.first, stretch.last
    end = f"{last.day} {last:%B}{'' if last.year == today.year else f' {last.year}'}"
    if first == last:
        return end
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} – {end}"
    return f"{first.day} {first:%B}{'' if first.year == last.year else f' {first.year}'} – {end}"
