"""What was not understood or is impossible: listed, counted, and shown as it was sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from appliance.domain.text import storable
from appliance.foundation.errors import NotFound, RequestError
from appliance.intake.document import Document, open_document
from appliance.intake.paths import item_at
from appliance.storage import quarantine, uploads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from appliance.domain.quarantine import Reason
    from appliance.foundation.settings import Settings
    from appliance.storage.database import Database

ITEM_CHARACTERS = 20_000
# Items stand in whole bodies, which have to be opened for them; a list opens no more than this, packed as they came.
BYTES_OPENED = 32 * 2**20


class Shown(StrEnum):
    """How much of an item is shown."""

    WHOLE = "whole"
    CUT = "cut"
    GONE = "gone"
    NOT_OPENED = "not_opened"


@dataclass(frozen=True, slots=True)
class Item:
    """One item in quarantine. `sent` is the item itself, or the beginning of its JSON as text when it is cut."""

    row: Row[Any]
    shown: Shown
    sent: Any


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Items, those kept last first, and the place to go on from (None at the end)."""

    items: Sequence[Item]
    following: int | None


class Quarantine:
    """Answers questions about one person's quarantine. What another person's id names does not exist."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._limit_bytes = settings.max_upload_bytes

    def listed(
        self,
        person_id: int,
        *,
        kind: str | None = None,
        reason: Reason | None = None,
        upload_id: int | None = None,
        before: int | None = None,
        limit: int = 50,
        opened: bool = True,
    ) -> ItemPage:
        """Return items of a kind and reason, those kept last first; those an upload brought if one is named.

        Unless they are `opened`, no body is read for them, and none tells what was sent.
        """
        with self._database.transaction() as connection:
            rows = quarantine.page(
                connection,
                person_id,
                kind=kind,
                reason=reason,
                upload_id=upload_id,
                before=before,
                limit=limit + 1,
            )
            if opened:
                bodies = _Bodies(connection, person_id, self._limit_bytes, BYTES_OPENED)
                items = [bodies.item(row) for row in rows[:limit]]
            else:
                items = [Item(row, Shown.NOT_OPENED, None) for row in rows[:limit]]
        return ItemPage(items, items[-1].row.quarantine_id if len(rows) > limit else None)

    def find(self, person_id: int, quarantine_id: int) -> Item:
        """Return one item, whatever the size of the body it stands in. Raises `NotFound`."""
        with self._database.transaction() as connection:
            row = quarantine.find(connection, person_id, quarantine_id)
            if row is None:
                raise NotFound(f"There is no item {quarantine_id} in quarantine.")
            return _Bodies(connection, person_id, self._limit_bytes, self._limit_bytes).item(row)

    def summary(
        self, person_id: int, *, kind: str | None = None, reason: Reason | None = None
    ) -> list[Row[Any]]:
        """Return how many items there are of each kind and reason, most first."""
        with self._database.transaction() as connection:
            return quarantine.grouped(connection, person_id, kind=kind, reason=reason)

    def names(self, person_id: int, limit: int = 50) -> list[Row[Any]]:
        """Return how many items there are of each kind, name and reason, most first, and where one of them stood."""
        with self._database.transaction() as connection:
            return quarantine.named(connection, person_id, limit)


class _Bodies:
    """Kept bodies, each opened once, as long as the budget (bytes as they came) lasts."""

    def __init__(self, connection: Connection, person_id: int, limit_bytes: int, budget: int) -> None:
        self._connection = connection
        self._person_id = person_id
        self._limit_bytes = limit_bytes
        self._budget = budget
        self._opened: dict[int, Document | Shown] = {}

    def item(self, row: Row[Any]) -> Item:
        if row.upload_id not in self._opened:
            self._opened[row.upload_id] = self._open(row.upload_id)
        document = self._opened[row.upload_id]
        if isinstance(document, Shown):
            return Item(row, document, None)
        try:
            sent = storable(item_at(document, row.path))
        except LookupError:
            return Item(row, Shown.GONE, None)
        text = json.dumps(sent, ensure_ascii=False)
        if len(text) > ITEM_CHARACTERS:
            return Item(row, Shown.CUT, text[:ITEM_CHARACTERS])
        return Item(row, Shown.WHOLE, sent)

    def _open(self, upload_id: int) -> Document | Shown:
        settled = uploads.find(self._connection, self._person_id, upload_id)
        if settled is None:
            return Shown.GONE
        upload = settled.upload
        if upload.size_bytes > self._budget:
            return Shown.NOT_OPENED
        self._budget -= upload.size_bytes
        body = uploads.body_of(self._connection, self._person_id, upload_id)
        try:
            return (
                Shown.GONE
                if body is None
                else open_document(body, upload.content_encoding, self._limit_bytes, upload.content_type)
            )
        except RequestError:
            return Shown.GONE
