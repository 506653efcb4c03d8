"""Sleep as it is told: sessions a phone has summed up, segments of single stages, and which telling stands.

The same session arrives again and again: clipped by the export window, grown, or scored anew. Sessions of one source
that overlap in time are one session, and of these

* the same window is a re-score: the newest upload wins;
* a window inside the other, or a smaller total, never replaces the fuller one, whichever came first;
* a window round the other with no smaller total, or a greater total, replaces it;
* what is left (as much sleep in a shifted window) goes to the newest upload.

Sessions that do not overlap are different ones (a nap), also within one day. In bed is an envelope round the sleep and
never added to it. Instants are µs since 1970 UTC, offsets seconds, lengths hours, nights the local day of waking up
in days since 1970-01-01.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from appliance.domain.localday import day_number, instant, microseconds
from appliance.domain.record import Kind, Record, natural_identity
from appliance.domain.sample import HOUR_US, SECOND_US, local_day
from appliance.domain.truth import Cover
from appliance.domain.verdict import Verdict

LONGEST_H = 24.0  # more than this of anything in one session is surely wrong
LONG_NIGHT_H = 14.0  # a ring was seen to tell 6.3, 7.3, 10.8 and 14.7 hours of the same night
TOLERANCE_H = 1e-6  # the same hours sent as minutes differ in the last digits

# Sessions that overlap may end on days this far apart: they are at most a day long, and offsets differ.
_NIGHTS_APART = range(-2, 3)

OVER_14_HOURS = "over_14_hours"
NO_TIMES = "no_times"
LENGTH_DISAGREES = "length_disagrees"


class SleepStage(StrEnum):
    """What a stretch of time was spent in; `asleep` is sleep of no stage told."""

    IN_BED = "in_bed"
    AWAKE = "awake"
    CORE = "core"
    DEEP = "deep"
    REM = "rem"
    ASLEEP = "asleep"


SLEEPING = (SleepStage.CORE, SleepStage.DEEP, SleepStage.REM, SleepStage.ASLEEP)


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours by stage; None where nothing was told, which is not 0. `total` is the sleep, without awake and in bed."""

    total: float | None = None
    asleep: float | None = None
    core: float | None = None
    deep: float | None = None
    rem: float | None = None
    awake: float | None = None
    in_bed: float | None = None

    def __add__(self, other: Hours) -> Hours:
        return Hours(*(_sum(getattr(self, part.name), getattr(other, part.name)) for part in fields(self)))

    @property
    def staged(self) -> float:
        """The sleep that has a stage."""
        return (self.core or 0) + (self.deep or 0) + (self.rem or 0)

    @property
    def completeness(self) -> int:
        """How much is told: 3 with stages, 2 sleep without any, 1 only time in bed, 0 nothing."""
        if self.staged:
            return 3
        return 2 if self.total else 1 if self.in_bed else 0

    def as_dict(self) -> dict[str, float | None]:
        """Return the hours by name."""
        return asdict(self)

    def equals(self, other: Hours) -> bool:
        """Whether the same is told, but for the last digits."""
        return all(
            one is two or (one is not None and two is not None and abs(one - two) <= TOLERANCE_H)
            for one, two in zip(asdict(self).values(), asdict(other).values(), strict=True)
        )


class Stretch(NamedTuple):
    """A stage from an instant to another, after overlaps have been resolved."""

    stage: SleepStage
    start: int
    end: int
    offset: int
    upload_id: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One stage as a phone told it. `item` is the place among the upload's sleep items."""

    source: str
    stage: SleepStage
    start: int
    end: int
    offset: int
    flags: tuple[str, ...] = ()
    item: int = 0
    upload_id: int = 0

    def covers(self, other: Segment) -> bool:
        """Whether the other one lies within this one, or is as long."""
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True, slots=True)
class Session:
    """One sleep of one source: a night, a part of it, or a nap.

    `offset` is that of waking up and `start_offset` that of falling asleep; they differ in a night of a clock
    change. `generation` is the shape it came in: 1 (before stages), 2 (stages), 3 (totalSleep) or 0 (made of segments).
    `stretches` are there only for those. `upload_ids` are the uploads that what is told came with.
    """

    source: str
    night: int
    offset: int
    hours: Hours
    sleep_start: int | None = None
    sleep_end: int | None = None
    in_bed_start: int | None = None
    in_bed_end: int | None = None
    start_offset: int = 0
    generation: int = 0
    flags: tuple[str, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    upload_ids: tuple[int, ...] = ()
    item: int = 0

    @property
    def window(self) -> tuple[int, int] | None:
        """From falling asleep to waking up, or the time in bed where only that is told; None without both ends."""
        if self.sleep_start is not None and self.sleep_end is not None:
            return self.sleep_start, self.sleep_end
        if self.in_bed_start is not None and self.in_bed_end is not None:
            return self.in_bed_start, self.in_bed_end
        return None

    @property
    def slept(self) -> float:
        """The hours asleep, 0 where none are told."""
        return self.hours.total or 0.0

    @property
    def in_bed_hours(self) -> float | None:
        """The hours in bed as told, else from lying down to getting up; None where neither is told."""
        if self.hours.in_bed:
            return self.hours.in_bed
        if self.in_bed_start is None or self.in_bed_end is None:
            return None
        return (self.in_bed_end - self.in_bed_start) / HOUR_US

    @property
    def upload_id(self) -> int:
        """The newest upload that what is told came with."""
        return max(self.upload_ids, default=0)

    @property
    def begin(self) -> int:
        """The first instant told, for ordering; a session without times begins with its day."""
        told = [
            at
            for at in (self.sleep_start, self.in_bed_start, self.sleep_end, self.in_bed_end)
            if at is not None
        ]
        return min(told, default=self.night * 24 * HOUR_US - self.offset * SECOND_US)

    def overlaps(self, other: Session) -> bool:
        """Whether both are of one source and of one time; without times, of one night."""
        if self.source != other.source:
            return False
        if self.window is None or other.window is None:
            return self.window is other.window and self.night == other.night
        return self.window == other.window or (
            self.window[0] < other.window[1] and other.window[0] < self.window[1]
        )

    def tells_the_same(self, other: Session) -> bool:
        """Whether times and hours are the same, wherever on earth the times were written."""
        mine = self.sleep_start, self.sleep_end, self.in_bed_start, self.in_bed_end
        theirs = other.sleep_start, other.sleep_end, other.in_bed_start, other.in_bed_end
        return mine == theirs and self.hours.equals(other.hours)

    def where_first_told(self, held: Session) -> Session:
        """Return the session with the offsets told first, which are nearest to where the person was."""
        end = self.sleep_end if self.sleep_end is not None else self.in_bed_end
        if self.window is None or end is None:
            return self
        night = local_day(end, held.offset)
        return replace(self, offset=held.offset, start_offset=held.start_offset, night=night)

    @property
    def identity(self) -> str:
        """The name of the record that holds the session: its source and window, or its night."""
        return natural_identity(self.source, *(self.window or (_day(self.night), NO_TIMES)))

    def as_record(self) -> Record:
        """Return the session as a record, labelled with its night."""
        content = {
            "night": _day(self.night),
            "generation": self.generation,
            **self.hours.as_dict(),
            "sleep_start": _told(self.sleep_start, self.start_offset),
            "sleep_end": _told(self.sleep_end, self.offset),
            "in_bed_start": _told(self.in_bed_start, self.start_offset),
            "in_bed_end": _told(self.in_bed_end, self.offset),
        }
        return Record(
            kind=Kind.SLEEP,
            identity=self.identity,
            label=_day(self.night),
            source=self.source,
            start=self.begin,
            end=self.sleep_end if self.sleep_end is not None else self.in_bed_end,
            offset=self.offset,
            content=content,
            item=self.item,
            flags=self.flags,
        )

    @classmethod
    def from_content(
        cls, content: Mapping[str, Any], source: str, offset: int, flags: Iterable[str], upload_id: int
    ) -> Session:
        """Return the session that a record holds."""
        begun = content["sleep_start"] or content["in_bed_start"]
        start_offset = datetime.fromisoformat(begun).utcoffset() if begun else None
        return cls(
            source=source,
            night=day_number(date.fromisoformat(content["night"])),
            offset=offset,
            hours=Hours(*(content[part.name] for part in fields(Hours))),
            sleep_start=_instant(content["sleep_start"]),
            sleep_end=_instant(content["sleep_end"]),
            in_bed_start=_instant(content["in_bed_start"]),
            in_bed_end=_instant(content["in_bed_end"]),
            start_offset=offset if start_offset is None else int(start_offset.total_seconds()),
            generation=content["generation"],
            flags=tuple(flags),
            upload_ids=(upload_id,),
        )


def judge_session(told: Session, held: Session) -> Verdict:
    """Decide which of two tellings of one session stands (see the module); `REVISED` is for the one told now."""
    if told.tells_the_same(held):
        return Verdict.UNCHANGED
    if told.window == held.window and told.window is not None:
        return _newest(told, held)
    is_first_sleep = held.slept == 0 and told.slept > 0  # until now only time in bed, which is always longer
    if told.slept < held.slept - TOLERANCE_H or (_inside(told.window, held.window) and not is_first_sleep):
        return Verdict.SUPERSEDED
    if told.slept > held.slept + TOLERANCE_H or _inside(held.window, told.window):
        return Verdict.REVISED
    return _newest(told, held)


class Sessions:
    """All sessions held along some time, told apart by what they say and not by when they came."""

    def __init__(self, held: Iterable[Session] = ()) -> None:
        self._by_night: dict[tuple[str, int], list[Session]] = defaultdict(list)
        for session in held:
            self._by_night[session.source, session.night].append(session)

    def __iter__(self) -> Iterator[Session]:
        return (session for of_night in self._by_night.values() for session in of_night)

    def take(self, told: Session) -> tuple[Verdict, Session, Session | None]:
        """Return what becomes of a session, the one that stands for it now, and the one that made way for it."""
        rival = self._rival(told)
        if rival is not None:
            told = told.where_first_told(rival)
            verdict = judge_session(told, rival)
            if verdict is not Verdict.REVISED:
                return verdict, rival, None
            self._by_night[rival.source, rival.night].remove(rival)
        self._by_night[told.source, told.night].append(told)
        return (Verdict.STORED if rival is None else Verdict.REVISED), told, rival

    def _rival(self, told: Session) -> Session | None:
        """Return what is held of the same session: of the same window, else the fullest that overlaps."""
        near = [
            held
            for apart in _NIGHTS_APART
            for held in self._by_night.get((told.source, told.night + apart), ())
            if held.overlaps(told)
        ]
        same = [held for held in near if held.window == told.window]
        return max(same or near, key=_fullness, default=None)


def standing(sessions: Iterable[Session]) -> list[Session]:
    """Return the sessions of one source without those that a fuller one overlaps, by time.

    One without times is believed where it tells more than all sessions of its night that have them.
    """
    chosen: dict[int, list[Session]] = defaultdict(list)
    cover = Cover()
    fullest_first = sorted(sessions, key=_fullness, reverse=True)
    for session in fullest_first:
        if session.window is not None and cover.free(*session.window) == max(
            1, session.window[1] - session.window[0]
        ):
            cover.lay(*session.window)
            chosen[session.night].append(session)
    for session in fullest_first:
        rivals = chosen[session.night]
        if session.window is None and (
            not rivals or session.slept > sum(other.slept for other in rivals) + TOLERANCE_H
        ):
            chosen[session.night] = [session]
    return sorted(
        (session for of_night in chosen.values() for session in of_night), key=lambda session: session.begin
    )


class StageLine:
    """All segments of one source and stage along time, none of which lies within another."""

    def __init__(self, held: Iterable[Segment] = ()) -> None:
        self._segments: list[Segment] = []
        self._starts: list[int] = []
        for segment in sorted(held, key=lambda one: one.start):
            self.take(segment)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._segments)

    def take(self, told: Segment) -> tuple[Verdict, list[Segment]]:
        """Return what becomes of a segment, and which others make way for it.

        One that lies within a held one is a clip of it; those that lie within a longer one make way.
        """
        before = bisect_right(self._starts, told.start)
        if before and self._segments[before - 1].end >= told.end:  # no earlier one reaches further
            is_equal = told.covers(self._segments[before - 1])
            return (Verdict.UNCHANGED if is_equal else Verdict.SUPERSEDED), []
        begin = end = bisect_left(self._starts, told.start)
        while end < len(self._segments) and self._segments[end].end <= told.end:
            end += 1
        clips = self._segments[begin:end]
        self._segments[begin:end], self._starts[begin:end] = [told], [told.start]
        return (Verdict.REVISED if clips else Verdict.STORED), clips


def flags_of(hours: Hours) -> tuple[str, ...]:
    """Return what is odd about these hours."""
    return (OVER_14_HOURS,) if (hours.total or 0) > LONG_NIGHT_H else ()


def _fullness(session: Session) -> tuple[float, int, int, int]:
    window = session.window or (0, 0)
    return session.slept, window[1] - window[0], session.upload_id, -window[0]


def _newest(told: Session, held: Session) -> Verdict:
    return Verdict.REVISED if told.upload_id >= held.upload_id else Verdict.SUPERSEDED


def _inside(one: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    return (
        one is not None and other is not None and one != other and other[0] <= one[0] and one[1] <= other[1]
    )


def _sum(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _day(night: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=night)).isoformat()


def _instant(told: str | None) -> int | None:
    return None if told is None else microseconds(datetime.fromisoformat(told))


def _told(at: int | None, offset: int) -> str | None:
    return None if at is None else instant(at, offset).isoformat()
