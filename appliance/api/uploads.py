"""Uploads: taking them in, and looking them up."""

from __future__ import annotations

from typing import Any

from flask import Response, after_this_request, g, request
from pydantic import Field

from appliance.api.advice import mending_link
from appliance.api.answers import ReceiptAnswer, TraceAnswer, UploadAnswer, UploadsAnswer
from appliance.api.guards import header_text, presented_key, trace_from_socket
from appliance.api.routes import LARGEST_ID, Answer, Call, Query, Route
from appliance.api.times import read_cursor, write_cursor
from appliance.domain.key import Scope
from appliance.domain.upload import Automation, Receipt
from appliance.foundation.errors import BadQuery
from appliance.foundation.steps import Trace, tracing
from appliance.services import Services
from appliance.services.keys import Admission
from appliance.services.uploads import Arrival
from appliance.storage.uploads import Settled

HEADER_LENGTH = 200


# The second and third are what other receivers of the same app answer to.
UPLOAD_PATHS = ("/api/v1/ingest", "/v1/ingest", "/api/data")


class PageQuery(Query):
    """Where in a list to go on, and how many items to give."""

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(None, max_length=200)


def take_in(call: Call) -> Answer:
    """Keep and understand one body; the answer is its receipt."""
    g.trace = trace_from_socket()
    after_this_request(lambda response: _tell_when_answered(response, g.trace, call.services))
    with tracing(g.trace):
        receipt, admission = _accept(call)
    g.allowances = admission.allowances
    if receipt.status == "accepted":
        return Answer(_told(receipt), 202, {"Location": f"/api/v1/uploads/{receipt.upload_id}"})
    return Answer(_told(receipt))


def _accept(call: Call) -> tuple[Receipt, Admission]:
    return call.services.uploads.accept(
        Arrival(
            presented_key=presented_key(),
            address=request.remote_addr or "",
            request_id=g.request_id,
            content_type=request.headers.get("Content-Type", ""),
            content_encoding=request.headers.get("Content-Encoding", ""),
            automation=Automation(
                name=header_text("automation-name", HEADER_LENGTH),
                automation_id=header_text("automation-id", HEADER_LENGTH),
                aggregation=header_text("automation-aggregation", HEADER_LENGTH),
                period=header_text("automation-period", HEADER_LENGTH),
                session_id=header_text("session-id", HEADER_LENGTH),
            ),
            size_bytes=request.content_length or 0,
            read_body=lambda: request.get_data(cache=False, parse_form_data=False),
        )
    )


def _tell_when_answered(response: Response, trace: Trace, services: Services) -> Response:
    def answered() -> None:
        trace.note("answered")
        services.tracing.ended(trace)

    # The server closes a response when its last byte has gone to the socket.
    response.call_on_close(answered)
    return response


def show_uploads(call: Call) -> Answer:
    """List uploads, newest first."""
    before = read_cursor(call.query.cursor)
    if before is not None and not (type(before) is int and 0 <= before <= LARGEST_ID):
        raise BadQuery("The cursor is not one of ours; start again without it.")
    found = call.services.uploads.listed(call.person_id, before=before, limit=call.query.limit + 1)
    shown = found[: call.query.limit]
    following = write_cursor(shown[-1].upload.upload_id) if len(found) > len(shown) else None
    return Answer({"items": [_as_dict(settled) for settled in shown], "next": following})


def show_upload(call: Call) -> Answer:
    """Show one upload with its receipt."""
    return Answer(_as_dict(call.services.uploads.find(call.person_id, call.path["upload_id"])))


def show_trace(call: Call) -> Answer:
    """Show the way of one upload, step by step."""
    traced = call.services.tracing.of_upload(call.person_id, call.path["upload_id"])
    return Answer(
        {
            "upload_id": traced.upload_id,
            "request_id": traced.request_id,
            "state": traced.state,
            "attempts": [attempt.as_dict() for attempt in traced.attempts],
        }
    )


def show_body(call: Call) -> Answer:
    """Give the exact bytes back, as a download."""
    upload, body = call.services.uploads.body(call.person_id, call.path["upload_id"])
    # The content type came from outside: nothing a browser might run is handed on as such.
    headers = {"Content-Disposition": f'attachment; filename="upload-{upload.upload_id}"'}
    return Answer(body, 200, headers, "application/octet-stream")


def _told(receipt: Receipt) -> dict[str, Any]:
    told = receipt.as_dict()
    for advice in told["advice"]:
        advice["link"] = mending_link(advice["code"], advice.pop("automation"))
    return told


def _as_dict(settled: Settled) -> dict[str, Any]:
    upload = settled.upload
    return _told(settled.receipt) | {
        "received_at": upload.received_at.isoformat(),
        "processed_at": settled.processed_at.isoformat() if settled.processed_at else None,
        "size_bytes": upload.size_bytes,
        "content_type": upload.content_type,
        "key_id": upload.key_id,
        "automation": {
            "name": upload.automation.name,
            "id": upload.automation.automation_id,
            "aggregation": upload.automation.aggregation,
            "period": upload.automation.period,
            "session_id": upload.automation.session_id,
        },
        "failure": settled.failure,
    }


def _ingest(path: str) -> Route:
    return Route("POST", path, take_in, "Take in an upload", Scope.INGEST, ReceiptAnswer, admits_itself=True)


ROUTES = (
    *(_ingest(path) for path in UPLOAD_PATHS),
    Route("GET", "/api/v1/uploads", show_uploads, "List uploads", Scope.READ, UploadsAnswer, PageQuery),
    Route(
        "GET",
        "/api/v1/uploads/<int:upload_id>",
        show_upload,
        "Show an upload",
        Scope.READ,
        UploadAnswer,
        Query,
    ),
    Route(
        "GET",
        "/api/v1/uploads/<int:upload_id>/trace",
        show_trace,
        "Show the way of an upload, step by step",
        Scope.READ,
        TraceAnswer,
        Query,
    ),
    Route(
        "GET",
        "/api/v1/uploads/<int:upload_id>/body",
        show_body,
        "Give the exact bytes of an upload back",
        Scope.READ,
        query=Query,
        media_types=("application/octet-stream",),
    ),
)
