"""People: an owner manages all, anybody else their own name. The rule stands in `appliance.services.people`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from appliance.api.answers import PeopleAnswer, PersonAnswer, RemovedAnswer
from appliance.api.routes import Answer, Call, Query, Route
from appliance.domain.key import Scope
from appliance.domain.person import NAME_LENGTH, Person
from appliance.foundation.errors import NotFound
from appliance.foundation.paths import DataFolder

ZONE_LENGTH = 60


class NewPersonBody(Query):
    """Who is to be added."""

    name: str = Field(min_length=1, max_length=NAME_LENGTH)
    time_zone: str | None = Field(
        None, min_length=1, max_length=ZONE_LENGTH, description="IANA name; the appliance's own without it."
    )


class PersonChangeBody(Query):
    """What is to change about a person; what is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=NAME_LENGTH)
    time_zone: str | None = Field(None, min_length=1, max_length=ZONE_LENGTH)
    is_owner: bool | None = Field(None, description="Only an owner may change this.")


class RemovalQuery(Query):
    """How a person is to be removed."""

    export: bool = Field(
        default=True,
        description="Write everything of theirs to a file on the appliance first, which the answer names.",
    )


def show_people(call: Call) -> Answer:
    """List people."""
    reach = call.services.people.reach(call.asker_id)
    everyone = call.services.people.everyone()
    shown = [_as_dict(person) for person in everyone if reach in (None, person.person_id)]
    return Answer({"items": shown, "next": None})


def create_person(call: Call) -> Answer:
    """Add a person."""
    return Answer(_as_dict(call.services.people.create(call.body.name, call.body.time_zone)), 201)


def change_person(call: Call) -> Answer:
    """Give a person another name, time zone or part."""
    person_id = _reached(call)
    if call.body.is_owner is not None:
        call.services.people.refuse_unless_owner(call.asker_id)
    person = call.services.people.change(
        person_id, name=call.body.name, time_zone=call.body.time_zone, is_owner=call.body.is_owner
    )
    return Answer(_as_dict(person))


def remove_person(call: Call) -> Answer:
    """Remove a person and everything of theirs."""
    person_id = _reached(call)
    call.services.people.refuse_unless_owner(call.asker_id)
    folder = DataFolder(call.services.settings.data_dir).exports if call.query.export else None
    removed = call.services.people.remove_into(person_id, folder)
    return Answer(
        {
            "id": removed.person.person_id,
            "name": removed.person.name,
            "uploads": removed.uploads,
            "archive": str(removed.archive) if removed.archive else None,
            "archive_bytes": removed.archive_bytes,
        }
    )


def _reached(call: Call) -> int:
    person_id: int = call.path["person_id"]
    if call.services.people.reach(call.asker_id) not in (None, person_id):
        raise NotFound(f"There is no person {person_id}.")
    return person_id


def _as_dict(person: Person) -> dict[str, Any]:
    return {
        "id": person.person_id,
        "name": person.name,
        "time_zone": person.time_zone,
        "is_owner": person.is_owner,
    }


_ONE = "/api/v1/people/<int:person_id>"

ROUTES = (
    Route("GET", "/api/v1/people", show_people, "List people", Scope.ADMIN, PeopleAnswer, Query),
    Route(
        "POST",
        "/api/v1/people",
        create_person,
        "Add a person",
        Scope.ADMIN,
        PersonAnswer,
        Query,
        NewPersonBody,
        owner_only=True,
        status=201,
    ),
    Route(
        "PATCH", _ONE, change_person, "Change a person", Scope.ADMIN, PersonAnswer, Query, PersonChangeBody
    ),
    Route(
        "DELETE",
        _ONE,
        remove_person,
        "Remove a person and everything of theirs",
        Scope.ADMIN,
        RemovedAnswer,
        RemovalQuery,
    ),
)
