"""Records: everything a phone tells that is more than a sample, such as a workout, an ECG or a night's session.

A record has an identity of its own, a few fields all kinds share, its further content as JSON, and tracks: long
columns of numbers along time, such as a route, a heart-rate curve or a voltage.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from appliance.domain.verdict import Verdict, as_good_as_same

IDENTITY_LENGTH = 200
UNKNOWN_TYPE = (
    "unknown"  # label of a workout whose name, perhaps in the phone's language, the catalogue lacks
)


class Kind(StrEnum):
    """The kinds of records, as the API and the receipts name them. `OTHER` is any array we have no reader for."""

    WORKOUT = "workouts"
    ECG = "ecg"
    STATE_OF_MIND = "state_of_mind"
    MEDICATION = "medications"
    SYMPTOM = "symptoms"
    CYCLE = "cycle"
    HEART_NOTIFICATION = "heart_notifications"
    SLEEP = "sleep"
    EVENT = "events"
    CORRELATION = "correlations"
    ACTIVITY_SUMMARY = "activity_summaries"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Track:
    """Numbers along time. `at` in µs since 1970 UTC, or empty when the content tells start and frequency.

    Every channel is as long as the others (and as `at`); None where the phone sent none. `units` names a channel's
    unit where it has one.
    """

    name: str
    at: list[int]
    channels: dict[str, list[float | None]]
    units: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read. Instants in µs since 1970 UTC, `offset` in seconds.

    `identity` is the phone's id where it sends one, else a natural key; two records of one kind and person with the
    same identity are the same. `label` is the word to list it by (an activity type, a symptom). `content` is
    storable JSON with canonical units. `flags` name what is odd but possible. `item` is the position of the item in
    its array. `natural` is set where a thing may come with the phone's id or without: the identity it has without.
    """

    kind: Kind
    identity: str
    label: str
    source: str
    start: int
    end: int | None
    offset: int
    content: Mapping[str, Any]
    item: int
    flags: tuple[str, ...] = ()
    tracks: tuple[Track, ...] = ()
    natural: str | None = None

    @property
    def digest(self) -> bytes:
        """Return a fingerprint of all that is told; equal numbers make equal fingerprints (1 and 1.0)."""
        told = [
            self.label,
            self.source,
            self.start,
            self.end,
            _plain(dict(self.content)),
            sorted(self.flags),
            [[track.name, len(track.at), sorted(track.channels), track.units] for track in self.tracks],
        ]
        found = hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=True).encode())
        for track in self.tracks:
            found.update(_packed(array("q", track.at)))
            for name in sorted(track.channels):
                found.update(_packed(array("d", _numbers(track.channels[name]))))
        return found.digest()


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A stored record with the same identity, as far as the verdict needs it. `tracks` are their names."""

    record_id: int
    identity: str
    start: int
    end: int | None
    content: Mapping[str, Any]
    digest: bytes
    upload_id: int
    tracks: frozenset[str] = frozenset()


UNTIL = "until"  # in the content of a day's summary: when the day had not ended yet as it was told


def is_told_further(held: HeldRecord, record: Record) -> bool:
    """Whether what is held tells more of its day: an older file that is told later breaks off within it."""
    until, held_until = record.content.get(UNTIL), held.content.get(UNTIL)
    if until is None:
        return False
    return held_until is None or datetime.fromisoformat(held_until) > datetime.fromisoformat(until)


Outdone = Callable[[HeldRecord, Record], bool]


def judge_record(
    record: Record, held: HeldRecord | None, upload_id: int, outdone: Outdone = lambda _held, _record: False
) -> Verdict:
    """Decide what becomes of a record: the newest whole version wins, unless what is held outdoes it.

    The same told again with fewer tracks (another automation leaves routes out) is poorer than what is held.
    """
    if held is None:
        return Verdict.STORED
    if record.digest == held.digest:
        return Verdict.UNCHANGED
    if upload_id < held.upload_id or _tells_less(record, held) or outdone(held, record):
        return Verdict.SUPERSEDED
    return Verdict.REVISED


def in_held_digits(told: Any, held: Any) -> Any:
    """Return content as it is told, with the digits that are held wherever a number is as good as the same.

    Files tell about six digits, in the unit a person has chosen to see.
    """
    if isinstance(told, Mapping) and isinstance(held, Mapping):
        return {name: in_held_digits(each, held.get(name)) for name, each in told.items()}
    if isinstance(told, list) and isinstance(held, list) and len(told) == len(held):
        return [in_held_digits(each, was) for each, was in zip(told, held, strict=True)]
    if _is_number(told) and _is_number(held) and as_good_as_same(told, held):
        return held
    return told


def _is_number(told: Any) -> bool:
    return isinstance(told, int | float) and not isinstance(told, bool)


def _tells_less(record: Record, held: HeldRecord) -> bool:
    return (
        {track.name for track in record.tracks} < held.tracks
        and (record.start, record.end) == (held.start, held.end)
        and record.content == held.content
    )


def natural_identity(*parts: object) -> str:
    """Return an identity made of parts; long ones are shortened to a fingerprint."""
    text = "|".join("" if part is None else str(part) for part in parts)
    if len(text) <= IDENTITY_LENGTH:
        return text
    return "#" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _numbers(column: list[float | None]) -> Iterable[float]:
    return [math.nan if number is None else number for number in column]


def _packed(numbers: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _plain(value: Any) -> Any:
    match value:
        case bool():
            return value
        case int():
            return float(value) if abs(value) < 1 << 53 else value
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value
