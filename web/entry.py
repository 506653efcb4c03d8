"""The door: set-up, login, logout, and that only who is logged in and only our own pages get any further."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass

from flask import Blueprint, Response, abort, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.preferences import Energy, Preferences, Units
from appliance.domain.session import COOKIE, LinkPurpose, is_from_own_page
from appliance.foundation.errors import ForeignPage, HearthbeatError, LoginRefused, RateLimited
from appliance.services import Services
from appliance.services.sessions import LEAST_PASSWORD, SESSION_LIFE, NewSession
from web.frame import THEME_COOKIE, THEMES, Visit, here, page
from web.words import time_zones

# Endpoints that are the same whoever asks.
_SAME_FOR_ALL = {"web.asset", "web.icon"}
# Endpoints that show nothing of anybody.
_OPEN = _SAME_FOR_ALL | {
    "web.login",
    "web.log_in",
    "web.setup",
    "web.set_up",
    "web.redeem",
    "web.choose_theme",
    "web.pair_phone",
}
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class LoginPage:
    """The login form. `wants_name` once more than one person has a password."""

    wants_name: bool
    name: str
    following: str
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class SetupPage:
    """The set-up form with what was filled in."""

    token: str
    name: str
    time_zone: str
    time_zones: list[str]
    units: Units
    energy: Energy
    least_password: int
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class ClosedPage:
    """Says how to get in to who has neither link nor password."""

    needs_setup: bool
    wrong: str = ""


def keep_door(pages: Blueprint, services: Services) -> None:
    """Add the door's pages, and let nobody past it."""

    @pages.before_request
    def _enter() -> AnyResponse | None:
        if request.method not in ("GET", "HEAD", "OPTIONS") and not is_from_own_page(
            request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin"), request.host
        ):
            raise ForeignPage(
                "This was not sent from Hearthbeat's own pages; open the dashboard and try again there."
            )
        if request.endpoint in _SAME_FOR_ALL:
            return None
        visitor = services.sessions.visitor(request.cookies.get(COOKIE))
        if visitor is not None:
            g.visit = Visit(services, visitor)
            if request.method in ("GET", "HEAD") and request.endpoint not in _OPEN:
                g.reading = ExitStack()
                g.reading.enter_context(services.shared_reading())
        elif request.endpoint not in _OPEN:
            return redirect(
                url_for("web.login", next=request.full_path.rstrip("?") if request.method == "GET" else None)
            )
        return None

    @pages.teardown_request
    def _leave(_error: BaseException | None) -> None:
        if (reading := g.pop("reading", None)) is not None:
            reading.close()

    _add_login(pages, services)
    _add_setup(pages, services)
    _add_choices(pages, services)


def _add_login(pages: Blueprint, services: Services) -> None:
    @pages.get("/login")
    def login() -> Response | AnyResponse:
        if services.sessions.needs_setup():
            return page("closed.html", ClosedPage(needs_setup=True))
        return page("login.html", _login_page(services))

    @pages.post("/login")
    def log_in() -> Response | AnyResponse:
        try:
            fresh = services.sessions.log_in(
                request.form.get("name", ""), request.form.get("password", ""), _address(), _browser()
            )
        except RateLimited as error:
            return page("login.html", _login_page(services, error.detail), 429)
        except HearthbeatError as error:
            if error.status >= 500:
                raise
            return page("login.html", _login_page(services, error.detail), 403)
        return _let_in(fresh, following())

    @pages.get("/login/<token>")
    def redeem(token: str) -> Response | AnyResponse:
        # A GET, because a terminal and a tray can only open addresses; the link works once and for 15 minutes.
        try:
            fresh = services.sessions.redeem(token, _address(), _browser())
        except HearthbeatError as error:
            if error.status >= 500:
                raise
            return page(
                "closed.html", ClosedPage(services.sessions.needs_setup(), error.detail), error.status
            )
        return _let_in(fresh, following())


def _add_setup(pages: Blueprint, services: Services) -> None:
    @pages.get("/setup/<token>")
    def setup(token: str) -> Response:
        if not services.sessions.opens(token, LinkPurpose.SETUP):
            needed = services.sessions.needs_setup()
            return page(
                "closed.html", ClosedPage(needed, "This set-up link was used already or is too old."), 403
            )
        first = next(iter(services.people.everyone()), None)
        zone = first.time_zone if first else services.sessions.time_zone
        return page("setup.html", _setup_page(token, first.name if first else "", zone))

    @pages.post("/setup/<token>")
    def set_up(token: str) -> Response | AnyResponse:
        form = request.form
        units = Units.IMPERIAL if form.get("units") == Units.IMPERIAL else Units.METRIC
        energy = Energy.KJ if form.get("energy") == Energy.KJ else Energy.KCAL
        try:
            fresh = services.sessions.set_up(
                token,
                name=form.get("name", ""),
                time_zone=form.get("time_zone", ""),
                password=form.get("password", ""),
                preferences=Preferences(units=units, energy=energy),
                address=_address(),
                browser=_browser(),
            )
        except LoginRefused as error:
            needed = services.sessions.needs_setup()
            return page("closed.html", ClosedPage(needed, error.detail), error.status)
        except HearthbeatError as error:
            if error.status >= 500:
                raise
            again = _setup_page(
                token, form.get("name", ""), form.get("time_zone", ""), units, energy, error.detail
            )
            return page("setup.html", again, error.status)
        return _let_in(fresh, url_for("web.keys_pair"))


def _add_choices(pages: Blueprint, services: Services) -> None:
    @pages.post("/logout")
    def log_out() -> AnyResponse:
        visitor = here().visitor
        services.sessions.end(visitor.person_id, visitor.session_id)
        response = redirect(url_for("web.login"))
        response.delete_cookie(COOKIE)
        return response

    @pages.post("/view/<int:person_id>")
    def view(person_id: int) -> AnyResponse:
        services.sessions.view(here().visitor, person_id)
        return redirect(url_for("web.today"))

    @pages.post("/theme")
    def choose_theme() -> AnyResponse:
        chosen = request.form.get("theme", "")
        if chosen not in THEMES:
            abort(400)
        response = redirect(following())
        response.set_cookie(THEME_COOKIE, chosen, max_age=_YEAR_S, samesite="Lax", httponly=True)
        return response


def _login_page(services: Services, wrong: str = "") -> LoginPage:
    able = [face for face in services.sessions.faces() if face.has_password]
    return LoginPage(len(able) > 1, request.form.get("name", ""), following(), wrong)


def _setup_page(
    token: str,
    name: str,
    time_zone: str,
    units: Units = Units.METRIC,
    energy: Energy = Energy.KCAL,
    wrong: str = "",
) -> SetupPage:
    return SetupPage(token, name, time_zone, time_zones(), units, energy, LEAST_PASSWORD, wrong)


def _let_in(fresh: NewSession, following: str) -> AnyResponse:
    response = redirect(following)
    response.set_cookie(
        COOKIE, fresh.token, max_age=int(SESSION_LIFE.total_seconds()), httponly=True, samesite="Lax"
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def following() -> str:
    """Return the page of ours to go on to; an address that leads elsewhere is not followed."""
    wanted = request.form.get("next") or request.args.get("next") or "/"
    # One slash, and no second one in any spelling: then it stays with this host.
    return wanted if re.fullmatch(r"/(?![/\\])[^\\\s]*", wanted) else "/"


def _address() -> str:
    return request.remote_addr or ""


def _browser() -> str:
    return request.headers.get("User-Agent", "")
