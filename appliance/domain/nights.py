"""Nights out of sessions and segments: one truth per source, and one source to show.

Segments of a source less than an hour apart make a session, in which no minute is counted twice: a stage beats sleep
without one, sleep beats nothing but the time in bed, and of two stages the one told later wins.

Where a source tells a night both summed up and in segments, the segments stand, because they carry the detail, unless
they tell clearly less sleep than the sum does (more than `SAME_NIGHT_H` less): then some of them are missing.

Where several sources tell a night, the most complete is shown (stages, then sleep without stages, then only time in
bed), then the one the person believes first, then the longer one. The others stay readable. All pure.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

from appliance.domain.sample import HOUR_US, local_day
from appliance.domain.sleep import (
    SLEEPING,
    Hours,
    Segment,
    Session,
    SleepStage,
    Stretch,
    flags_of,
    standing,
)

SESSION_GAP_US = HOUR_US
SAME_NIGHT_H = 0.25

SourceRank = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class SourceNight:
    """What one source tells of the sleep that ended on a day; at least one session, by time."""

    source: str
    day: int
    sessions: tuple[Session, ...]

    @property
    def hours(self) -> Hours:
        """The hours of all sessions together."""
        return reduce(Hours.__add__, (session.hours for session in self.sessions))

    @property
    def main(self) -> Session:
        """The longest session: the night itself."""
        return max(
            self.sessions, key=lambda session: (session.slept, session.hours.in_bed or 0, -session.begin)
        )

    @property
    def naps(self) -> tuple[Session, ...]:
        """The other sessions."""
        main = self.main
        return tuple(session for session in self.sessions if session is not main)

    @property
    def offset(self) -> int:
        """The offset from UTC where the person woke up, in seconds."""
        return self.main.offset

    @property
    def flags(self) -> tuple[str, ...]:
        """What is odd about it."""
        told = {flag for session in self.sessions for flag in session.flags}
        return tuple(sorted(told.union(flags_of(self.hours))))

    @property
    def upload_ids(self) -> tuple[int, ...]:
        """The uploads that tell it."""
        return tuple(sorted({upload_id for session in self.sessions for upload_id in session.upload_ids}))

    @property
    def efficiency(self) -> float | None:
        """Sleep in the night itself as percent of its time in bed; None where the bed is not told, or too short."""
        session = self.main
        in_bed = session.in_bed_hours
        if not in_bed or session.hours.total is None or session.hours.total > in_bed * 1.01:
            return None
        return min(100.0, 100 * session.hours.total / in_bed)


@dataclass(frozen=True, slots=True)
class Night:
    """All that is told of the sleep that ended on a day; the source to show comes first. `why` says why it does."""

    day: int
    sources: tuple[SourceNight, ...]
    why: str

    @property
    def shown(self) -> SourceNight:
        """What to show."""
        return self.sources[0]


def nights_of(sessions: Iterable[Session], segments: Iterable[Segment], rank: SourceRank) -> list[Night]:
    """Return every night told, by day. `rank` gives a source set's place in the person's order, 0 first."""
    told: dict[tuple[int, str], tuple[list[Session], list[Session]]] = defaultdict(lambda: ([], []))
    for part, found in ((0, _each_standing(sessions)), (1, sessions_of(segments))):
        for session in found:
            told[session.night, session.source][part].append(session)
    by_day: dict[int, list[SourceNight]] = defaultdict(list)
    for (day, source), (summed, pieced) in sorted(told.items()):
        by_day[day].append(SourceNight(source, day, tuple(_one_truth(summed, pieced))))
    return [_night(day, sources, rank) for day, sources in by_day.items()]


def sessions_of(segments: Iterable[Segment]) -> list[Session]:
    """Return the sessions that segments make, source by source and by time."""
    by_source: dict[str, list[Segment]] = defaultdict(list)
    for segment in segments:
        by_source[segment.source].append(segment)
    return [
        _session(group)
        for source in sorted(by_source)
        for group in _groups(by_source[source])
        if any(map(_length, group))
    ]


def _each_standing(sessions: Iterable[Session]) -> Iterator[Session]:
    by_source: dict[str, list[Session]] = defaultdict(list)
    for session in sessions:
        by_source[session.source].append(session)
    for of_one in by_source.values():
        yield from standing(of_one)


def _one_truth(summed: list[Session], pieced: list[Session]) -> list[Session]:
    if not summed or not pieced:
        return summed or pieced
    asleep = [sum(session.slept for session in sessions) for sessions in (summed, pieced)]
    return pieced if asleep[1] >= asleep[0] - SAME_NIGHT_H else summed


def _night(day: int, sources: Sequence[SourceNight], rank: SourceRank) -> Night:
    def preference(night: SourceNight) -> tuple[int, int, float, str]:
        hours = night.hours
        return -hours.completeness, rank(night.source), -(hours.total or hours.in_bed or 0), night.source

    ordered = sorted(sources, key=preference)
    return Night(day, tuple(ordered), _why([preference(night) for night in ordered]))


_COMPLETENESS = {
    -3: "tells sleep stages",
    -2: "tells sleep",
    -1: "tells the time in bed",
    0: "is the first by name",
}


def _why(preferences: Sequence[tuple[int, int, float, str]]) -> str:
    if len(preferences) == 1:
        return "It is the only source of this night."
    best, second = preferences[:2]
    if best[0] != second[0]:
        return f"It {_COMPLETENESS[best[0]]}, the others do not."
    if best[1] != second[1]:
        return "It comes first in your order of sources, of those that tell as much."
    if best[2] != second[2]:
        return "It tells of the longer sleep, of those that are equal otherwise."
    return "The sources tell the same; it is the first by name."


def _groups(segments: list[Segment]) -> Iterator[list[Segment]]:
    group: list[Segment] = []
    until = 0
    for segment in sorted(segments, key=lambda one: (one.start, one.end)):
        if group and segment.start - until >= SESSION_GAP_US:
            yield group
            group = []
        until = max(until, segment.end) if group else segment.end
        group.append(segment)
    if group:
        yield group


def _session(group: Sequence[Segment]) -> Session:
    stretches = [
        *_laid_out([segment for segment in group if segment.stage is not SleepStage.IN_BED]),
        *_laid_out([segment for segment in group if segment.stage is SleepStage.IN_BED]),
    ]
    stretches.sort(key=lambda stretch: (stretch.start, stretch.stage is not SleepStage.IN_BED, stretch.end))
    asleep = [stretch for stretch in stretches if stretch.stage in SLEEPING]
    in_bed = [stretch for stretch in stretches if stretch.stage is SleepStage.IN_BED]
    deciding = asleep or in_bed or stretches
    first, last = deciding[0], max(deciding, key=lambda stretch: stretch.end)
    told = {segment.stage for segment in group}
    by_stage = {
        stage: sum(_length(stretch) for stretch in stretches if stretch.stage is stage) / HOUR_US
        if stage in told
        else None
        for stage in SleepStage
    }
    hours = Hours(
        total=sum(_length(stretch) for stretch in asleep) / HOUR_US if asleep else None,
        **{stage.value: length for stage, length in by_stage.items()},
    )
    return Session(
        source=group[0].source,
        night=local_day(last.end, last.offset),
        offset=last.offset,
        hours=hours,
        sleep_start=asleep[0].start if asleep else None,
        sleep_end=max(stretch.end for stretch in asleep) if asleep else None,
        in_bed_start=in_bed[0].start if in_bed else None,
        in_bed_end=in_bed[-1].end if in_bed else None,
        start_offset=first.offset,
        flags=tuple(sorted({flag for segment in group for flag in segment.flags}.union(flags_of(hours)))),
        stretches=tuple(stretches),
        upload_ids=tuple(sorted({segment.upload_id for segment in group})),
    )


def _laid_out(segments: Sequence[Segment]) -> list[Stretch]:
    """Return disjoint stretches in order: at every moment the segment that is believed most."""
    edges = sorted({edge for segment in segments for edge in (segment.start, segment.end)})
    coming = sorted(enumerate(segments), key=lambda each: -each[1].start)
    open_now: list[tuple[bool, int, int, int]] = []
    stretches: list[Stretch] = []
    for begin, end in pairwise(edges):
        while coming and coming[-1][1].start <= begin:
            n, segment = coming.pop()
            heapq.heappush(
                open_now, (segment.stage is SleepStage.ASLEEP, -segment.upload_id, -segment.start, n)
            )
        while open_now and segments[open_now[0][3]].end <= begin:
            heapq.heappop(open_now)
        if not open_now:
            continue
        best = segments[open_now[0][3]]
        before = stretches[-1] if stretches else None
        if before and (before.stage, before.end) == (best.stage, begin):
            stretches[-1] = before._replace(end=end, upload_id=max(before.upload_id, best.upload_id))
        else:
            stretches.append(Stretch(best.stage, begin, end, best.offset, best.upload_id))
    return stretches


def _length(told: Segment | Stretch) -> int:
    return told.end - told.start
