"""What was set aside: by reason and name, each item as it was sent, what to do about it, and trying all of it again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.quarantine import Reason
from appliance.foundation.errors import NotFound
from appliance.services.quarantine import Item, Shown
from appliance.services.replaying import Report
from web.frame import Visit, here, page, part
from web.laid_out import laid_out
from web.pages.uploads import LARGEST_ID, ChangeRow, changes, kind_name
from web.told import mend, reason_words
from web.words import moment

PER_PAGE = 20


@dataclass(frozen=True, slots=True)
class ReasonCard:
    """All items of one reason."""

    reason: str
    title: str
    items: int
    mend: str
    url: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class NameLine:
    """All items of one name and reason; `path` is where one of them stood."""

    kind: str
    name: str
    title: str
    items: int
    last: str
    path: str


@dataclass(frozen=True, slots=True)
class ItemLine:
    """One item, without what was sent: that stands in a whole body, and is looked up when somebody asks for it."""

    item_id: int
    upload_id: int
    kind: str
    name: str
    title: str
    detail: str
    path: str
    seen: str


@dataclass(frozen=True, slots=True)
class QuarantinePage:
    """What was set aside."""

    items_held: int
    reasons: list[ReasonCard]
    names: list[NameLine]
    chosen: str
    items: list[ItemLine]
    older: str | None
    done: str


@dataclass(frozen=True, slots=True)
class RetryPage:
    """What trying everything again would do; `report` is None until that is asked for."""

    report: Report | None
    changes: list[ChangeRow]
    held: int


@dataclass(frozen=True, slots=True)
class SentPart:
    """What was sent as one item, laid out; empty where its bytes are no longer kept."""

    item_id: int
    sent: str


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/health/quarantine", endpoint="health_quarantine")
    def show() -> Response:
        return page("health_quarantine.html", _page(here()))

    @pages.get("/health/quarantine/<int:item_id>", endpoint="health_quarantine_item")
    def download(item_id: int) -> Response:
        visit = here()
        item = visit.services.quarantine.find(visit.person_id, min(item_id, LARGEST_ID))
        if item.shown is Shown.GONE:
            raise NotFound("The bytes it came in are no longer kept.")
        kind = "text/plain" if item.shown is Shown.CUT else "application/json"
        ending = "txt" if item.shown is Shown.CUT else "json"
        response = Response(_text(item), content_type=f"{kind}; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="set-aside-{item_id}.{ending}"'
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @pages.get("/health/quarantine/<int:item_id>/sent", endpoint="health_quarantine_sent")
    def sent(item_id: int) -> Response:
        visit = here()
        item = visit.services.quarantine.find(visit.person_id, min(item_id, LARGEST_ID))
        return part("parts/health_sent.html", SentPart(item_id, laid_out(_text(item))))

    @pages.get("/health/quarantine/retry", endpoint="health_quarantine_ask")
    def ask_retry() -> Response:
        return page("health_retry.html", RetryPage(None, [], _held(here())))

    # A form and not a link: it works under the person's lock, and nobody who only follows links shall have that done.
    @pages.post("/health/quarantine/retry/try", endpoint="health_quarantine_try")
    def try_retry() -> Response:
        visit = here()
        report = visit.services.replaying.retry_quarantine(visit.person_id, dry_run=True)
        return page("health_retry.html", RetryPage(report, changes(visit, report), _held(visit)))

    @pages.post("/health/quarantine/retry", endpoint="health_quarantine_retry")
    def retry() -> AnyResponse:
        visit = here()
        report = visit.services.replaying.retry_quarantine(visit.person_id)
        return redirect(url_for("web.health_quarantine", released=report.released))


def _held(visit: Visit) -> int:
    return sum(group.items for group in visit.services.quarantine.summary(visit.person_id))


def _page(visit: Visit) -> QuarantinePage:
    told = request.args.get("reason", "")
    reason = Reason(told) if told in {each.value for each in Reason} else None
    before = request.args.get("before", "")
    number = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    groups = visit.services.quarantine.summary(visit.person_id)
    counts: dict[str, int] = {}
    for group in groups:
        counts[group.reason] = counts.get(group.reason, 0) + group.items
    found = visit.services.quarantine.listed(
        visit.person_id, reason=reason, before=number, limit=PER_PAGE, opened=False
    )
    older = None
    if found.following is not None:
        older = urlencode({"before": found.following} | ({"reason": reason.value} if reason else {}))
    released = request.args.get("released", "")
    return QuarantinePage(
        sum(counts.values()),
        [
            ReasonCard(each, reason_words(each), count, mend(each), f"?reason={each}#items", each == reason)
            for each, count in sorted(counts.items(), key=lambda pair: -pair[1])
        ],
        [
            NameLine(
                kind_name(row.kind),
                row.name,
                reason_words(row.reason),
                row.items,
                moment(row.last, visit.now),
                row.path,
            )
            for row in visit.services.quarantine.names(visit.person_id)
        ],
        reason_words(reason) if reason else "",
        [_item(visit, item) for item in found.items],
        older,
        _released(int(released)) if released.isascii() and released.isdigit() and len(released) < 10 else "",
    )


def _released(count: int) -> str:
    if not count:
        return "Everything was read again; nothing more could be understood."
    return f"{count:,} {'item was' if count == 1 else 'items were'} understood this time and left this list."


def _item(visit: Visit, item: Item) -> ItemLine:
    row = item.row
    return ItemLine(
        row.quarantine_id,
        row.upload_id,
        kind_name(row.kind),
        row.name,
        reason_words(row.reason),
        row.detail,
        row.path,
        moment(row.last_seen_at, visit.now),
    )


def _text(item: Item) -> str:
    if item.shown is Shown.GONE:
        return ""
    return item.sent if item.shown is Shown.CUT else json.dumps(item.sent, ensure_ascii=False, indent=2)
