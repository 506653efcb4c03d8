"""The one mapping from errors to HTTP: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import structlog
import werkzeug.exceptions
from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from appliance.foundation.errors import (
    BadQuery,
    HearthbeatError,
    KeyInvalid,
    KeyMissing,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    RequestError,
    UploadTooLarge,
)

CONTENT_TYPE = "application/problem+json"

log = structlog.get_logger("hearthbeat.api")


def problem_body(error: HearthbeatError, request_id: str) -> dict[str, Any]:
    """Return the members of the problem; `detail` is the sentence the phone shows."""
    return {
        "type": f"urn:hearthbeat:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "request_id": request_id,
    }


def answer_errors(app: Flask) -> None:
    """Make the application answer every error, ours and the framework's, as a problem."""
    app.register_error_handler(HearthbeatError, _answer)
    app.register_error_handler(HTTPException, _answer_framework)
    app.register_error_handler(Exception, _answer_crash)


def _answer(error: HearthbeatError) -> Response:
    body = problem_body(error, g.get("request_id", ""))
    response = Response(json.dumps(body), error.status, content_type=CONTENT_TYPE)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, KeyMissing | KeyInvalid):
        response.headers["WWW-Authenticate"] = 'Bearer realm="Hearthbeat"'
    if isinstance(error, RateLimited):
        g.allowances = getattr(error, "allowances", ())
    return response


def _answer_framework(error: HTTPException) -> Response:
    response = _answer(_translated(error))
    if isinstance(error, werkzeug.exceptions.MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(error.valid_methods)  # RFC 9110, section 15.5.6
    return response


def _answer_crash(error: Exception) -> Response:
    log.error("request_crashed", error=type(error).__name__, exc_info=error)
    return _answer(
        HearthbeatError("Hearthbeat stumbled over this request; the log has it under this request id.")
    )


def _translated(error: HTTPException) -> HearthbeatError:
    match error.code:
        case HTTPStatus.NOT_FOUND:
            return NotFound("There is nothing at this address; phones post to /api/v1/ingest.")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodNotAllowed(
                "This address exists, but takes another method; phones POST to /api/v1/ingest."
            )
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return UploadTooLarge("The request is too large; turn on Batch Requests in the automation.")
        case HTTPStatus.BAD_REQUEST:
            return BadQuery("The request is not well-formed.")
        case _:
            return RequestError(error.description or "The request cannot be understood.")
