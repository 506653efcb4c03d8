"""Requests that were not let in: what was wrong with each, where it came from, and how it is mended."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from appliance.domain.presented import Presented, Refusal
from appliance.storage import near_misses
from appliance.storage.near_misses import Attempts

# Kinds of attempts that are told apart between two writings; of the rest only the reasons are counted.
KINDS = 1_000
KINDS_OF_AN_ADDRESS = 20


class _Kind(NamedTuple):
    """What makes two attempts the same kind, in the order of `Attempts`."""

    address: str
    reason: Refusal
    header: str
    key_id: int
    automation_name: str


class _Seen(NamedTuple):
    first_at: datetime
    last_at: datetime
    times: int


class NearMisses:
    """Refused requests, added up in memory and written now and then: whoever guesses costs no write of his own.

    Memory is bounded whatever comes. Beyond 20 kinds from one address only its reasons are counted, and beyond
    1,000 in all the reasons alone, under an empty address.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[_Kind, _Seen] = {}
        self._kinds_of: dict[str, int] = {}

    def note(
        self, presented: Presented, reason: Refusal, address: str, at: datetime, key_id: int = 0
    ) -> None:
        """Note one refused request; `key_id` when it nearly was a key that is known."""
        kind = _Kind(address, reason, presented.header, key_id, presented.automation_name)
        with self._lock:
            self._add(kind, _Seen(at, at, 1))

    def take(self) -> Mapping[_Kind, _Seen]:
        """Hand over what was noted since the last time, to be written."""
        with self._lock:
            taken, self._seen, self._kinds_of = self._seen, {}, {}
        return taken

    def put_back(self, taken: Mapping[_Kind, _Seen]) -> None:
        """Take back what could not be written."""
        with self._lock:
            for kind, seen in taken.items():
                self._add(kind, seen)

    def write(self, connection: Connection, taken: Mapping[_Kind, _Seen]) -> None:
        """Write what was taken."""
        near_misses.add(connection, [Attempts(*kind, *seen) for kind, seen in taken.items()])

    def _add(self, kind: _Kind, seen: _Seen) -> None:
        if kind not in self._seen:
            kind = self._within_bounds(kind)
        before = self._seen.get(kind)
        if before is None:
            self._kinds_of[kind.address] = self._kinds_of.get(kind.address, 0) + 1
            self._seen[kind] = seen
        else:
            self._seen[kind] = _Seen(
                min(before.first_at, seen.first_at),
                max(before.last_at, seen.last_at),
                before.times + seen.times,
            )

    def _within_bounds(self, kind: _Kind) -> _Kind:
        if self._kinds_of.get(kind.address, 0) >= KINDS_OF_AN_ADDRESS:
            kind = _Kind(kind.address, kind.reason, "", 0, "")
        if kind not in self._seen and len(self._seen) >= KINDS:
            kind = _Kind("", kind.reason, "", 0, "")
        return kind
