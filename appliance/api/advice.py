"""Advice in force, with links that make corrected automations."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import request
from pydantic import BaseModel, Field

from appliance.api.routes import Answer, Call, Query, Route
from appliance.domain.key import Scope

# The app's deep link makes a new automation and leaves it switched off unless told otherwise. A `+` stays a plus in
# it, so spaces are written as %20. The key is not ours to put in: it is stored as a hash only.
LINK = "com.HealthExport://automation"
ALWAYS = {
    "format": "json",
    "exportversion": "v2",
    "batchrequests": "true",
    "enabled": "true",
    "headers": "X-API-Key,PUT-YOUR-KEY-HERE",
}


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
                    "link": automation_link(row.code, row.automation),
                    "first_seen_at": row.first_seen_at.isoformat(),
                    "last_seen_at": row.last_seen_at.isoformat(),
                    "upload_id": row.upload_id,
                }
                for row in found
            ],
            "next": None,
        }
    )


def automation_link(code: str, automation: dict[str, Any] | None) -> str | None:
    """Return the deep link of a corrected automation that posts to the address this request came to."""
    if automation is None:
        return None
    url = f"{request.host_url}api/v1/ingest"
    told = {"url": url, "name": f"Hearthbeat {code.replace('_', ' ')} mended"} | ALWAYS | automation
    return f"{LINK}?" + "&".join(f"{name}={quote(str(value), safe='')}" for name, value in told.items())


ROUTES = (
    Route(
        "GET", "/api/v1/advice", show_advice, "List the advice in force", Scope.READ, AdviceListAnswer, Query
    ),
)
