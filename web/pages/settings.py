"""Settings of a person: name, time zone, units, goals, password, and where they are logged in."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.person import NAME_LENGTH, Person
from appliance.domain.preferences import Energy, Preferences, Units
from appliance.foundation.errors import HearthbeatError, RequestError
from appliance.services.sessions import LEAST_PASSWORD
from web.frame import Visit, here, page
from web.words import ago, time_zones

_DONE = {
    "person": "Name and time zone are kept.",
    "display": "Numbers are shown that way from now on.",
    "goals": "Your goals are kept.",
    "password": "The password is changed; other browsers are logged out.",
    "session": "That browser is logged out.",
    "sessions": "All other browsers are logged out.",
}
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
)
_LATER_BROWSERS = (("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Goal:
    """A number a person chooses, with its bounds; `step` as the form's."""

    name: str
    words: str
    unit: str
    least: float
    most: float
    step: str
    value: float = 0

    @property
    def shown(self) -> str:
        """The value as the form has it."""
        return f"{self.value:g}"


GOALS = (
    Goal("move_goal_kcal", "Move", "kcal a day", 1, 5000, "10"),
    Goal("exercise_goal_min", "Exercise", "minutes a day", 1, 600, "1"),
    Goal("stand_goal_h", "Stand", "hours a day", 1, 24, "1"),
    Goal("step_goal", "Steps", "a day", 1, 200_000, "100"),
    Goal("sleep_goal_h", "Sleep", "hours a night", 1, 16, "0.25"),
    Goal("max_heart_rate", "Highest heart rate", "beats a minute, for zones", 100, 240, "1"),
)


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A browser that is logged in."""

    session_id: int
    words: str
    address: str
    seen: str
    is_this: bool


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """What one person can choose. `is_mine` unless an owner looks after somebody."""

    person: Person
    name_length: int
    time_zones: list[str]
    preferences: Preferences
    goals: list[Goal]
    sessions: list[SessionLine]
    least_password: int
    is_mine: bool
    done: str
    wrong: str = ""
    wrong_part: str = ""


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""
    _add_door_settings(pages)

    @pages.get("/settings", endpoint="settings")
    def show() -> Response:
        return page("settings.html", _page(here()))

    @pages.post("/settings/person", endpoint="settings_person")
    def person() -> Response | AnyResponse:
        visit = here()
        try:
            visit.services.people.change(
                visit.person_id,
                name=request.form.get("name", ""),
                time_zone=request.form.get("time_zone", ""),
            )
        except HearthbeatError as error:
            return _again(visit, "person", error)
        return _done("person")

    @pages.post("/settings/display", endpoint="settings_display")
    def display() -> AnyResponse:
        visit = here()
        units = Units.IMPERIAL if request.form.get("units") == Units.IMPERIAL else Units.METRIC
        energy = Energy.KJ if request.form.get("energy") == Energy.KJ else Energy.KCAL
        visit.services.sessions.prefer(
            visit.person_id, replace(visit.preferences, units=units, energy=energy)
        )
        return _done("display")

    @pages.post("/settings/goals", endpoint="settings_goals")
    def goals() -> Response | AnyResponse:
        visit = here()
        try:
            chosen = {goal.name: _number(goal, request.form.get(goal.name, "")) for goal in GOALS}
        except RequestError as error:
            return _again(visit, "goals", error)
        visit.services.sessions.prefer(visit.person_id, Preferences.of(visit.preferences.as_dict() | chosen))
        return _done("goals")


def _add_door_settings(pages: Blueprint) -> None:
    @pages.post("/settings/password", endpoint="settings_password")
    def password() -> Response | AnyResponse:
        visit = here()
        try:
            if request.form.get("new") != request.form.get("again"):
                raise RequestError("The two new passwords differ.")
            visit.services.sessions.change_password(
                visit.visitor, request.form.get("old", ""), request.form.get("new", "")
            )
        except HearthbeatError as error:
            return _again(visit, "password", error)
        return _done("password")

    @pages.post("/settings/sessions/<int:session_id>/end", endpoint="settings_session_end")
    def end(session_id: int) -> AnyResponse:
        visit = here()
        visit.services.sessions.end(visit.visitor.person_id, session_id)
        return _done("session")

    @pages.post("/settings/sessions/end", endpoint="settings_sessions_end")
    def end_others() -> AnyResponse:
        visit = here()
        visit.services.sessions.end_others(visit.visitor)
        return _done("sessions")


def browser_words(user_agent: str) -> str:
    """Return a browser as its person knows it: “Safari on iPhone”. What is not known is shown as it came."""
    browser = next((word for mark, word in _BROWSERS + _LATER_BROWSERS if mark in user_agent), None)
    system = next((word for mark, word in _SYSTEMS if mark in user_agent), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or user_agent[:60] or "An unknown browser"


def _page(visit: Visit, wrong: str = "", wrong_part: str = "") -> SettingsPage:
    held = visit.preferences.as_dict()
    return SettingsPage(
        person=visit.person,
        name_length=NAME_LENGTH,
        time_zones=time_zones(),
        preferences=visit.preferences,
        goals=[replace(goal, value=float(held[goal.name])) for goal in GOALS],
        sessions=[
            SessionLine(
                each.session_id,
                browser_words(each.browser),
                each.address,
                ago(each.last_seen_at, visit.now),
                each.session_id == visit.visitor.session_id,
            )
            for each in visit.services.sessions.listed(visit.visitor.person_id)
        ],
        least_password=LEAST_PASSWORD,
        is_mine=visit.person_id == visit.visitor.person_id,
        done=_DONE.get(request.args.get("done", ""), ""),
        wrong=wrong,
        wrong_part=wrong_part,
    )


def _again(visit: Visit, part: str, error: HearthbeatError) -> Response:
    if error.status >= 500:
        raise error
    return page("settings.html", _page(visit, error.detail, part), error.status)


def _done(what: str) -> AnyResponse:
    return redirect(url_for("web.settings", done=what))


def _number(goal: Goal, told: str) -> float:
    told = told.strip().replace(",", ".")
    value = float(told) if re.fullmatch(r"\d{1,6}(\.\d{1,3})?", told) else -1.0
    if not goal.least <= value <= goal.most:
        raise RequestError(f"{goal.words}: choose a number from {goal.least:,g} to {goal.most:,g}.")
    return value
