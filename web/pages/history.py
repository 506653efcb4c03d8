"""Bringing one's past: files dropped or chosen here, sent in chunks, imported one after the other, and undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.delivery import CHUNK_BYTES, CHUNKS_PATH, Delivery, DeliveryState
from appliance.domain.importing import ImportState
from appliance.domain.whereabouts import DaysAway
from appliance.foundation.errors import Conflict, HearthbeatError, NotFound, RequestError, UploadTooLarge
from appliance.services.delivery_folder import ENDINGS
from web.away import AwayPart, away_part, sent_days_away
from web.frame import Visit, here, page, part
from web.imports import COLUMNS, Line, Summary, line_of_delivery, line_of_run, lines_of, mark_of, summary_of
from web.pages.uploads import LARGEST_ID, kind_name

_DONE = {
    "undone": "What it brought is taken back.",
    "removed": "The file is removed.",
}
_DONE_AWAY = {
    "away": "It is kept, for imports from now on.",
    "home": "It is removed, for imports from now on.",
}


@dataclass(frozen=True, slots=True)
class HistoryPart:
    """All files, the newest first. `mark` changes whenever anything in them does."""

    lines: list[Line]
    mark: str
    now: datetime

    @property
    def is_live(self) -> bool:
        """Whether anything goes on by itself."""
        return any(line.is_live for line in self.lines)


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Where files are brought, and those there are. `endings` are those of files that can be imported."""

    imports: HistoryPart
    away: AwayPart
    endings: str
    chunk_bytes: int
    chunks_path: str
    done: str
    done_away: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a file says of itself."""

    exported_at: datetime | None
    elements: int
    mended: int
    nested: int


@dataclass(frozen=True, slots=True)
class ImportPart:
    """One import, or a file that waits for its own. `summary` once there is one."""

    line: Line
    finished_at: datetime | None
    summary: Summary | None
    told: Told
    columns: dict[str, str]
    poll: str


@dataclass(frozen=True, slots=True)
class ImportPage:
    """One import with what can be done with it. `known_before` when the same file was just given again."""

    part: ImportPart
    done: str
    known_before: bool

    @property
    def line(self) -> Line:
        """The file."""
        return self.part.line


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""
    _add_chunks(pages)
    _add_files(pages)
    _add_changes(pages)
    _add_away(pages)

    @pages.get("/history", endpoint="uploads_history")
    def show() -> Response:
        return page("history.html", _history(here()))

    @pages.get("/history/live", endpoint="uploads_history_live")
    def live() -> Response:
        found = _listed(here())
        if request.args.get("have") == found.mark:
            return make_response("", 204)
        return part("parts/history_list.html", found)

    @pages.get("/history/<int:upload_id>", endpoint="uploads_history_one")
    def one(upload_id: int) -> Response:
        return page("history_one.html", _page(_of_import(here(), upload_id)))

    @pages.get("/history/<int:upload_id>/live", endpoint="uploads_history_one_live")
    def one_live(upload_id: int) -> Response:
        return _live(_of_import(here(), upload_id))


def _add_files(pages: Blueprint) -> None:
    @pages.get("/history/files/<delivery_id>", endpoint="uploads_history_file")
    def file(delivery_id: str) -> Response | AnyResponse:
        visit = here()
        delivery = visit.services.deliveries.find(visit.person_id, delivery_id)
        if delivery.upload_id is not None:
            return redirect(url_for("web.uploads_history_one", upload_id=delivery.upload_id))
        return page("history_one.html", _page(_of_delivery(visit, delivery)))

    @pages.get("/history/files/<delivery_id>/live", endpoint="uploads_history_file_live")
    def live(delivery_id: str) -> Response:
        visit = here()
        delivery = visit.services.deliveries.find(visit.person_id, delivery_id)
        if delivery.upload_id is None:
            return _live(_of_delivery(visit, delivery))
        answer = make_response("", 204)
        answer.headers["HX-Redirect"] = url_for("web.uploads_history_one", upload_id=delivery.upload_id)
        return answer

    @pages.post("/history/files/<delivery_id>/stop", endpoint="uploads_history_file_stop")
    def stop(delivery_id: str) -> AnyResponse:
        visit = here()
        visit.services.deliveries.stop(visit.person_id, delivery_id)
        return redirect(url_for("web.uploads_history_file", delivery_id=delivery_id))

    @pages.post("/history/files/<delivery_id>/go-on", endpoint="uploads_history_file_go_on")
    def go_on(delivery_id: str) -> AnyResponse:
        visit = here()
        visit.services.deliveries.finish(visit.person_id, delivery_id)
        return redirect(url_for("web.uploads_history_file", delivery_id=delivery_id))

    @pages.post("/history/files/<delivery_id>/remove", endpoint="uploads_history_file_remove")
    def remove(delivery_id: str) -> AnyResponse:
        visit = here()
        visit.services.deliveries.remove(visit.person_id, delivery_id)
        return redirect(url_for("web.uploads_history", done="removed"))


def _add_changes(pages: Blueprint) -> None:
    @pages.post("/history/<int:upload_id>/stop", endpoint="uploads_history_stop")
    def stop(upload_id: int) -> AnyResponse:
        visit = here()
        number = min(upload_id, LARGEST_ID)
        visit.services.importing.find(visit.person_id, number)
        delivery = visit.services.deliveries.of_import(visit.person_id, number)
        if delivery is not None and delivery.state in (DeliveryState.WAITING, DeliveryState.RUNNING):
            visit.services.deliveries.stop(visit.person_id, delivery.delivery_id)
        else:
            visit.services.importing.stop(visit.person_id, number)
        return redirect(url_for("web.uploads_history_one", upload_id=upload_id))

    @pages.post("/history/<int:upload_id>/go-on", endpoint="uploads_history_go_on")
    def go_on(upload_id: int) -> AnyResponse:
        visit = here()
        run = visit.services.importing.find(visit.person_id, min(upload_id, LARGEST_ID))
        delivery = visit.services.deliveries.of_import(visit.person_id, run.upload_id)
        if delivery is None:
            raise Conflict(
                f"“{run.name}” is not here any more; choose it again, and it goes on where it was."
            )
        visit.services.deliveries.finish(visit.person_id, delivery.delivery_id)
        return redirect(url_for("web.uploads_history_one", upload_id=upload_id))

    @pages.post("/history/<int:upload_id>/undo", endpoint="uploads_history_undo")
    def undo(upload_id: int) -> AnyResponse:
        visit = here()
        is_done = visit.services.deliveries.undo(visit.person_id, min(upload_id, LARGEST_ID))
        done = "undone" if is_done else None
        return redirect(url_for("web.uploads_history_one", upload_id=upload_id, done=done))


def _add_away(pages: Blueprint) -> None:
    def changed(change: Callable[[int, DaysAway], None], done: str) -> Response | AnyResponse:
        visit = here()
        try:
            change(visit.person_id, sent_days_away())
        except HearthbeatError as error:
            if error.status >= 500:
                raise
            return page("history.html", _history(visit, error.detail), error.status)
        return redirect(url_for("web.uploads_history", done=done, _anchor="away"))

    @pages.post("/history/away", endpoint="uploads_history_away")
    def add() -> Response | AnyResponse:
        return changed(here().services.people.add_days_away, "away")

    @pages.post("/history/away/remove", endpoint="uploads_history_home")
    def remove() -> Response | AnyResponse:
        return changed(here().services.people.remove_days_away, "home")


def _add_chunks(pages: Blueprint) -> None:
    """Add what the page's script sends files by; the answers are JSON, errors with `detail` in words."""

    @pages.post("/history/files", endpoint="uploads_history_begin")
    @_in_json
    def begin() -> Response:
        told = request.get_json(silent=True)
        fields = told if isinstance(told, dict) else {}
        name, size, modified = fields.get("name"), fields.get("size"), fields.get("modified")
        if not isinstance(name, str) or type(size) is not int or type(modified) is not int:
            raise RequestError("A file is told by its name, size and time of change.")
        visit = here()
        return _there(visit.services.deliveries.begin(visit.person_id, name, size, modified))

    @pages.put(f"{CHUNKS_PATH}<delivery_id>", endpoint="uploads_history_chunk")
    @_in_json
    def chunk(delivery_id: str) -> Response:
        visit = here()
        deliveries = visit.services.deliveries
        told = request.args.get("at", "")
        at = int(told) if told.isascii() and told.isdigit() and len(told) < 16 else -1
        if (request.content_length or 0) > CHUNK_BYTES:
            raise UploadTooLarge(f"A chunk has at most {CHUNK_BYTES:,} bytes.")
        try:
            return _there(deliveries.put(visit.person_id, delivery_id, at, request.get_data(cache=False)))
        except Conflict:  # the browser goes on where it is told to
            return _there(deliveries.find(visit.person_id, delivery_id), Conflict.status)

    @pages.post("/history/files/<delivery_id>/finish", endpoint="uploads_history_finish")
    @_in_json
    def finish(delivery_id: str) -> Response:
        visit = here()
        delivery = visit.services.deliveries.finish(visit.person_id, delivery_id)
        if delivery.state is DeliveryState.ENDED and delivery.upload_id is not None:
            url = url_for("web.uploads_history_one", upload_id=delivery.upload_id, known=1)
            return jsonify({"url": url, "known": True})
        url = url_for("web.uploads_history_file", delivery_id=delivery_id)
        return jsonify({"url": url, "known": False})


def _in_json(answer: Callable[..., Response]) -> Callable[..., Response]:
    """Let a view tell our own errors as JSON, for the script that asked."""

    @wraps(answer)
    def answered(**told: Any) -> Response:
        try:
            return answer(**told)
        except HearthbeatError as error:
            refusal = jsonify({"detail": error.detail})
            refusal.status_code = error.status
            return refusal

    return answered


def _there(delivery: Delivery, status: int = 200) -> Response:
    answer = jsonify({"id": delivery.delivery_id, "have": delivery.have, "state": delivery.state.value})
    answer.status_code = status
    return answer


def _history(visit: Visit, wrong_away: str = "") -> HistoryPage:
    done = request.args.get("done", "")
    return HistoryPage(
        _listed(visit),
        away_part(visit, wrong_away),
        ",".join((*ENDINGS[:4], ".gz")),
        CHUNK_BYTES,
        CHUNKS_PATH,
        _DONE.get(done, ""),
        _DONE_AWAY.get(done, ""),
    )


def _listed(visit: Visit) -> HistoryPart:
    lines = lines_of(visit)
    # What is said of days (“yesterday”) changes with the day.
    return HistoryPart(lines, mark_of((visit.today, lines)), visit.now)


def _of_import(visit: Visit, upload_id: int) -> ImportPart:
    if upload_id > LARGEST_ID:
        raise NotFound(f"There is no import {upload_id}.")
    run = visit.services.importing.find(visit.person_id, upload_id)
    delivery = visit.services.deliveries.of_import(visit.person_id, upload_id)
    line = line_of_run(visit, run, delivery)
    names = {kind: kind_name(kind) for kind in run.kinds}
    summary = summary_of(run, visit.catalogue, names) if run.counts.received and not line.is_live else None
    finished = run.finished_at.astimezone(visit.person.zone) if run.finished_at else None
    has_ended = run.state in (ImportState.DONE, ImportState.CUT)
    told = _told(visit, run.content) if has_ended else Told(None, 0, 0, 0)
    return _part(line, finished, summary, told)


def _of_delivery(visit: Visit, delivery: Delivery) -> ImportPart:
    return _part(line_of_delivery(visit, delivery), None, None, Told(None, 0, 0, 0))


def _part(line: Line, finished_at: datetime | None, summary: Summary | None, told: Told) -> ImportPart:
    poll = f"{line.url}/live?have={mark_of((line, finished_at))}"
    return ImportPart(line, finished_at, summary, told, COLUMNS, poll)


def _told(visit: Visit, content: Any) -> Told:
    exported_at = content.get("exported_at")
    elements = content.get("elements") or {}
    return Told(
        datetime.fromisoformat(exported_at).astimezone(visit.person.zone) if exported_at else None,
        sum(elements.values()),
        content.get("mended") or 0,
        content.get("nested") or 0,
    )


def _page(content: ImportPart) -> ImportPage:
    done = _DONE.get(request.args.get("done", ""), "")
    return ImportPage(content, done, request.args.get("known") == "1")


def _live(content: ImportPart) -> Response:
    if content.poll.endswith(f"?have={request.args.get('have')}"):
        return make_response("", 204)
    return part("parts/history_one.html", content)
