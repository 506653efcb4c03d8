"""API keys of the person who asks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from appliance.api.answers import KeysAnswer, NewKeyAnswer
from appliance.api.routes import Answer, Call, Query, Route
from appliance.domain.key import ApiKey, Scope
from appliance.services.keys import NAME_LENGTH


class NewKeyBody(Query):
    """What a new key is to be."""

    name: str = Field(min_length=1, max_length=NAME_LENGTH)
    scopes: list[Scope] = Field(default=[Scope.INGEST], min_length=1)
    expires_days: int | None = Field(None, ge=1, le=36_500)


def show_keys(call: Call) -> Answer:
    """List the person's keys."""
    found = call.services.keys.listed(call.person_id)
    return Answer({"items": [_as_dict(key, person) for key, person in found], "next": None})


def create_key(call: Call) -> Answer:
    """Make a key; it is shown this once."""
    person = call.services.people.find(call.person_id)
    fresh = call.services.keys.create(
        call.body.name, call.body.scopes, person_name=person.name, expires_days=call.body.expires_days
    )
    return Answer(
        _as_dict(fresh.key, person.name) | {"key": fresh.secret_text}, 201, {"Cache-Control": "no-store"}
    )


def revoke_key(call: Call) -> Answer:
    """Close a key for good."""
    call.services.keys.revoke(call.path["key_id"], call.person_id)
    return Answer(b"", 204)


def _as_dict(key: ApiKey, person: str) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "public_id": key.public_id,
        "name": key.name,
        "person": person,
        "scopes": sorted(key.scopes),
        "created_at": key.created_at.isoformat(),
        "expires_at": _told(key.expires_at),
        "revoked_at": _told(key.revoked_at),
        "last_used_at": _told(key.last_used_at),
    }


def _told(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


ROUTES = (
    Route("GET", "/api/v1/keys", show_keys, "List API keys", Scope.ADMIN, KeysAnswer, Query),
    Route(
        "POST",
        "/api/v1/keys",
        create_key,
        "Make an API key",
        Scope.ADMIN,
        NewKeyAnswer,
        Query,
        NewKeyBody,
        status=201,
    ),
    Route(
        "DELETE",
        "/api/v1/keys/<int:key_id>",
        revoke_key,
        "Revoke an API key",
        Scope.ADMIN,
        query=Query,
        status=204,
    ),
)
