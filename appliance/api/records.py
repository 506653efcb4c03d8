"""Records that are neither workouts nor sleep: lists by kind, one with all that is told of it, and an ECG's voltages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from appliance.api.metrics import WINDOW
from appliance.api.routes import Answer, Call, Query, Route
from appliance.api.times import (
    as_end,
    as_start,
    day_or_instant,
    place_in_time,
    read_cursor,
    told_at,
    write_cursor,
)
from appliance.api.uploads import PageQuery
from appliance.domain.key import Scope
from appliance.domain.localday import instant, microseconds
from appliance.domain.record import Kind

if TYPE_CHECKING:
    from sqlalchemy import Row

    from appliance.services.records import WholeRecord
    from appliance.storage.records import StoredTrack

VOLTAGE = "voltage"


class RecordsQuery(PageQuery):
    """A window and a place in it."""

    start: str | None = Field(None, description=WINDOW)
    end: str | None = Field(None, description=f"{WINDOW} A day is included, an instant is not.")


class RecordSummary(BaseModel):
    """One record in a list."""

    id: int
    kind: str
    label: str = Field(description="The word to list it by: a symptom, a medication, a classification.")
    start: str
    end: str | None
    utc_offset: int = Field(description="Seconds east of UTC where the person was.")
    source: str
    flags: list[str] = Field(description="What is odd about it.")
    content: dict[str, object] = Field(
        description="Words as the phone spells them, in its language, and beside them as …_key what they stand for;"
        " sent fields we do not know are in more."
    )
    upload_id: int


class RecordsAnswer(BaseModel):
    """A page of records, newest first."""

    items: list[RecordSummary]
    next: str | None = Field(description="Give it as cursor for the following page.")


class RecordTrack(BaseModel):
    """Readings along time: columns of equal length."""

    name: str
    units: dict[str, str]
    at: list[str] = Field(description="Empty when their times are not known.")
    channels: dict[str, list[float | None]]


class RecordRevision(BaseModel):
    """A version that was replaced."""

    upload_id: int = Field(description="The upload it came with; its body has the tracks too.")
    replaced_by: int = Field(description="The upload that replaced it.")
    replaced_at: str
    content: dict[str, object]


class RecordAnswer(RecordSummary):
    """One record with its tracks."""

    tracks: list[RecordTrack]
    revisions: list[RecordRevision] = Field(description="Earlier versions, newest first.")


class EcgAnswer(RecordSummary):
    """One ECG with its voltages."""

    voltages: list[float | None]
    units: str | None = Field(description="mcV, millionths of a volt; null without voltages.")
    sampling_frequency: float | None = Field(description="Hz.")
    voltage_start: str | None = Field(description="When the first voltage was taken.")
    at: list[str] = Field(description="When each was taken; empty when evenly from voltage_start on.")
    revisions: list[RecordRevision] = Field(description="Earlier versions, newest first.")


def show_records(call: Call) -> Answer:
    """List the records of one kind, newest first."""
    zone = call.services.people.find(call.person_id).zone
    page = call.services.records.listed(
        call.person_id,
        call.path["kind"],
        start=as_start(day_or_instant(call.query.start, "start"), zone),
        end=as_end(day_or_instant(call.query.end, "end"), zone),
        before=place_in_time(read_cursor(call.query.cursor)),
        limit=call.query.limit,
    )
    following = None
    if page.following is not None:
        following = write_cursor([microseconds(page.following[0]), page.following[1]])
    return Answer({"items": [_summary(row) for row in page.rows], "next": following})


def show_record(call: Call) -> Answer:
    """Show one record."""
    found = call.services.records.find(call.person_id, call.path["kind"], call.path["record_id"])
    tracks = [
        {
            "name": track.name,
            "units": track.units,
            "at": _times(track, found.row.utc_offset),
            "channels": track.channels,
        }
        for track in found.tracks
    ]
    return Answer(_summary(found.row) | {"tracks": tracks, "revisions": _revisions(found)})


def show_ecg(call: Call) -> Answer:
    """Show one ECG with its voltages."""
    found = call.services.records.find(call.person_id, Kind.ECG, call.path["record_id"])
    track = next((track for track in found.tracks if track.name == VOLTAGE), None)
    told = {
        "voltages": track.channels[VOLTAGE] if track else [],
        "units": track.units[VOLTAGE] if track else None,
        "sampling_frequency": found.row.content.get("sampling_frequency"),
        "voltage_start": found.row.content.get("voltage_start"),
        "at": _times(track, found.row.utc_offset) if track else [],
        "revisions": _revisions(found),
    }
    return Answer(_summary(found.row) | told)


def _summary(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.record_id,
        "kind": row.kind,
        "label": row.label,
        "start": told_at(row.start_at, row.utc_offset),
        "end": None if row.end_at is None else told_at(row.end_at, row.utc_offset),
        "utc_offset": row.utc_offset,
        "source": row.source,
        "flags": row.flags,
        "content": row.content,
        "upload_id": row.upload_id,
    }


def _revisions(found: WholeRecord) -> list[dict[str, Any]]:
    return [
        {
            "upload_id": old.upload_id,
            "replaced_by": old.replaced_by,
            "replaced_at": old.replaced_at.isoformat(),
            "content": old.content,
        }
        for old in found.revisions
    ]


def _times(track: StoredTrack, offset_s: int) -> list[str]:
    return [instant(at, offset_s).isoformat() for at in track.at]


ROUTES = (
    Route(
        "GET",
        "/api/v1/records/<kind>",
        show_records,
        "List the records of a kind",
        Scope.READ,
        RecordsAnswer,
        RecordsQuery,
    ),
    Route(
        "GET",
        "/api/v1/records/ecg/<int:record_id>",
        show_ecg,
        "Show an ECG with its voltages",
        Scope.READ,
        EcgAnswer,
        Query,
    ),
    Route(
        "GET",
        "/api/v1/records/<kind>/<int:record_id>",
        show_record,
        "Show a record",
        Scope.READ,
        RecordAnswer,
        Query,
    ),
)
