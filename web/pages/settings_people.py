"""The people of the appliance, for its owners: add, rename, look after, remove."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flask import Blueprint, Response, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.person import NAME_LENGTH, Person, folded_name
from appliance.domain.session import COOKIE, LinkPurpose
from appliance.foundation.errors import Conflict, HearthbeatError, NotFound, OwnerNeeded, RequestError
from appliance.foundation.paths import DataFolder
from appliance.services.sessions import LOGIN_LINK_LIFE
from web.frame import Visit, here, page
from web.pages.keys import told_once
from web.words import time_zones

_DONE = {
    "added": "Added. Connect their phone under Keys & phones, or look after their data from here.",
    "changed": "The change is kept.",
}


@dataclass(frozen=True, slots=True)
class PersonLine:
    """A person as an owner sees them. `is_cared_for`: without a password, so that owners see their data."""

    person: Person
    is_me: bool
    is_shown: bool
    is_cared_for: bool


@dataclass(frozen=True, slots=True)
class Removal:
    """What is left of somebody who was removed."""

    name: str
    uploads: int
    archive: str


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Everybody. `link` logs somebody in once and is told this once."""

    people: list[PersonLine]
    name_length: int
    time_zones: list[str]
    time_zone: str
    done: str = ""
    wrong: str = ""
    removed: Removal | None = None
    link: str = ""
    link_for: str = ""
    link_minutes: int = int(LOGIN_LINK_LIFE.total_seconds() // 60)


def refuse_unless_owner(visit: Visit) -> None:
    """Raise `OwnerNeeded` for anybody who does not look after the appliance."""
    if not visit.visitor.is_owner:
        raise OwnerNeeded("Only an owner of this appliance may do this.")


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""
    _add_changing(pages)

    @pages.get("/settings/people", endpoint="settings_people")
    def people() -> Response:
        visit = here()
        refuse_unless_owner(visit)
        return page("settings_people.html", _page(visit))

    @pages.post("/settings/people", endpoint="settings_people_add")
    def add() -> Response | AnyResponse:
        visit = here()
        refuse_unless_owner(visit)
        try:
            visit.services.people.create(request.form.get("name", ""), request.form.get("time_zone", ""))
        except HearthbeatError as error:
            return _again(visit, error)
        return redirect(url_for("web.settings_people", done="added"))

    @pages.post("/settings/people/<int:person_id>/link", endpoint="settings_people_link")
    def link(person_id: int) -> Response:
        visit = here()
        refuse_unless_owner(visit)
        line = _line(visit, person_id)
        if not line.is_cared_for:
            # An owner sees the data of whom they care for; a link to anybody else would open somebody else's.
            raise Conflict(f"“{line.person.name}” has a password; only they log in with it.")
        token = visit.services.sessions.link(LinkPurpose.LOGIN, person_id)
        content = _page(visit, link=f"{request.host_url}login/{token}", link_for=line.person.name)
        return told_once(page("settings_people.html", content))


def _add_changing(pages: Blueprint) -> None:
    @pages.post("/settings/people/<int:person_id>", endpoint="settings_people_change")
    def change(person_id: int) -> Response | AnyResponse:
        visit = here()
        refuse_unless_owner(visit)
        form = request.form
        try:
            visit.services.people.change(
                person_id,
                name=form.get("name"),
                time_zone=form.get("time_zone"),
                is_owner=form["is_owner"] == "yes" if "is_owner" in form else None,
            )
        except HearthbeatError as error:
            return _again(visit, error)
        return redirect(url_for("web.settings_people", done="changed"))

    @pages.post("/settings/people/<int:person_id>/remove", endpoint="settings_people_remove")
    def remove(person_id: int) -> Response | AnyResponse:
        visit = here()
        refuse_unless_owner(visit)
        line = _line(visit, person_id)
        services = visit.services
        folder = DataFolder(services.settings.data_dir).exports if request.form.get("export") else None
        try:
            if folded_name(request.form.get("confirm", "")) != folded_name(line.person.name):
                raise RequestError(f"To remove “{line.person.name}”, type this name into the field.")
            if line.is_shown and not line.is_me:
                visit = g.visit = _at_home(visit)
            gone = services.people.remove_into(person_id, folder)
        except HearthbeatError as error:
            return _again(visit, error)
        if line.is_me:
            response = redirect(url_for("web.login"))
            response.delete_cookie(COOKIE)
            return response
        removed = Removal(gone.person.name, gone.uploads, str(gone.archive) if gone.archive else "")
        return page("settings_people.html", _page(visit, removed=removed))


def _at_home(visit: Visit) -> Visit:
    """Show the visitor's own data from now on: whoever is shown is about to be gone."""
    visitor = visit.visitor
    visit.services.sessions.view(visitor, visitor.person_id)
    return Visit(visit.services, replace(visitor, viewing_id=visitor.person_id))


def _page(
    visit: Visit, *, wrong: str = "", removed: Removal | None = None, link: str = "", link_for: str = ""
) -> PeoplePage:
    return PeoplePage(
        people=_lines(visit),
        name_length=NAME_LENGTH,
        time_zones=time_zones(),
        time_zone=visit.services.people.time_zone,
        done=_DONE.get(request.args.get("done", ""), ""),
        wrong=wrong,
        removed=removed,
        link=link,
        link_for=link_for,
    )


def _lines(visit: Visit) -> list[PersonLine]:
    with_password = {face.person_id for face in visit.services.sessions.faces() if face.has_password}
    return [
        PersonLine(
            person,
            is_me=person.person_id == visit.visitor.person_id,
            is_shown=person.person_id == visit.person_id,
            is_cared_for=person.person_id not in with_password
            and person.person_id != visit.visitor.person_id,
        )
        for person in visit.services.people.everyone()
    ]


def _line(visit: Visit, person_id: int) -> PersonLine:
    found = next((line for line in _lines(visit) if line.person.person_id == person_id), None)
    if found is None:
        raise NotFound("There is no such person.")
    return found


def _again(visit: Visit, error: HearthbeatError) -> Response:
    if error.status >= 500:
        raise error
    return page("settings_people.html", _page(visit, wrong=error.detail), error.status)
