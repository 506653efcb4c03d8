"""Advice in force, with links that make corrected automations."""

from __future__ import annotations

from typing import Any

from flask import request
from pydantic import BaseModel, Field

from appliance.api.routes import Answer, Call, Query, Route
from appliance.domain import automation
from appliance.domain.key import Scope


class InForceAnswer(BaseModel):
    """One piece of advice."""

    code: str
    message: str
    fix: str
    link: str | None = Field(
        description="Opened on the phone, it makes a corrected automation; put your API key in."
    )
    first_seen_at: str
    last_seen_at: str
    upload_id: int


class AdviceListAnswer(BaseModel):
    """The advice in force."""

    items: list[InForceAnswer]
    next: str | None


def show_advice(call: Call) -> Answer:
    """List what about the phones' set-up could be better."""
    found = call.services.advising.of_person(call.person_id)
    return Answer(
        {
            "items": [
                {
                    "code": row.code,
                    "message": row.message,
                    "fix": row.fix,
                    "link": mending_link(row.code, row.automation),
                    "first_seen_at": row.first_seen_at.isoformat(),
                    "last_seen_at": row.last_seen_at.isoformat(),
                    "upload_id": row.upload_id,
                }
                for row in found
            ],
            "next": None,
        }
    )


def mending_link(code: str, parameters: dict[str, Any] | None) -> str | None:
    """Return the deep link of a corrected automation that posts to the address this request came to."""
    return automation.mending_link(f"{request.host_url}api/v1/ingest", code, parameters)


ROUTES = (
    Route(
        "GET", "/api/v1/advice", show_advice, "List the advice in force", Scope.READ, AdviceListAnswer, Query
    ),
)
