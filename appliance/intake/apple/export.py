"""A whole export as a stream of parts, none larger than memory allows, each saying what a `Reading` says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from appliance.catalog.load import Catalogue
from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind, Record
from appliance.domain.sample import SECOND_US
from appliance.domain.text import storable, storable_text
from appliance.domain.whereabouts import Whereabouts
from appliance.intake.apple.archive import Archive, Member, Stream
from appliance.intake.apple.ecgs import EcgReader, is_named_so, without_person
from appliance.intake.apple.elements import INNER, Node, NoElement, Walk, parse
from appliance.intake.apple.events import EventReader
from appliance.intake.apple.heartbeats import beats_from
from appliance.intake.apple.lanes import NAME_LENGTH, Lane, LaneReader, Lanes
from appliance.intake.apple.metadata import metadata_of
from appliance.intake.apple.summaries import SummaryReader
from appliance.intake.apple.times import LENGTH, Instants, Places
from appliance.intake.apple.usual import UsualRecords
from appliance.intake.apple.workouts import WorkoutReader
from appliance.intake.fields import RecordContext, Unreadable
from appliance.intake.reading import SAMPLES, Reading
from appliance.intake.timestamps import BadTimestamp, Timestamps

RECORDS_A_PART = 25_000
POINTS_A_PART = 50_000  # of routes and voltages
POINTS_A_STEP = 10_000  # lines that take no room may refer to routes that do
MOST_KEPT_BYTES = 64 << 10  # of one damaged stretch

CATEGORY = "HKCategoryTypeIdentifier"
DAMAGED = "damaged"


class Part(NamedTuple):
    """One part of an export.

    `done` and `total` count the bytes of the main file and then of the ECGs' files, `elements` those read until now.
    """

    reading: Reading
    done: int
    total: int
    elements: int


@dataclass(slots=True)
class About:
    """What is known of an export as a whole, complete once its last part has been read.

    `cut` says why not all of it could be read, None when it could. `mended` counts elements that were no XML and could
    be put right, `nested` the copies inside of correlations.
    """

    locale: str = ""
    exported_at: datetime | None = None
    me: dict[str, str] = field(default_factory=dict)
    elements: Counter[str] = field(default_factory=Counter)
    mended: int = 0
    nested: int = 0
    cut: str | None = None


class ExportReader:
    """Reads one opened export for one person."""

    def __init__(self, archive: Archive, catalogue: Catalogue, home: Whereabouts) -> None:
        self.about = About()
        self._archive = archive
        self._catalogue = catalogue
        self._places = Places(home)
        self._instants = Instants()
        self._context = RecordContext(catalogue, Timestamps(home.zone))
        self._reading = Reading()
        self._lanes = Lanes()
        self._usual = UsualRecords(self._lanes, self._instants)
        self._lane_reader = LaneReader(catalogue, self._places, self._set_aside)
        self._events = EventReader(catalogue, self._lane_reader, self._set_aside, self._context)
        self._workouts = WorkoutReader(archive, self._instants, self._places, self._context)
        self._summaries = SummaryReader(catalogue, self._instants, self._places)
        self._readers: dict[str, Callable[[Node], None]] = {
            "Record": self._read_record,
            "Workout": self._read_workout,
            "Correlation": self._read_correlation,
            "ActivitySummary": self._read_summary,
            "ExportDate": self._read_date,
            "Me": self._read_me,
        }
        self._records = 0
        self._points = self._points_of_step = 0
        self._walk: Walk | None = None
        self._kept = 0
        self._content = b""

    def parts(self, *, skip: int = 0) -> Iterator[Part]:
        """Yield the parts of the export in the order of the file, then the ECGs.

        `skip` leaves out what lies before this many bytes, as told by an earlier part's `done`.
        Raises `NoElement` when the main file is none.
        """
        stream = self._archive.open(self._archive.main)
        ecgs = self._archive.ending(".csv")
        total = self._archive.main.size + sum(member.size for member in ecgs)
        self._walk = walk = Walk(stream.read, self._take, self._take_lines)
        for _ in walk.steps():
            self._points_of_step = 0
            self._tell_damage(walk)
            if walk.offset <= skip:
                self._forget()
            elif self._records + self._usual.taken >= RECORDS_A_PART or self._points >= POINTS_A_PART:
                yield self._part(walk.offset, total)
        self._tell_damage(walk)
        self._tell_ending(walk, stream)
        total = max(total, walk.offset)
        if walk.offset > skip:
            yield self._part(walk.offset, total)
        else:
            self._forget()
        yield from self._read_ecgs(ecgs, walk.offset, total, skip)

    def _part(self, done: int, total: int) -> Part:
        for lane in self._lanes.take_all():
            self._read_lane(lane)
        reading = self._reading
        self._forget()
        return Part(reading, done, total, self.about.elements.total())

    def _forget(self) -> None:
        self.about.elements["Record"] += self._usual.taken
        self._usual.taken = 0
        self._lanes.take_all()
        if self._lanes.is_crowded:
            self._lanes.forget()
            self._usual.forget_lanes()
        self._reading = Reading()
        self._records = self._points = 0

    def _read_lane(self, lane: Lane) -> None:
        category = self._catalogue.category(lane.type) if lane.type.startswith(CATEGORY) else None
        if category is not None:
            self._events.read(category, lane, self._reading)
        elif self._catalogue.metric(lane.type) or (lane.unit and not lane.type.startswith(CATEGORY)):
            self._lane_reader.read_quantities(lane, self._reading)
        else:
            self._reading.received[SAMPLES] += len(lane)
            for position in range(len(lane)):
                self._not_read_yet(SAMPLES, lane.type, lane.told(position))

    def _take_lines(self, content: bytes) -> Iterable[tuple[int, bytes]]:
        return self._usual.take(content)

    def _take(self, piece: bytes) -> bool:
        """Take one element without its opening “<”; return whether it was one."""
        found = piece.split(None, 1)[0] if piece else b""
        if not found or found.rstrip(b"/>") in INNER:
            return False
        try:
            node = parse(b"<" + piece)
        except NoElement:
            return False
        self.about.mended += node.mended
        self._content = piece
        self._read_element(node)
        return True

    def _read_element(self, node: Node) -> None:
        name = node.name
        reader = self._readers.get(name)
        self.about.elements[name if reader else "other"] += 1
        if reader is not None:
            reader(node)
            return
        kind = storable_text(name, NAME_LENGTH)
        self._reading.received[kind] += 1
        self._not_read_yet(kind, kind, self._as_told())

    def _read_record(self, node: Node) -> None:
        told = node.attributes
        start = told.get("startDate", "")
        if not told.get("type") or not start:
            self._reading.received[SAMPLES] += 1
            self._set_aside(
                SAMPLES,
                "",
                Reason.MISSING_VALUE,
                "The record does not tell what or when it was.",
                self._as_told(),
            )
            return
        lane = self._lanes.lane(told)
        end, value = told.get("endDate") or start, told.get("value")
        lane.odd |= len(start) != LENGTH or len(end) != LENGTH
        metadata, zone = metadata_of(node.named("MetadataEntry"))
        extra: dict[str, Any] = dict(metadata)
        beats = [
            (beat.attributes.get("bpm", ""), beat.attributes.get("time", ""))
            for each in node.named("HeartRateVariabilityMetadataList")
            for beat in each.children
        ]
        if beats:
            extra |= beats_from(beats, start.encode(), self._instants)
        lane.add(start.encode(), end.encode(), None if value is None else value.encode(), extra, zone)
        self._records += 1

    def _read_workout(self, node: Node) -> None:
        self._read_one(Kind.WORKOUT, lambda position: self._workouts.read(node, position))

    def _read_correlation(self, node: Node) -> None:
        self.about.nested += len(node.named("Record"))
        self._read_one(Kind.CORRELATION, lambda position: self._summaries.correlation(node, position))

    def _read_summary(self, node: Node) -> None:
        exported_at = self.about.exported_at
        self._read_one(
            Kind.ACTIVITY_SUMMARY, lambda position: self._summaries.activity(node, position, exported_at)
        )

    def _read_one(self, kind: Kind, read: Callable[[int], Record], told: Any = None) -> None:
        position = self._reading.received[kind]
        self._reading.received[kind] += 1
        try:
            record = read(position)
        except Unreadable as fate:
            self._set_aside(kind, kind, fate.reason, fate.detail, told or self._as_told())
            return
        except BadTimestamp as error:
            why = f"A date cannot be read: {error}."
            self._set_aside(kind, kind, Reason.BAD_TIMESTAMP, why, told or self._as_told())
            return
        self._reading.records.setdefault(kind, []).append(record)
        points = sum(len(track.at) for track in record.tracks)
        self._points += points
        self._points_of_step += points
        if self._walk is not None:
            self._walk.pause |= self._points_of_step >= POINTS_A_STEP
        self._records += 10  # each is a statement of its own

    def _read_date(self, node: Node) -> None:
        try:
            at = self._instants.read(node.attributes.get("value", "").encode())
        except BadTimestamp:
            return
        self.about.exported_at = datetime.fromtimestamp(at / SECOND_US, UTC)

    def _read_me(self, node: Node) -> None:
        self.about.me = {
            storable_text(name.removeprefix("HKCharacteristicTypeIdentifier"), NAME_LENGTH): storable_text(
                value, NAME_LENGTH
            )
            for name, value in node.attributes.items()
        }

    def _read_ecgs(self, members: Sequence[Member], done: int, total: int, skip: int) -> Iterator[Part]:
        reader = EcgReader(self._catalogue, self._instants, self._places)
        for member in members:
            done += member.size
            if done <= skip:
                continue
            content = self._archive.read(member)
            if content is not None and reader.is_ecg(content):
                told = {"file": storable_text(member.name), "csv": _text(without_person(content))}
                self._read_one(Kind.ECG, partial(reader.read, content), told)
            elif content is None or is_named_so(member.name):
                self._reading.received[Kind.ECG] += 1
                why = "The file is damaged or too large." if content is None else "The file holds no ECG."
                self._set_aside(
                    Kind.ECG, Kind.ECG, Reason.WRONG_SHAPE, why, {"file": storable_text(member.name)}
                )
            if self._points >= POINTS_A_PART:
                yield self._part(done, total)
        if self._reading.received:
            yield self._part(done, total)

    def _tell_damage(self, walk: Walk) -> None:
        for damage in walk.damage:
            self._reading.received[DAMAGED] += 1
            self._set_aside(
                DAMAGED,
                DAMAGED,
                Reason.WRONG_SHAPE,
                f"At byte {damage.offset:,} of the file something is damaged or cut off.",
                {"offset": damage.offset, "bytes": len(damage.content), "xml": _text(damage.content)},
            )
        walk.damage.clear()

    def _tell_ending(self, walk: Walk, stream: Stream) -> None:
        if stream.fault:
            self.about.cut = f"The export's main file cannot be read to its end: {stream.fault}."
        elif not walk.complete:
            self.about.cut = "The export's main file ends too early: it was cut off."

    def _as_told(self) -> dict[str, Any]:
        return {"xml": _text(b"<" + self._content)}

    def _not_read_yet(self, kind: str, name: str, item: Any) -> None:
        detail = (
            f"“{storable_text(name, NAME_LENGTH)}” is kept as it came and will be read by a later version."
        )
        self._set_aside(kind, name, Reason.NOT_READ_YET, detail, item)

    def _set_aside(self, kind: str, name: str, reason: Reason, detail: str, item: Any) -> None:
        path = f"data.elements[{self._kept}]"
        self._kept += 1
        self._reading.set_aside(kind, storable_text(name, NAME_LENGTH), path, reason, detail, item)


def _text(content: bytes) -> str:
    told: str = storable(content[:MOST_KEPT_BYTES].decode("utf-8", "replace"))
    return told
