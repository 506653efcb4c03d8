"""API keys, what happened to them, and requests that nearly had one; of the person who asks, or all for an owner."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from appliance.api.answers import (
    KeyAnswer,
    KeyEventsAnswer,
    KeysAnswer,
    NearMissesAnswer,
    NewKeyAnswer,
)
from appliance.api.routes import LARGEST_ID, Answer, Call, Query, Route
from appliance.api.times import place_in_time, read_cursor, write_cursor
from appliance.domain.key import ApiKey, Scope
from appliance.domain.localday import microseconds
from appliance.domain.presented import NearMiss
from appliance.foundation.errors import NotFound
from appliance.services.keys import MAX_DAYS, MAX_OVERLAP_HOURS, NAME_LENGTH, OVERLAP_HOURS, NewKey


class NewKeyBody(Query):
    """What a new key is to be."""

    name: str = Field(min_length=1, max_length=NAME_LENGTH)
    scopes: list[Scope] = Field(default=[Scope.INGEST], min_length=1)
    expires_days: int | None = Field(None, ge=1, le=MAX_DAYS)
    person_id: int | None = Field(
        None,
        ge=1,
        le=LARGEST_ID,
        description="Whose data it is for; an owner may make keys that only ingest for others.",
    )


class KeyChangeBody(Query):
    """What is to change about a key."""

    disabled: bool


class RotationBody(Query):
    """How a key is to be replaced."""

    overlap_hours: float = Field(
        OVERLAP_HOURS, ge=0, le=MAX_OVERLAP_HOURS, description="How long the old key goes on."
    )


class NearMissQuery(Query):
    """Where in the list to go on, and how many items to give."""

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(None, max_length=200)


def show_keys(call: Call) -> Answer:
    """List keys."""
    found = call.services.keys.listed(_reach(call))
    return Answer({"items": [_as_dict(call, key, person) for key, person in found], "next": None})


def create_key(call: Call) -> Answer:
    """Make a key; it is shown this once."""
    person_id = call.person_id if call.body.person_id is None else call.body.person_id
    if person_id not in (call.person_id, call.asker_id) and _reach(call) is not None:
        raise NotFound(f"There is no person {person_id}.")
    person = call.services.people.find(person_id)
    fresh = call.services.keys.create(
        call.body.name,
        call.body.scopes,
        person_id=person.person_id,
        expires_days=call.body.expires_days,
        told_to=call.asker_id,
        by_key=_by(call),
    )
    return _told_once(call, fresh, person.name)


def change_key(call: Call) -> Answer:
    """Disable a key for a while, or enable it again."""
    switch = call.services.keys.disable if call.body.disabled else call.services.keys.enable
    key = switch(call.path["key_id"], _reach(call), by_key=_by(call))
    return Answer(_as_dict(call, key, call.services.people.find(key.person_id).name))


def rotate_key(call: Call) -> Answer:
    """Make a key in place of another; it is shown this once."""
    fresh = call.services.keys.rotate(
        call.path["key_id"],
        _reach(call),
        overlap_hours=call.body.overlap_hours,
        told_to=call.asker_id,
        by_key=_by(call),
    )
    return _told_once(call, fresh, call.services.people.find(fresh.key.person_id).name)


def revoke_key(call: Call) -> Answer:
    """Close a key for good."""
    call.services.keys.revoke(call.path["key_id"], _reach(call), by_key=_by(call))
    return Answer(b"", 204)


def show_events(call: Call) -> Answer:
    """Tell what happened to a key."""
    events = call.services.keys.events(call.path["key_id"], _reach(call))
    items = [
        {
            "key_id": event.key_id,
            "at": event.at.isoformat(),
            "event": event.change,
            "detail": event.detail,
        }
        for event in events
    ]
    return Answer({"items": items, "next": None})


def show_near_misses(call: Call) -> Answer:
    """List refused requests, newest first."""
    before = place_in_time(read_cursor(call.query.cursor))
    found = call.services.keys.near_misses(_reach(call), before=before, limit=call.query.limit + 1)
    shown = found[: call.query.limit]
    following = None
    if len(found) > len(shown):
        following = write_cursor([microseconds(shown[-1].last_at), shown[-1].near_miss_id])
    return Answer({"items": [_miss_as_dict(miss) for miss in shown], "next": following})


def _reach(call: Call) -> int | None:
    return call.services.people.reach(call.asker_id)


def _by(call: Call) -> int | None:
    return call.key.key_id if call.key else None


def _told_once(call: Call, fresh: NewKey, person: str) -> Answer:
    told = _as_dict(call, fresh.key, person) | {"key": fresh.secret_text}
    return Answer(told, 201, {"Cache-Control": "no-store"})


def _as_dict(call: Call, key: ApiKey, person: str) -> dict[str, Any]:
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
        "disabled_at": _told(key.disabled_at),
        "replaced_by": key.replaced_by,
        "state": key.state(call.services.clock.now()),
    }


def _miss_as_dict(miss: NearMiss) -> dict[str, Any]:
    return {
        "address": miss.address,
        "reason": miss.reason,
        "mend": miss.mend,
        "header": miss.header,
        "key_id": miss.key_id,
        "key_name": miss.key_name,
        "automation_name": miss.automation_name,
        "first_at": miss.first_at.astimezone(UTC).isoformat(),
        "last_at": miss.last_at.astimezone(UTC).isoformat(),
        "count": miss.count,
    }


def _told(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


_ONE = "/api/v1/keys/<int:key_id>"

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
        "PATCH",
        _ONE,
        change_key,
        "Disable or enable an API key",
        Scope.ADMIN,
        KeyAnswer,
        Query,
        KeyChangeBody,
    ),
    Route(
        "POST",
        f"{_ONE}/rotate",
        rotate_key,
        "Replace an API key by a new one",
        Scope.ADMIN,
        NewKeyAnswer,
        Query,
        RotationBody,
        status=201,
    ),
    Route("DELETE", _ONE, revoke_key, "Revoke an API key", Scope.ADMIN, query=Query, status=204),
    Route(
        "GET",
        f"{_ONE}/events",
        show_events,
        "Tell what happened to an API key",
        Scope.ADMIN,
        KeyEventsAnswer,
        Query,
    ),
    Route(
        "GET",
        "/api/v1/near-misses",
        show_near_misses,
        "List refused requests and how each is mended",
        Scope.ADMIN,
        NearMissesAnswer,
        NearMissQuery,
    ),
)
