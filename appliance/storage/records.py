"""Records and their tracks: written whole, replaced whole but for tracks not told again, earlier versions kept."""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, text, true, tuple_, update

from appliance.domain.localday import instant, microseconds
from appliance.domain.record import (
    UNKNOWN_TYPE,
    HeldRecord,
    Kind,
    Outdone,
    Record,
    Track,
    in_held_digits,
    is_told_further,
    judge_record,
)
from appliance.domain.verdict import Verdict
from appliance.storage import binary
from appliance.storage.among import among
from appliance.storage.database import driver_connection
from appliance.storage.tables import record, record_revision, record_track

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence
    from datetime import datetime

# Kinds whose identity holds a name as it was told, in whatever language.
_NAMED_IN_WORDS = {Kind.SYMPTOM, Kind.CYCLE, Kind.HEART_NOTIFICATION}
_TRACK_COLUMNS = "person_id, record_id, name, start_at, channels, units, values"
_TRACK_FIELDS = 7
_TRACK_HEAD = struct.Struct(">hiqiq")


class StoredTrack(NamedTuple):
    """A track as held. Instants in µs since 1970 UTC."""

    name: str
    at: list[int]
    channels: dict[str, list[float | None]]
    units: dict[str, str]


class TrackOutline(NamedTuple):
    """A track as held, without its points."""

    name: str
    points: int
    channels: list[str]
    units: dict[str, str]


def store(
    connection: Connection,
    person_id: int,
    upload_id: int,
    at: datetime,
    records: Sequence[Record],
    outdone: Outdone = is_told_further,
    *,
    adds_only: bool = False,
) -> list[Verdict]:
    """Store records of one kind and return what became of each. The caller holds the person's lock.

    With `adds_only` what is not told any more stays in a record: a file knows less of some than the phone tells live.

    Of several with the same identity in one upload the last one told is compared; the others are settled first.
    What was held without the phone's id takes the id on when it comes; told once more without, it is poorer, and no
    more than a track is taken that was not told before.
    """
    if not records:
        return []
    identities = {each.identity for each in records} | {each.natural for each in records if each.natural}
    held = _held(connection, person_id, records[0].kind, identities)
    alike = _held_alike(
        connection, person_id, [each for each in records if each.identity not in held], held.keys()
    )
    taken: set[int] = set()
    last = {each.identity: position for position, each in enumerate(records)}
    verdicts = []
    new: list[Record] = []
    for position, each in enumerate(records):
        if last[each.identity] != position:
            newest = records[last[each.identity]]
            verdicts.append(Verdict.UNCHANGED if each.digest == newest.digest else Verdict.SUPERSEDED)
            continue
        rival = held.get(each.identity) or held.pop(each.natural or "", None)
        others = [] if rival else [row for row in alike.get(each.start, ()) if row.record_id not in taken]
        same = next((row for row in others if _is_same(row, each)), None)
        if same is not None:
            taken.add(same.record_id)
            if each.natural == each.identity:
                verdicts.append(_add_tracks(connection, person_id, upload_id, at, same, each))
                continue
            rival = as_held(
                same, track_names(connection, person_id, [same.record_id]).get(same.record_id, ())
            )
        if rival is not None:
            taken.add(rival.record_id)
        verdict, final = (
            _judge_addition(each, rival, upload_id, outdone)
            if adds_only and rival is not None
            else (judge_record(each, rival, upload_id, outdone), each)
        )
        if verdict is Verdict.STORED:
            new.append(final)
        elif verdict is Verdict.REVISED and rival is not None:
            _replace(connection, person_id, upload_id, at, rival.record_id, final)
        verdicts.append(verdict)
    _insert(connection, person_id, upload_id, new)
    return verdicts


def write(
    connection: Connection, person_id: int, upload_id: int, at: datetime, each: Record, record_id: int | None
) -> int:
    """Write a record, in place of the held one if it is named, for who judges by rules of its own; return its id."""
    if record_id is not None:
        _replace(connection, person_id, upload_id, at, record_id, each)
        return record_id
    (added,) = _insert(connection, person_id, upload_id, [each])
    return added


def page(
    connection: Connection,
    person_id: int,
    kind: Kind,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    label: str | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int = 100,
) -> list[Row[Any]]:
    """Return records of a kind that start in [start, end), newest first, those before the cursor's place."""
    query = _of_kind(person_id, kind)
    if start is not None:
        query = query.where(record.c.start_at >= start)
    if end is not None:
        query = query.where(record.c.start_at < end)
    if label is not None:
        query = query.where(record.c.label == label)
    if before is not None:
        query = query.where(tuple_(record.c.start_at, record.c.record_id) < before)
    return list(
        connection.execute(query.order_by(record.c.start_at.desc(), record.c.record_id.desc()).limit(limit))
    )


def find(connection: Connection, person_id: int, kind: Kind, record_id: int) -> Row[Any] | None:
    """Return one record of this person and kind."""
    return connection.execute(_of_kind(person_id, kind).where(record.c.record_id == record_id)).one_or_none()


def of_kinds(
    connection: Connection, person_id: int, kinds: Iterable[Kind], start: datetime, end: datetime, limit: int
) -> list[Row[Any]]:
    """Return records of several kinds that start in [start, end), oldest first."""
    return list(
        connection.execute(
            select(record)
            .where(
                record.c.person_id == person_id,
                among(record.c.kind, kinds),
                record.c.start_at >= start,
                record.c.start_at < end,
            )
            .order_by(record.c.start_at, record.c.record_id)
            .limit(limit)
        )
    )


def overview(connection: Connection, person_id: int) -> list[Row[Any]]:
    """Return the newest record of each kind held, with how many there are (`held`) and when the first began (`first_at`)."""
    counted = (
        select(record.c.kind, func.count().label("held"), func.min(record.c.start_at).label("first_at"))
        .where(record.c.person_id == person_id)
        .group_by(record.c.kind)
        .subquery()
    )
    newest = (
        select(record)
        .where(record.c.person_id == person_id, record.c.kind == counted.c.kind)
        .order_by(record.c.start_at.desc(), record.c.record_id.desc())
        .limit(1)
        .lateral()
    )
    columns = (counted.c.held, counted.c.first_at, newest)
    return list(connection.execute(select(*columns).select_from(counted.join(newest, true()))))


def counts(connection: Connection, person_id: int) -> dict[str, int]:
    """Return how many records of each kind are held."""
    rows = connection.execute(
        select(record.c.kind, func.count().label("n"))
        .where(record.c.person_id == person_id)
        .group_by(record.c.kind)
    )
    return {row.kind: row.n for row in rows}


def revisions(connection: Connection, person_id: int, record_id: int) -> list[Row[Any]]:
    """Return the versions a record had before, newest first."""
    return list(
        connection.execute(
            select(record_revision)
            .where(record_revision.c.person_id == person_id, record_revision.c.record_id == record_id)
            .order_by(record_revision.c.replaced_by.desc())
        )
    )


def tracks(
    connection: Connection, person_id: int, record_id: int, name: str | None = None
) -> list[StoredTrack]:
    """Return a record's tracks, ordered by name; one of them when named."""
    query = (
        select(record_track)
        .where(record_track.c.person_id == person_id, record_track.c.record_id == record_id)
        .order_by(record_track.c.name)
    )
    if name is not None:
        query = query.where(record_track.c.name == name)
    return [_stored_track(row) for row in connection.execute(query)]


def tracks_named(
    connection: Connection, person_id: int, record_ids: Sequence[int], name: str
) -> dict[int, StoredTrack]:
    """Return the track of this name of several records, by record; absent where a record has none."""
    rows = connection.execute(
        select(record_track).where(
            record_track.c.person_id == person_id,
            among(record_track.c.record_id, record_ids),
            record_track.c.name == name,
        )
    )
    return {row.record_id: _stored_track(row) for row in rows}


def track_names(connection: Connection, person_id: int, record_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return the names of the tracks of several records, by record; ordered by name, absent without any."""
    names: dict[int, list[str]] = {}
    if record_ids:
        rows = connection.execute(
            select(record_track.c.record_id, record_track.c.name)
            .where(record_track.c.person_id == person_id, among(record_track.c.record_id, record_ids))
            .order_by(record_track.c.name)
        )
        for row in rows:
            names.setdefault(row.record_id, []).append(row.name)
    return names


def track_outlines(connection: Connection, person_id: int, record_id: int) -> list[TrackOutline]:
    """Return what a record's tracks are without their points, ordered by name."""
    rows = connection.execute(
        select(
            record_track.c.name,
            func.coalesce(func.array_length(record_track.c["values"], 2), 0).label("points"),
            record_track.c.channels,
            record_track.c.units,
        )
        .where(record_track.c.person_id == person_id, record_track.c.record_id == record_id)
        .order_by(record_track.c.name)
    )
    return [TrackOutline(row.name, row.points, row.channels, row.units) for row in rows]


def _stored_track(row: Row[Any]) -> StoredTrack:
    return StoredTrack(
        row.name,
        [microseconds(at) for at in row.start_at],
        dict(zip(row.channels, row.values, strict=True)),
        row.units,
    )


def _of_kind(person_id: int, kind: Kind) -> Select[Any]:
    return select(record).where(record.c.person_id == person_id, record.c.kind == kind)


def _held(connection: Connection, person_id: int, kind: Kind, identities: set[str]) -> dict[str, HeldRecord]:
    rows = list(connection.execute(_of_kind(person_id, kind).where(among(record.c.identity, identities))))
    names = track_names(connection, person_id, [row.record_id for row in rows])
    return {row.identity: as_held(row, names.get(row.record_id, ())) for row in rows}


def _held_alike(
    connection: Connection, person_id: int, records: Sequence[Record], identities: Container[str]
) -> dict[int, list[Row[Any]]]:
    """Return what is held by other identities at the starts of those records that may come by several, by start."""
    starts = {each.start for each in records if each.natural is not None or each.kind in _NAMED_IN_WORDS}
    if not starts:
        return {}
    query = _of_kind(person_id, records[0].kind).where(
        among(record.c.start_at, [instant(start, 0) for start in starts])
    )
    found: dict[int, list[Row[Any]]] = {}
    for row in connection.execute(query):
        if row.identity not in identities:
            found.setdefault(microseconds(row.start_at), []).append(row)
    return found


def _is_same(row: Row[Any], each: Record) -> bool:
    """Whether what is held at the same start is the same thing by another identity.

    The phone calls a run “Outdoor Run” and a symptom in its own language; a file calls them by Apple's type.
    """
    same_end = (None if row.end_at is None else microseconds(row.end_at)) == each.end
    match each.kind:
        case Kind.ECG:  # there is one at a time; a file tells no source
            return each.natural == each.identity
        case Kind.SYMPTOM | Kind.CYCLE:
            key = each.content.get("name_key")
            same_key = key is not None and row.content.get("name_key") == key
            return same_key and row.source == each.source and (same_end or each.kind is Kind.CYCLE)
        case Kind.HEART_NOTIFICATION:
            return bool(row.source == each.source and row.label == each.label)
        case _:  # one of the two without the phone's id
            same_label = row.label == each.label or UNKNOWN_TYPE in (row.label, each.label)
            is_natural = "|" in row.identity or row.identity.startswith("#")
            return same_end and same_label and (is_natural or each.natural == each.identity)


def _judge_addition(
    each: Record, held: HeldRecord, upload_id: int, outdone: Outdone
) -> tuple[Verdict, Record]:
    """Decide what becomes of a record that leaves what is held as it is where it tells nothing; return it as it is then."""
    each = dataclasses.replace(each, content=in_held_digits(each.content, held.content))
    if each.digest == held.digest:
        return Verdict.UNCHANGED, each
    # A day's summary is told whole, and made of numbers alone.
    added = each if each.kind is Kind.ACTIVITY_SUMMARY else _added_to(held, each)
    if added is None:
        return Verdict.SUPERSEDED, each
    return judge_record(added, held, upload_id, outdone), added


def _added_to(held: HeldRecord, each: Record) -> Record | None:
    """Return a record with what is held of it and not told now, None when what is told adds nothing.

    A word that says the same stays as it was spelt.
    """
    content = {**held.content, **each.content}
    for name in each.content:
        key = held.content.get(f"{name}_key")
        if key is not None and key == each.content.get(f"{name}_key") and name in held.content:
            content[name] = held.content[name]
    is_as_long = each.start == held.start and held.end in (None, each.end)
    adds_tracks = not {track.name for track in each.tracks} <= held.tracks
    if content == held.content and is_as_long and not adds_tracks:
        return None
    return dataclasses.replace(each, content=content)


def _add_tracks(
    connection: Connection, person_id: int, upload_id: int, at: datetime, row: Row[Any], each: Record
) -> Verdict:
    """Add to a held record the tracks that only this poorer telling of it has; all else stays as it is."""
    held = as_held(row, track_names(connection, person_id, [row.record_id]).get(row.record_id, ()))
    new = tuple(track for track in each.tracks if track.name not in held.tracks)
    if not new or each.kind is Kind.ECG:  # when voltages were taken stands in the content
        return Verdict.SUPERSEDED
    merged = dataclasses.replace(
        each,
        identity=row.identity,
        label=row.label,
        source=row.source,
        content=row.content,
        flags=tuple(row.flags),
        tracks=new,
    )
    _replace(connection, person_id, upload_id, at, row.record_id, merged)
    return Verdict.REVISED


def as_held(row: Row[Any], tracks: Iterable[str] = ()) -> HeldRecord:
    """Return a stored row as the verdict needs it."""
    return HeldRecord(
        row.record_id,
        row.identity,
        microseconds(row.start_at),
        None if row.end_at is None else microseconds(row.end_at),
        row.content,
        bytes(row.digest),
        row.upload_id,
        frozenset(tracks),
    )


def _values(each: Record, upload_id: int) -> dict[str, Any]:
    return {
        "label": each.label,
        "source": each.source,
        "start_at": instant(each.start, 0),
        "end_at": None if each.end is None else instant(each.end, 0),
        "content": dict(each.content),
        "flags": list(each.flags),
        "digest": each.digest,
        "upload_id": upload_id,
    }


def _insert(
    connection: Connection, person_id: int, upload_id: int, records: Sequence[Record]
) -> Sequence[int]:
    """Write new records with their tracks; return their ids in order."""
    if not records:
        return []
    values = [
        _values(each, upload_id)
        | {"person_id": person_id, "kind": each.kind, "identity": each.identity, "utc_offset": each.offset}
        for each in records
    ]
    added = insert(record).returning(record.c.record_id, sort_by_parameter_order=True)
    ids = list(connection.execute(added, values).scalars())
    _write_tracks(
        connection,
        person_id,
        [(record_id, track) for record_id, each in zip(ids, records, strict=True) for track in each.tracks],
    )
    return ids


def _replace(
    connection: Connection, person_id: int, upload_id: int, at: datetime, record_id: int, each: Record
) -> None:
    place = (record.c.person_id == person_id, record.c.record_id == record_id)
    connection.execute(
        text(
            "INSERT INTO record_revision (person_id, record_id, replaced_by, upload_id, replaced_at, content)"
            " SELECT person_id, record_id, :upload, upload_id, :at, content FROM record"
            " WHERE person_id = :person AND record_id = :record ON CONFLICT DO NOTHING"
        ),
        {"person": person_id, "record": record_id, "upload": upload_id, "at": at},
    )
    # The offset told first is nearest to where the person was; it stays. So does a track not told again.
    values = _values(each, upload_id) | {"identity": each.identity}
    connection.execute(update(record).where(*place).values(**values))
    connection.execute(
        delete(record_track).where(
            record_track.c.person_id == person_id,
            record_track.c.record_id == record_id,
            among(record_track.c.name, [track.name for track in each.tracks]),
        )
    )
    _write_tracks(connection, person_id, [(record_id, track) for track in each.tracks])


def _write_tracks(connection: Connection, person_id: int, told: Sequence[tuple[int, Track]]) -> None:
    """Write tracks of records by their ids. By binary COPY: the driver takes lists apart number by number."""
    if not told:
        return
    with (
        driver_connection(connection).cursor() as cursor,
        cursor.copy(f"COPY record_track ({_TRACK_COLUMNS}) FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write(binary.HEADER)
        for record_id, track in told:
            copy.write(_TRACK_HEAD.pack(_TRACK_FIELDS, 8, person_id, 8, record_id))
            copy.write(binary.field(track.name.encode()))
            copy.write(binary.instants(track.at))
            copy.write(binary.texts(list(track.channels)))
            copy.write(binary.jsonb(track.units))
            copy.write(binary.table_of_doubles([column for column in track.channels.values() if column]))
        copy.write(binary.TRAILER)
