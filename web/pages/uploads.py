"""Uploads: the live feed, one upload with all that became of it, its bytes, and reading it again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.automation import mending_link
from appliance.domain.record import Kind
from appliance.domain.upload import Counts, UploadState
from appliance.services.replaying import Report
from web.frame import Visit, here, page, part
from web.laid_out import is_json_like, laid_out
from web.receipts import (
    OUTCOMES,
    PARTLY_READ,
    STATES,
    ErrorGroup,
    Line,
    Share,
    Way,
    grouped,
    line_of,
    sender_of,
    shares_of,
    way_of,
)
from web.told import mend, reason_words
from web.units import size_text
from web.words import span

PER_PAGE = 30
BODY_SHOWN = 64 * 1024
ITEMS_SHOWN = 20
LARGEST_ID = 2**63 - 1
# What is asked for in the address when an automation told no name.
NAMELESS = "-"


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a filter."""

    value: str
    name: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked for, as it stands in the address."""

    key_id: int | None
    state: UploadState | None
    automation: str | None
    before: int | None

    @property
    def are_set(self) -> bool:
        """Whether anything but the newest of all is asked for."""
        return (self.key_id, self.state, self.automation, self.before) != (None, None, None, None)

    def query(self, **changed: object) -> str:
        """Return them as a query, some changed."""
        told = {
            "key": self.key_id,
            "state": self.state,
            "automation": NAMELESS if self.automation == "" else self.automation,
            "before": self.before,
        } | changed
        return urlencode({name: value for name, value in told.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Feed:
    """Uploads, newest first. `mark` changes whenever anything in it does."""

    lines: list[Line]
    filters: Filters
    mark: str
    older: str | None

    @property
    def is_live(self) -> bool:
        """Whether new ones would appear in it."""
        return self.filters.before is None

    @property
    def poll(self) -> str:
        """The address that gives this feed again when it has changed."""
        return f"/uploads/feed?{self.filters.query(have=self.mark)}"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Advice in force."""

    message: str
    fix: str
    link: str | None
    seen_at: datetime
    upload_id: int


@dataclass(frozen=True, slots=True)
class Quiet:
    """An automation that has fallen silent."""

    sender: str
    automation: str
    last_at: datetime
    usual: str


@dataclass(frozen=True, slots=True)
class UploadsPage:
    """The feed with its filters, advice and silence."""

    feed: Feed
    keys: list[Option]
    states: list[Option]
    automations: list[Option]
    advice: list[Suggestion]
    quiet: list[Quiet]
    outcomes: dict[str, str]


@dataclass(frozen=True, slots=True)
class KindRow:
    """What became of the items of one kind."""

    name: str
    counts: Counts
    shares: list[Share]


@dataclass(frozen=True, slots=True)
class SetAside:
    """One item in quarantine, as it was sent."""

    item_id: int
    kind: str
    name: str
    title: str
    detail: str
    path: str
    mend: str
    sent: str
    is_whole: bool


@dataclass(frozen=True, slots=True)
class UploadPage:
    """One upload."""

    line: Line
    state_meaning: str
    failure: str | None
    request_id: str
    headers: list[tuple[str, str]]
    kinds: list[KindRow]
    outcomes: dict[str, str]
    errors: list[ErrorGroup]
    errors_told: int
    advice: list[Suggestion]
    ways: list[Way]
    set_aside: list[SetAside]
    more_set_aside: bool
    done: bool


@dataclass(frozen=True, slots=True)
class BodyPage:
    """The beginning of what was sent, laid out for reading."""

    line: Line
    text: str
    is_whole: bool
    shown: str
    content_type: str


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """What reading an upload again would do to one metric or kind of record."""

    name: str
    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class ReplayPage:
    """What reading an upload again would do; `report` is None until that is asked for."""

    line: Line
    report: Report | None
    changes: list[ChangeRow]


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/uploads", endpoint="uploads")
    def show() -> Response:
        return page("uploads.html", _uploads(here()))

    @pages.get("/uploads/feed", endpoint="uploads_feed")
    def feed() -> Response:
        visit = here()
        found = _feed(visit, _filters(), _senders(visit))
        if request.args.get("have") == found.mark:
            return make_response("", 204)
        return part("parts/uploads_feed.html", found)

    @pages.get("/uploads/<int:upload_id>", endpoint="uploads_one")
    def one(upload_id: int) -> Response:
        return page("upload.html", _upload(here(), upload_id))

    @pages.get("/uploads/<int:upload_id>/body", endpoint="uploads_body")
    def body(upload_id: int) -> Response:
        return page("upload_body.html", _body(here(), upload_id))

    @pages.get("/uploads/<int:upload_id>/replay", endpoint="uploads_replay")
    def ask_replay(upload_id: int) -> Response:
        return page("upload_replay.html", ReplayPage(_line(here(), upload_id), None, []))

    # A form and not a link: it works under the person's lock, and nobody who only follows links shall have that done.
    @pages.post("/uploads/<int:upload_id>/replay/try", endpoint="uploads_replay_try")
    def try_replay(upload_id: int) -> Response:
        visit = here()
        report = visit.services.replaying.one(visit.person_id, upload_id, dry_run=True)
        line = _line(visit, upload_id)
        return page("upload_replay.html", ReplayPage(line, report, changes(visit, report)))

    @pages.post("/uploads/<int:upload_id>/replay", endpoint="uploads_replay_now")
    def replay(upload_id: int) -> AnyResponse:
        visit = here()
        visit.services.replaying.one(visit.person_id, upload_id)
        return redirect(url_for("web.uploads_one", upload_id=upload_id, done="replayed"))


def _filters() -> Filters:
    told = request.args
    state = told.get("state", "")
    automation = told.get("automation") or None
    return Filters(
        _id(told.get("key")),
        UploadState(state) if state in {each.value for each in UploadState} else None,
        "" if automation == NAMELESS else automation,
        _id(told.get("before")),
    )


def _id(text: str | None) -> int | None:
    # Only plain digits: int() takes more, and so many digits that they cost time.
    if text and text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST_ID:
        return int(text)
    return None


def _senders(visit: Visit) -> dict[int, str]:
    return {key.key_id: key.name for key, _ in visit.services.keys.listed(visit.person_id)}


def _feed(visit: Visit, filters: Filters, senders: dict[int, str]) -> Feed:
    found = visit.services.uploads.listed(
        visit.person_id,
        before=filters.before,
        limit=PER_PAGE + 1,
        key_id=filters.key_id,
        state=filters.state,
        automation_name=filters.automation,
    )
    shown = found[:PER_PAGE]
    told = [
        (each.upload.upload_id, each.upload.state.value, each.receipt.processing_ms, str(each.receipt.counts))
        for each in shown
    ]
    # What is said of days (“yesterday”) changes with the day.
    mark = hashlib.sha256(repr((visit.today, told)).encode()).hexdigest()[:16]
    older = filters.query(before=shown[-1].upload.upload_id) if len(found) > PER_PAGE else None
    return Feed(
        [line_of(each.upload, each.receipt, senders, visit.now) for each in shown], filters, mark, older
    )


def _uploads(visit: Visit) -> UploadsPage:
    senders = _senders(visit)
    filters = _filters()
    sent_by = visit.services.uploads.senders(visit.person_id)
    key_ids = sorted({key_id for key_id, _ in sent_by if key_id is not None} | set(senders))
    names = sorted({name for _, name in sent_by})
    return UploadsPage(
        _feed(visit, filters, senders),
        [Option(str(key_id), sender_of(key_id, senders), key_id == filters.key_id) for key_id in key_ids],
        [Option(state.value, STATES[state][0], state is filters.state) for state in UploadState],
        [Option(name or NAMELESS, name or "No name told", name == filters.automation) for name in names],
        _in_force(visit),
        [
            Quiet(
                row.key_name, row.automation_name, row.last_new_at, span(timedelta(seconds=row.usual_gap_s))
            )
            for row in visit.services.silence.of_person(visit.person_id)
            if row.silent_since is not None
        ],
        OUTCOMES,
    )


def _in_force(visit: Visit) -> list[Suggestion]:
    return [
        Suggestion(row.message, row.fix, _link(row.code, row.automation), row.last_seen_at, row.upload_id)
        for row in visit.services.advising.of_person(visit.person_id)
    ]


def _link(code: str, parameters: dict[str, Any] | None) -> str | None:
    return mending_link(f"{request.host_url}api/v1/ingest", code, parameters)


def _line(visit: Visit, upload_id: int) -> Line:
    settled = visit.services.uploads.find(visit.person_id, upload_id)
    return line_of(settled.upload, settled.receipt, _senders(visit), visit.now)


def _upload(visit: Visit, upload_id: int) -> UploadPage:
    settled = visit.services.uploads.find(visit.person_id, upload_id)
    upload, receipt = settled.upload, settled.receipt
    traced = visit.services.tracing.of_upload(visit.person_id, upload_id)
    aside = visit.services.quarantine.listed(visit.person_id, upload_id=upload_id, limit=ITEMS_SHOWN)
    automation = upload.automation
    headers = [
        ("Automation", automation.name),
        ("Automation id", automation.automation_id),
        ("Window", automation.period),
        ("Grouping", automation.aggregation),
        ("Session", automation.session_id),
        ("Content type", upload.content_type),
        ("Content encoding", upload.content_encoding),
    ]
    return UploadPage(
        line_of(upload, receipt, _senders(visit), visit.now),
        PARTLY_READ if receipt.counts.quarantined else STATES[upload.state][2],
        settled.failure,
        upload.request_id,
        [(name, told) for name, told in headers if told],
        [
            KindRow(kind_name(kind), counts, shares_of(counts))
            for kind, counts in sorted(receipt.kinds.items(), key=lambda each: -each[1].received)
        ],
        OUTCOMES,
        grouped(receipt.errors),
        len(receipt.errors),
        [
            Suggestion(
                told.message, told.fix, _link(told.code, told.automation), upload.received_at, upload_id
            )
            for told in receipt.advice
        ],
        [way_of(attempt, visit.now) for attempt in traced.attempts],
        [_set_aside(item) for item in aside.items],
        aside.following is not None,
        request.args.get("done") == "replayed",
    )


def _set_aside(item: Any) -> SetAside:
    sent = item.sent if isinstance(item.sent, str) else json.dumps(item.sent, ensure_ascii=False)
    row = item.row
    return SetAside(
        row.quarantine_id,
        kind_name(row.kind),
        row.name,
        reason_words(row.reason),
        row.detail,
        row.path,
        mend(row.reason),
        laid_out(sent) if item.shown in ("whole", "cut") else "",
        item.shown == "whole",
    )


def kind_name(kind: str) -> str:
    """Return a kind of items as a person calls it; an array we have no reader for keeps the phone's name."""
    names = {
        "samples": "Readings",
        Kind.WORKOUT: "Workouts",
        Kind.ECG: "ECGs",
        Kind.STATE_OF_MIND: "States of mind",
        Kind.MEDICATION: "Medications",
        Kind.SYMPTOM: "Symptoms",
        Kind.CYCLE: "Cycle entries",
        Kind.HEART_NOTIFICATION: "Heart notifications",
        Kind.SLEEP: "Sleep",
        Kind.EVENT: "Events",
        Kind.CORRELATION: "Meals and blood pressures",
        Kind.ACTIVITY_SUMMARY: "Activity rings of a day",
        "damaged": "Damaged elements",
    }
    return names.get(kind, kind)


def _body(visit: Visit, upload_id: int) -> BodyPage:
    upload, begun, is_whole = visit.services.uploads.beginning(visit.person_id, upload_id, BODY_SHOWN)
    text = begun.decode("utf-8", "replace").replace("\0", "\ufffd")
    return BodyPage(
        _line(visit, upload_id),
        laid_out(text) if is_json_like(text) else text,
        is_whole,
        size_text(len(begun)),
        upload.content_type,
    )


def changes(visit: Visit, report: Report) -> list[ChangeRow]:
    """Return what a replay did to each metric or kind of record, where it did anything."""
    metrics = visit.catalogue.metrics
    return [
        ChangeRow(
            metrics[name].display_name if name in metrics else kind_name(name),
            change.added,
            change.changed,
            change.removed,
        )
        for name, change in sorted(report.changes.items())
        if change
    ]
