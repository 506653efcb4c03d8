"""Quarantine: what was set aside, why, and how it looked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from appliance.api.routes import LARGEST_ID, Answer, Call, Query, Route
from appliance.api.times import read_cursor, write_cursor
from appliance.api.uploads import PageQuery
from appliance.domain.key import Scope
from appliance.domain.quarantine import Reason
from appliance.foundation.errors import BadQuery
from appliance.services.quarantine import Shown

if TYPE_CHECKING:
    from sqlalchemy import Row

    from appliance.services.quarantine import Item


class QuarantineQuery(PageQuery):
    """Which items, and where in the list to go on."""

    kind: str | None = Field(
        None, max_length=80, description="As samples, ecg or the name of an array we cannot read."
    )
    reason: Reason | None = None
    limit: int = Field(50, ge=1, le=200)
    summary: bool = Field(
        default=False, description="Count the items by kind and reason instead of listing them."
    )


class QuarantinedAnswer(BaseModel):
    """One item that was set aside."""

    id: int
    kind: str
    name: str = Field(description="The metric or array it was sent under.")
    path: str = Field(description="Where it stands in the body of upload_id.")
    reason: str
    detail: str
    upload_id: int = Field(description="The first upload that brought it.")
    last_upload_id: int
    first_seen: str
    last_seen: str
    shown: Shown = Field(
        description="cut: item is the first 20,000 characters of its JSON; gone: its body is no longer kept;"
        " not_opened: its body is too large for a list, ask for the item alone."
    )
    item: Any = Field(description="The item as it was sent.")


class QuarantineCount(BaseModel):
    """How many items of one kind were set aside for one reason."""

    kind: str
    reason: str
    count: int
    first_seen: str
    last_seen: str


class QuarantineAnswer(BaseModel):
    """A page of items, those kept last first; or, when asked for, a summary of all of them."""

    items: list[QuarantinedAnswer]
    summary: list[QuarantineCount] | None
    next: str | None = Field(description="Give it as cursor for the following page.")


def show_quarantine(call: Call) -> Answer:
    """List what is in quarantine, or count it."""
    chosen = {"kind": call.query.kind, "reason": call.query.reason}
    # A summary needs no cursor, and refuses a wrong one all the same.
    before = _place(read_cursor(call.query.cursor))
    if call.query.summary:
        counts = call.services.quarantine.summary(call.person_id, **chosen)
        return Answer({"items": [], "summary": [_count(row) for row in counts], "next": None})
    page = call.services.quarantine.listed(call.person_id, **chosen, before=before, limit=call.query.limit)
    following = None if page.following is None else write_cursor(page.following)
    return Answer({"items": [_item(item) for item in page.items], "summary": None, "next": following})


def show_item(call: Call) -> Answer:
    """Show one item in quarantine."""
    return Answer(_item(call.services.quarantine.find(call.person_id, call.path["item_id"])))


def _item(item: Item) -> dict[str, Any]:
    row = item.row
    return {
        "id": row.quarantine_id,
        "kind": row.kind,
        "name": row.name,
        "path": row.path,
        "reason": row.reason,
        "detail": row.detail,
        "upload_id": row.upload_id,
        "last_upload_id": row.last_upload_id,
        "first_seen": row.first_seen_at.isoformat(),
        "last_seen": row.last_seen_at.isoformat(),
        "shown": item.shown,
        "item": item.sent,
    }


def _count(row: Row[Any]) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "reason": row.reason,
        "count": row.items,
        "first_seen": row.first.isoformat(),
        "last_seen": row.last.isoformat(),
    }


def _place(cursor: Any) -> int | None:
    if cursor is None or (type(cursor) is int and 0 <= cursor <= LARGEST_ID):
        return cursor
    raise BadQuery("The cursor is not one of ours; start again without it.")


ROUTES = (
    Route(
        "GET",
        "/api/v1/quarantine",
        show_quarantine,
        "List what was set aside",
        Scope.READ,
        QuarantineAnswer,
        QuarantineQuery,
    ),
    Route(
        "GET",
        "/api/v1/quarantine/<int:item_id>",
        show_item,
        "Show one item that was set aside",
        Scope.READ,
        QuarantinedAnswer,
        Query,
    ),
)
