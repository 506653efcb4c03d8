"""API keys: those there are, a new one, one of them with its history; and requests that nearly had one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.key import ApiKey, KeyChange, KeyState, Scope
from appliance.domain.person import Person
from appliance.domain.presented import NearMiss
from appliance.foundation.errors import HearthbeatError, NotFound, RequestError
from appliance.services.keys import NAME_LENGTH, NewKey
from web.frame import Visit, here, page
from web.words import day_words, moment

MISSES_SHOWN = 50
_SCOPES = {
    Scope.INGEST: ("send data", "For a phone: it may send and nothing else."),
    Scope.READ: ("read data", "For a program that reads your data through the API."),
    Scope.ADMIN: ("manage", "For a program that manages keys and people."),
}
_STATES = {
    KeyState.OPEN: ("good", "Open"),
    KeyState.DISABLED: ("warn", "Disabled"),
    KeyState.EXPIRED: ("", "Expired"),
    KeyState.REPLACED: ("", "Replaced"),
    KeyState.REVOKED: ("", "Revoked"),
}
_CHANGES = {
    KeyChange.CREATED: "Made",
    KeyChange.DISABLED: "Disabled",
    KeyChange.ENABLED: "Enabled again",
    KeyChange.ROTATED: "Replaced",
    KeyChange.EXPIRED: "Expired",
    KeyChange.REVOKED: "Revoked",
}
LIVES = ((0, "Never"), (30, "After 30 days"), (90, "After 90 days"), (365, "After a year"))
OVERLAPS = ((24, "1 day"), (72, "3 days"), (168, "1 week"), (0, "Not at all, close it now"))
_DONE = {
    "revoked": "The key is revoked; it opens nothing any more.",
    "disabled": "The key is disabled until you enable it again.",
    "enabled": "The key is enabled again.",
}


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key as the list shows it. `mark` is good, warn or empty."""

    key_id: int
    name: str
    person: str
    may: str
    mark: str
    state: str
    created: str
    expires: str
    last_used: str
    uploads: int
    is_open: bool
    is_disabled: bool
    can_pair: bool
    replaced_by: int | None


@dataclass(frozen=True, slots=True)
class MissLine:
    """Refused requests of one kind."""

    when: str
    since: str
    address: str
    what: str
    automation: str
    key_name: str
    mend: str
    count: int


@dataclass(frozen=True, slots=True)
class KeysPage:
    """Open keys first, closed ones below, and what was refused."""

    open: list[KeyLine]
    closed: list[KeyLine]
    misses: list[MissLine]
    several_people: bool


@dataclass(frozen=True, slots=True)
class NewKeyPage:
    """The form of a new key. `people` is for owners, who may make keys that only send for others."""

    name: str
    name_length: int
    scopes: list[tuple[str, str, str, bool]]
    lives: tuple[tuple[int, str], ...]
    people: list[Person]
    person_id: int
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class MadePage:
    """A key just made, with its secret, which is shown this once. `instead_of` is the key it replaces."""

    line: KeyLine
    secret: str
    instead_of: str


@dataclass(frozen=True, slots=True)
class EventLine:
    """Something that happened to a key."""

    when: str
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class KeyPage:
    """One key and its history."""

    line: KeyLine
    events: list[EventLine]
    overlaps: tuple[tuple[int, str], ...]
    done: str


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""
    _add_making(pages)
    _add_one(pages)

    @pages.get("/keys", endpoint="keys")
    def keys() -> Response:
        visit = here()
        lines = _lines(visit)
        misses = visit.services.keys.near_misses(within(visit), limit=MISSES_SHOWN)
        return page(
            "keys.html",
            KeysPage(
                open=[line for line in lines if line.is_open or line.is_disabled],
                closed=[line for line in reversed(lines) if not (line.is_open or line.is_disabled)],
                misses=[miss_line(visit, miss) for miss in misses],
                several_people=len({line.person for line in lines}) > 1,
            ),
        )


def _add_making(pages: Blueprint) -> None:
    @pages.get("/keys/new", endpoint="keys_new")
    def new() -> Response:
        return page("key_new.html", _new_page(here()))

    @pages.post("/keys", endpoint="keys_create")
    def create() -> Response:
        visit = here()
        try:
            fresh = visit.services.keys.create(
                request.form.get("name", ""),
                _wanted_scopes(request.form.getlist("scope")),
                person_id=chosen_person(visit),
                expires_days=_wanted_number("expires_days", LIVES) or None,
                told_to=visit.visitor.person_id,
            )
        except HearthbeatError as error:
            if error.status >= 500:
                raise
            return page("key_new.html", _new_page(visit, error.detail), error.status)
        return _told_once(visit, fresh)


def _add_one(pages: Blueprint) -> None:
    @pages.get("/keys/<int:key_id>", endpoint="keys_one")
    def key(key_id: int) -> Response:
        visit = here()
        events = visit.services.keys.events(key_id, within(visit))
        return page(
            "key.html",
            KeyPage(
                line=_line(visit, key_id),
                events=[
                    EventLine(moment(each.at, visit.now), _CHANGES[each.change], each.detail)
                    for each in events
                ],
                overlaps=OVERLAPS,
                done=_DONE.get(request.args.get("done", ""), ""),
            ),
        )

    @pages.post("/keys/<int:key_id>/rotate", endpoint="keys_rotate")
    def rotate(key_id: int) -> Response:
        visit = here()
        fresh = visit.services.keys.rotate(
            key_id,
            within(visit),
            overlap_hours=_wanted_number("overlap_hours", OVERLAPS),
            told_to=visit.visitor.person_id,
        )
        return _told_once(visit, fresh, instead_of=key_id)

    @pages.post("/keys/<int:key_id>/disable", endpoint="keys_disable")
    def disable(key_id: int) -> AnyResponse:
        visit = here()
        visit.services.keys.disable(key_id, within(visit))
        return redirect(url_for("web.keys_one", key_id=key_id, done="disabled"))

    @pages.post("/keys/<int:key_id>/enable", endpoint="keys_enable")
    def enable(key_id: int) -> AnyResponse:
        visit = here()
        visit.services.keys.enable(key_id, within(visit))
        return redirect(url_for("web.keys_one", key_id=key_id, done="enabled"))

    @pages.post("/keys/<int:key_id>/revoke", endpoint="keys_revoke")
    def revoke(key_id: int) -> AnyResponse:
        visit = here()
        visit.services.keys.revoke(key_id, within(visit))
        visit.services.pairing.close(key_id)
        return redirect(url_for("web.keys_one", key_id=key_id, done="revoked"))


def within(visit: Visit) -> int | None:
    """Return within whom this visitor may manage keys: None for everybody, as an owner."""
    return None if visit.visitor.is_owner else visit.visitor.person_id


def chosen_person(visit: Visit) -> int:
    """Return whom a new key is for: as the form says, for an owner; else the visitor. Raises `NotFound`."""
    told = request.form.get("person_id", "")
    if not told:
        return visit.person_id
    if not told.isdecimal() or int(told) not in {person.person_id for person in possible_people(visit)}:
        raise NotFound("There is no such person.")
    return int(told)


def possible_people(visit: Visit) -> list[Person]:
    """Return for whom this visitor may make a key."""
    return visit.services.people.everyone() if visit.visitor.is_owner else [visit.person]


def told_once(response: Response) -> Response:
    """Let no browser and nothing on the way keep a page with a secret."""
    response.headers["Cache-Control"] = "no-store"
    return response


def miss_line(visit: Visit, miss: NearMiss) -> MissLine:
    """Return what the pages show of refused requests."""
    return MissLine(
        when=moment(miss.last_at, visit.now),
        since=moment(miss.first_at, visit.now) if miss.count > 1 else "",
        address=miss.address or "many addresses",
        what=miss.reason.replace("_", " "),
        automation=miss.automation_name,
        key_name=miss.key_name or "",
        mend=miss.mend,
        count=miss.count,
    )


def _lines(visit: Visit) -> list[KeyLine]:
    counts = visit.services.uploads.counted_by_key()
    return [
        _told(visit, key, person, counts.get(key.key_id, 0))
        for key, person in visit.services.keys.listed(within(visit))
    ]


def _line(visit: Visit, key_id: int) -> KeyLine:
    found = next((line for line in _lines(visit) if line.key_id == key_id), None)
    if found is None:
        raise NotFound("There is no such key.")
    return found


def _told(visit: Visit, key: ApiKey, person: str, uploads: int) -> KeyLine:
    state = key.state(visit.now)
    mark, word = _STATES[state]
    return KeyLine(
        key_id=key.key_id,
        name=key.name,
        person=person,
        may=_may(key.scopes),
        mark=mark,
        state=word,
        created=day_words(_local(visit, key.created_at).date(), visit.today),
        expires=_expiry(visit, key),
        last_used=moment(key.last_used_at, visit.now),
        uploads=uploads,
        is_open=state is KeyState.OPEN,
        is_disabled=state is KeyState.DISABLED,
        can_pair=state is KeyState.OPEN and key.replaced_by is None and key.scopes == {Scope.INGEST},
        replaced_by=key.replaced_by,
    )


def _may(scopes: Iterable[Scope]) -> str:
    held = set(scopes)
    return ", ".join(_SCOPES[scope][0] for scope in Scope if scope in held)


def _expiry(visit: Visit, key: ApiKey) -> str:
    if key.expires_at is None:
        return "never"
    at = _local(visit, key.expires_at)
    return f"{at.day} {at:%B %Y %H:%M}"


def _local(visit: Visit, at: datetime) -> datetime:
    return at.astimezone(visit.person.zone)


def _new_page(visit: Visit, wrong: str = "") -> NewKeyPage:
    people = possible_people(visit)
    wanted = request.form.getlist("scope") or [Scope.INGEST]
    return NewKeyPage(
        name=request.form.get("name", ""),
        name_length=NAME_LENGTH,
        scopes=[(scope, word, hint, scope in wanted) for scope, (word, hint) in _SCOPES.items()],
        lives=LIVES,
        people=people if len(people) > 1 else [],
        person_id=visit.person_id,
        wrong=wrong,
    )


def _told_once(visit: Visit, fresh: NewKey, instead_of: int | None = None) -> Response:
    person = visit.services.people.find(fresh.key.person_id).name
    line = _told(visit, fresh.key, person, 0)
    old = f"key {instead_of}" if instead_of is not None else ""
    return told_once(page("key_made.html", MadePage(line, fresh.secret_text, old), 201))


def _wanted_scopes(words: list[str]) -> list[Scope]:
    if not words or set(words) - set(Scope):
        raise RequestError("Choose at least one thing the key may do.")
    return [Scope(word) for word in words]


def _wanted_number(name: str, choices: tuple[tuple[int, str], ...]) -> int:
    told = request.form.get(name, str(choices[0][0]))
    if told not in {str(number) for number, _ in choices}:
        raise RequestError(f"Choose one of the values offered for “{name.replace('_', ' ')}”.")
    return int(told)
