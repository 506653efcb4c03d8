"""One number per hour and local day, out of overlapping devices, grains and re-sent windows.

Rows of joined sources, of single sources and of several grains describe the same life: they are chosen among,
never added up. Within one local day:

* A cumulative metric is laid along the time line, best strand first; each further row adds only the share of its
  time that nothing better covers. Best are the statistics of days and hours (the phone has taken overlaps out of
  them), then raw samples, then minutes and seconds (their sums overshoot by 20 to 30 %); among these the source's
  priority, then the set of more sources over its parts (it is their union, without the overlap).
* A day's statistic counts whole or not at all, and once: a traveller's phone sends the same day again from another
  zone, as another stretch of time.
* Amounts told for an instant cover no time. Those of a counting device stand for their hour, which a lesser source
  then does not add to; what people log (a glass of water) adds up.
* A discrete metric takes, for each hour, the finest grain and of that the best source. A day told by several strands
  averages its hours, so that the finer one does not weigh more.

A bucket's cover ends where its upload was received: a day told at 10:00 says nothing of the afternoon.

`resolve` is pure and the only function that computes rollups, so that what is stored, what is verified and what
is explained cannot differ.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import itemgetter, le
from typing import Any, NamedTuple

from appliance.domain.sample import GRAIN_SECONDS, HOUR_US, SECOND_US, Grain, source_parts

FOR_EVER_US = 1 << 62

Number = float | None


# Nobody changes these once they are made. `frozen` would say so, and make each take three times as long; an import makes
# hundreds of thousands.
@dataclass(slots=True)
class Rows:
    """Stored samples of one series as equally long columns, ordered by start.

    Units: `start` and `told` (when the upload was received) in µs since 1970 UTC, `offset` and `duration` in
    seconds, `day` (the local one) in days since 1970-01-01. `minimum` and `maximum` are empty when no row has one;
    `told` is empty when no two rows can be about the same time.
    """

    start: Sequence[int]
    offset: Sequence[int]
    day: Sequence[int]
    duration: Sequence[int]
    value: Sequence[Number]
    minimum: Sequence[Number]
    maximum: Sequence[Number]
    told: Sequence[int]

    def __len__(self) -> int:
        return len(self.start)

    def part(self, begin: int, end: int) -> Rows:
        """Return the rows of these positions."""
        return Rows(
            self.start[begin:end],
            self.offset[begin:end],
            self.day[begin:end],
            self.duration[begin:end],
            self.value[begin:end],
            self.minimum[begin:end],
            self.maximum[begin:end],
            self.told[begin:end],
        )

    def numbers(self, begin: int, end: int) -> Rows:
        """Return when and what the rows of these positions tell, without the rest."""
        return Rows(
            self.start[begin:end],
            (),
            (),
            (),
            self.value[begin:end],
            self.minimum[begin:end],
            self.maximum[begin:end],
            (),
        )

    def pick(self, positions: Sequence[int]) -> Rows:
        """Return the rows of these positions, in this order."""
        return Rows(
            [self.start[n] for n in positions],
            [self.offset[n] for n in positions],
            [self.day[n] for n in positions],
            [self.duration[n] for n in positions],
            [self.value[n] for n in positions],
            [self.minimum[n] for n in positions] if self.minimum else (),
            [self.maximum[n] for n in positions] if self.maximum else (),
            [self.told[n] for n in positions] if self.told else (),
        )


class Strand(NamedTuple):
    """All rows of one series that fall into the days asked for."""

    series_id: int
    source: str
    grain: Grain
    rows: Rows


@dataclass(slots=True)
class Hours:
    """The truth of a day's hours as equally long columns; `start` in µs since 1970 UTC, only hours with data."""

    start: Sequence[int] = ()
    value: Sequence[Number] = ()
    minimum: Sequence[Number] = ()
    maximum: Sequence[Number] = ()
    count: Sequence[int] = ()


@dataclass(slots=True)
class Day:
    """The truth of one local day. `day` counts from 1970-01-01; `offset` is that of its first row, seconds."""

    day: int
    offset: int
    value: Number
    minimum: Number
    maximum: Number
    count: int
    hours: Hours


@dataclass(frozen=True, slots=True)
class Rule:
    """How a day is made of rows: the catalogue's aggregate, None for a metric it does not know.

    `source_rank` gives a single source's place in the person's order of priority, 0 first. `one_source` is for what is
    told as a whole and not along the day: a night's sleep is that of one source. `logged` is for amounts that people
    enter one by one, which never exclude each other.
    """

    aggregate: str | None
    source_rank: Callable[[str], int] = field(default=lambda _source: 0)
    one_source: bool = False
    logged: bool = False

    @property
    def cumulative(self) -> bool:
        """Whether rows add up."""
        return self.aggregate == "sum"

    def rank(self, source: str) -> int:
        """Return the place of a source set: that of its best part."""
        return min(map(self.source_rank, source_parts(source)), default=self.source_rank(source))


class Told(NamedTuple):
    """What of a strand counts: its rows, and each one's share (empty: all of every row)."""

    strand: Strand
    rows: Rows
    shares: Sequence[float] = ()


_CUMULATIVE_ORDER = (Grain.DAY, Grain.HOUR, Grain.RAW, Grain.MINUTE, Grain.SECOND)
_TRUST = {Grain.DAY: 0, Grain.HOUR: 0, Grain.RAW: 1, Grain.MINUTE: 2, Grain.SECOND: 3}
_FINEST_FIRST = (Grain.RAW, Grain.SECOND, Grain.MINUTE, Grain.HOUR, Grain.DAY)


def resolve(rule: Rule, strands: Iterable[Strand]) -> list[Day]:
    """Return the truth of every local day the rows fall into, ordered by day.

    Weeks, months and years belong to no day and are left out.
    """
    by_day: dict[int, list[Strand]] = defaultdict(list)
    for strand in strands:
        if GRAIN_SECONDS[strand.grain] <= GRAIN_SECONDS[Grain.DAY]:
            for day, rows in _split_by_day(strand.rows):
                by_day[day].append(Strand(strand.series_id, strand.source, strand.grain, rows))
    return [_resolve_day(rule, day, by_day[day]) for day in sorted(by_day)]


def choose(rule: Rule, strands: Sequence[Strand]) -> list[Told]:
    """Return what counts of each strand of one local day, the most trusted strand first."""
    if len(strands) == 1 and not (rule.cumulative and overlaps_itself(strands[0])):
        return [Told(strands[0], strands[0].rows)]
    if rule.one_source:
        return _the_best_alone(rule, strands)
    ordered = sorted(strands, key=lambda strand: _preference(rule, strand))
    if rule.cumulative:
        cover = Cover()
        return [_lay(rule, cover, strand) for strand in ordered]
    return list(_best_of_each_hour(ordered))


def _the_best_alone(rule: Rule, strands: Sequence[Strand]) -> list[Told]:
    """Count one strand: one that tells a number, whole days first, then by source, then the one that tells most."""

    def preference(strand: Strand) -> tuple[bool, int, int, float, str]:
        known = _told_only(strand.rows.value)
        order = _CUMULATIVE_ORDER.index(strand.grain)
        return not known, order, rule.rank(strand.source), -math.fsum(known), strand.source

    best, *others = sorted(strands, key=preference)
    return [Told(best, best.rows), *(Told(strand, strand.rows.part(0, 0)) for strand in others)]


def _preference(rule: Rule, strand: Strand) -> tuple[int, int, int, str, int]:
    if rule.cumulative:
        trust, grain = _TRUST[strand.grain], _CUMULATIVE_ORDER.index(strand.grain)
    else:
        trust, grain = _FINEST_FIRST.index(strand.grain), 0
    return trust, rule.rank(strand.source), -len(source_parts(strand.source)), strand.source, grain


def _split_by_day(rows: Rows) -> Iterator[tuple[int, Rows]]:
    days = rows.day
    if all(map(le, days, days[1:])):
        begin = 0
        while begin < len(days):
            end = bisect_right(days, days[begin], begin)
            yield days[begin], rows.part(begin, end)
            begin = end
        return
    positions: dict[int, list[int]] = defaultdict(list)  # a traveller's days may interleave
    for position, day in enumerate(days):
        positions[day].append(position)
    for day, here in positions.items():
        yield day, rows.pick(here)


def _resolve_day(rule: Rule, day: int, strands: Sequence[Strand]) -> Day:
    told = choose(rule, strands)
    hourly = told
    if any(strand.grain is Grain.DAY for strand in strands):
        finer = [strand for strand in strands if strand.grain is not Grain.DAY]
        hourly = choose(rule, finer) if finer else []
    hours = _hours(rule, hourly)
    value, minimum, maximum = aggregate(rule, told)
    if rule.aggregate == "avg" and sum(1 for part in told if len(part.rows)) > 1:
        known = _told_only(hours.value)
        value = math.fsum(known) / len(known) if known else value
    first = min((strand.rows.start[0], strand.rows.offset[0]) for strand in strands)
    return Day(
        day, first[1], value, minimum, maximum, count=sum(len(part.rows) for part in told), hours=hours
    )


def _hours(rule: Rule, told: Sequence[Told]) -> Hours:
    told = [part for part in told if len(part.rows)]
    if len(told) == 1 and not told[0].shares and _hours_follow(told[0].rows):
        return _hours_of_one(rule, told[0])
    by_hour: dict[int, list[Told]] = defaultdict(list)
    for part in told:
        for hour, here in _by_hour(part):
            by_hour[hour].append(here)
    starts = sorted(by_hour)
    columns = [aggregate(rule, by_hour[start]) for start in starts]
    return Hours(
        starts,
        [column[0] for column in columns],
        [column[1] for column in columns],
        [column[2] for column in columns],
        [sum(len(part.rows) for part in by_hour[start]) for start in starts],
    )


def _by_hour(told: Told) -> Iterator[tuple[int, Told]]:
    """Yield the hours of which a part tells, each with what it tells of it."""
    strand, rows, shares = told.strand, told.rows, told.shares
    if _hours_follow(rows):
        starts, edges = _hour_edges(rows)
        for hour, (begin, end) in zip(starts, pairwise(edges), strict=True):
            yield hour, Told(strand, rows.numbers(begin, end), shares[begin:end])
        return
    positions: dict[int, list[int]] = defaultdict(list)
    for position, hour in enumerate(_hours_of_rows(rows)):
        positions[hour].append(position)
    for hour, here in positions.items():
        yield hour, Told(strand, rows.pick(here), [shares[n] for n in here] if shares else ())


def _hours_follow(rows: Rows) -> bool:
    """Whether hours come in the order of their rows; not so where zones of whole and of half hours meet."""
    if min(rows.offset) == max(rows.offset):
        return True
    return len({offset % 3_600 for offset in set(rows.offset)}) == 1


def _hours_of_one(rule: Rule, told: Told) -> Hours:
    rows = told.rows
    starts, edges = _hour_edges(rows)
    if len(starts) == len(rows):  # one row an hour is its own truth
        value = rows.value if rule.aggregate else [None] * len(rows)
        if rule.aggregate == "max":
            value = _or_value(rows.maximum, rows.value)
        return Hours(
            starts,
            value,
            _or_value(rows.minimum, rows.value),
            _or_value(rows.maximum, rows.value),
            [1] * len(rows),
        )
    if not rows.minimum and not rows.maximum and None not in rows.value:
        parts: list[Any] = [
            rows.value[b:e] for b, e in pairwise(edges)
        ]  # each of an hour, and of numbers alone
        lows, highs = list(map(min, parts)), list(map(max, parts))
        fold = max if rule.aggregate == "max" else _FOLDS.get(rule.aggregate)
        folded = list(map(fold, parts)) if fold else [None] * len(parts)
        return Hours(starts, folded, lows, highs, list(map(len, parts)))
    columns = [
        _aggregate_columns(rule, rows.value[b:e], rows.minimum[b:e], rows.maximum[b:e])
        for b, e in pairwise(edges)
    ]
    return Hours(
        starts,
        [column[0] for column in columns],
        [column[1] for column in columns],
        [column[2] for column in columns],
        [end - begin for begin, end in pairwise(edges)],
    )


def _hour_edges(rows: Rows) -> tuple[list[int], list[int]]:
    """Return where each hour with rows starts (µs), and the positions at which hours begin, and the end."""
    if min(rows.offset) == max(rows.offset):
        # All in one offset: jump from hour to hour instead of asking every row.
        at, shift = rows.start, rows.offset[0] * SECOND_US
        starts, edges, position, count = [], [0], 0, len(rows)
        while position < count:
            hour = (at[position] + shift) // HOUR_US * HOUR_US - shift
            position = bisect_left(at, hour + HOUR_US, position)
            starts.append(hour)
            edges.append(position)
        return starts, edges
    hours = _hours_of_rows(rows)
    starts = list(dict.fromkeys(hours))
    return starts, [*(hours.index(start) for start in starts), len(hours)]


def _hours_of_rows(rows: Rows) -> list[int]:
    # Hours are the person's: in a zone of +05:30 they begin at half past in UTC.
    return [
        (start + offset * SECOND_US) // HOUR_US * HOUR_US - offset * SECOND_US
        for start, offset in zip(rows.start, rows.offset, strict=True)
    ]


def aggregate(rule: Rule, told: Sequence[Told]) -> tuple[Number, Number, Number]:
    """Return value, minimum and maximum of what counts; None where nothing was told."""
    if len(told) == 1:
        rows, shares = told[0].rows, told[0].shares
        return _aggregate_columns(rule, rows.value, rows.minimum, rows.maximum, shares)
    value: list[Number] = []
    minimum: list[Number] = []
    maximum: list[Number] = []
    shares_of_all: list[float] = []
    starts: list[int] = []
    for part in told:
        starts += part.rows.start
        value += part.rows.value
        minimum += _or_value(part.rows.minimum, part.rows.value)
        maximum += _or_value(part.rows.maximum, part.rows.value)
        shares_of_all += part.shares or [1.0] * len(part.rows)
    if rule.aggregate == "last":
        order = sorted(range(len(starts)), key=starts.__getitem__)
        value = [value[n] for n in order]
    return _aggregate_columns(rule, value, minimum, maximum, shares_of_all)


def _aggregate_columns(
    rule: Rule,
    value: Sequence[Number],
    minimum: Sequence[Number],
    maximum: Sequence[Number],
    shares: Sequence[float] = (),
) -> tuple[Number, Number, Number]:
    """Return value, minimum and maximum; what was never told stays None. Rows are in order of start."""
    known = _told_only(value)
    if minimum or maximum:
        lows, highs = _told_only(_or_value(minimum, value)), _told_only(_or_value(maximum, value))
    else:
        lows = highs = known
    lowest, highest = min(lows, default=None), max(highs, default=None)
    result: Number = None
    if rule.aggregate == "max":
        result = highest
    elif known:
        if rule.aggregate == "sum" and shares:
            result = math.fsum(v * s for v, s in zip(value, shares, strict=True) if v is not None)
        elif fold := _FOLDS.get(rule.aggregate):
            result = fold(known)
    return result, lowest, highest


def _mean(numbers: Sequence[float]) -> float:
    return math.fsum(numbers) / len(numbers)


_FOLDS: dict[str | None, Callable[[Sequence[float]], float]] = {
    "sum": math.fsum,
    "avg": _mean,
    "last": itemgetter(-1),
}


def _told_only(numbers: Sequence[Number]) -> Sequence[float]:
    if None in numbers:
        return [number for number in numbers if number is not None]
    return numbers  # type: ignore[return-value]  # the check above, which mypy cannot follow


def _or_value(bound: Sequence[Number], value: Sequence[Number]) -> Sequence[Number]:
    """Return the bound of each row, or its value where it has none."""
    if not bound:
        return value
    return [v if b is None else b for b, v in zip(bound, value, strict=True)]


def _best_of_each_hour(ordered: Sequence[Strand]) -> Iterator[Told]:
    taken: set[int] = set()
    for strand in ordered:
        if strand.grain is Grain.DAY and taken:
            yield Told(strand, strand.rows.part(0, 0))  # a whole day beside its hours says nothing new
            continue
        hours = _hours_of_rows(strand.rows)
        yield Told(strand, strand.rows.pick([n for n, hour in enumerate(hours) if hour not in taken]))
        taken.update(hours)


class Cover:
    """The time that is already told, as disjoint spans in order. Units: µs since 1970."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []
        self.hours: set[int] = set()  # hours that instants of a counting device stand for

    def __bool__(self) -> bool:
        return bool(self._begins or self.hours)

    def free(self, begin: int, end: int) -> int:
        """Return how much of the span is not covered; for an instant (begin = end), 1 or 0."""
        if not self._ends or begin >= self._ends[-1]:
            return (end - begin) or 1
        if begin == end:
            at = bisect_right(self._begins, begin) - 1
            return int(at < 0 or begin >= self._ends[at])
        covered = 0
        for n in range(bisect_right(self._ends, begin), bisect_left(self._begins, end)):
            covered += min(end, self._ends[n]) - max(begin, self._begins[n])
        return end - begin - covered

    def lay(self, begin: int, end: int) -> None:
        """Cover the span."""
        if begin == end:
            return
        if not self._ends or begin > self._ends[-1]:
            self._begins.append(begin)
            self._ends.append(end)
            return
        if begin >= self._begins[-1]:
            self._ends[-1] = max(self._ends[-1], end)
            return
        first, last = bisect_left(self._ends, begin), bisect_right(self._begins, end)
        if first < last:
            begin, end = min(begin, self._begins[first]), max(end, self._ends[last - 1])
        self._begins[first:last] = [begin]
        self._ends[first:last] = [end]


def _lay(rule: Rule, cover: Cover, strand: Strand) -> Told:
    """Take of the strand what is not covered yet, and cover its time.

    Buckets also exclude each other: a window that starts in the middle of an hour sends hours that overlap the
    aligned ones. Those on the hour come first. Raw samples of one source do not: they are its own counting.
    """
    rows = strand.rows
    if strand.grain is Grain.DAY:
        return _lay_day(cover, strand)
    if strand.grain is Grain.RAW:
        shares = _raw_shares(rule, cover, rows)
    else:
        shares = [0.0] * len(rows)
        spans = _spans(rows)
        for n in sorted(
            range(len(rows)), key=lambda n: (_is_unaligned(rows, n, strand.grain), rows.start[n])
        ):
            begin, end = spans[n]
            shares[n] = cover.free(begin, end) / max(1, end - begin)
            cover.lay(begin, end)
    if all(share == 1.0 for share in shares):
        return Told(strand, rows)
    kept = [n for n, share in enumerate(shares) if share > 0]
    return Told(strand, rows.pick(kept), [shares[n] for n in kept])


def _lay_day(cover: Cover, strand: Strand) -> Told:
    rows = strand.rows
    if cover:
        return Told(strand, rows.part(0, 0))

    def told_to(n: int) -> int:
        """How far the row tells: to the day's end, or to when it was told."""
        end = rows.start[n] + rows.duration[n] * SECOND_US
        return min(end, rows.told[n]) if rows.told and rows.told[n] > rows.start[n] else end

    # Of several zones' versions the first that tells the whole day: where the person was then.
    whole = [n for n in range(len(rows)) if told_to(n) == rows.start[n] + rows.duration[n] * SECOND_US]
    best = (
        min(whole, key=lambda n: (rows.told[n] if rows.told else 0, n))
        if whole
        else max(range(len(rows)), key=told_to)
    )
    cover.lay(-FOR_EVER_US, FOR_EVER_US if best in whole else told_to(best))
    return Told(strand, rows.pick([best]), [1.0])


def _raw_shares(rule: Rule, cover: Cover, rows: Rows) -> list[float]:
    spans = _spans(rows)
    if cover:
        shares = [cover.free(begin, end) / ((end - begin) or 1) for begin, end in spans]
    else:
        shares = [1.0] * len(spans)
    if not rule.logged:
        hours = _hours_of_rows(rows)
        instants = [n for n, (begin, end) in enumerate(spans) if begin == end]
        for n in instants:
            if hours[n] in cover.hours:
                shares[n] = 0.0
        cover.hours.update(hours[n] for n in instants)
    for begin, end in spans:
        cover.lay(begin, end)
    return shares


def _spans(rows: Rows) -> list[tuple[int, int]]:
    ends = [start + duration * SECOND_US for start, duration in zip(rows.start, rows.duration, strict=True)]
    if rows.told:
        # Nothing can be told before it begins: there the clocks of phone and house disagree, and the width counts.
        ends = [
            min(end, told) if told > start else end
            for start, end, told in zip(rows.start, ends, rows.told, strict=True)
        ]
    return list(zip(rows.start, ends, strict=True))


def _is_unaligned(rows: Rows, n: int, grain: Grain) -> bool:
    return (rows.start[n] + rows.offset[n] * SECOND_US) % (GRAIN_SECONDS[grain] * SECOND_US) != 0


def overlaps_itself(strand: Strand) -> bool:
    """Whether buckets of one series cover the same time, as windows that start within an hour make them."""
    if strand.grain is Grain.RAW:
        return False
    rows = strand.rows
    if strand.grain is Grain.DAY:
        return len(rows) > 1
    return any(
        following < start + duration * SECOND_US
        for start, duration, following in zip(rows.start, rows.duration, rows.start[1:], strict=False)
    )
