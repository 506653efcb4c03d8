"""What every page stands in: who looks, where they can go, how the appliance is, and the one way to render."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from flask import Response, g, make_response, render_template, request, url_for

from appliance.catalog.load import Catalogue, load_catalogue
from appliance.domain.person import Person
from appliance.domain.preferences import Preferences
from appliance.domain.session import Face, Visitor
from appliance.services import Services
from web.units import Scales

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
THEME_COOKIE = "hb_theme"
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation."""

    endpoint: str
    name: str
    icon: str

    @property
    def url(self) -> str:
        """Its address."""
        return url_for(f"web.{self.endpoint}")

    @property
    def is_here(self) -> bool:
        """Whether the page shown belongs to it."""
        here = (request.endpoint or "").removeprefix("web.")
        return here == self.endpoint or here.startswith(f"{self.endpoint}_")


DATA_PLACES = (
    Place("today", "Today", "sun"),
    Place("sleep", "Sleep", "moon"),
    Place("workouts", "Workouts", "run"),
    Place("metrics", "Metrics", "chart"),
    Place("records", "Records", "pulse"),
)
HOUSE_PLACES = (
    Place("uploads", "Uploads", "inbox"),
    Place("keys", "Keys & phones", "phone"),
    Place("health", "Data health", "shield"),
    Place("settings", "Settings", "gear"),
)


@dataclass(frozen=True, slots=True)
class Strip:
    """The thin line over every page: whether data comes in. `mark` is good, warn or bad."""

    mark: str
    words: str
    last_upload_at: datetime | None


class Visit:
    """One request by somebody who is logged in: the services, and what is known of who looks.

    `person` is whose data is shown, which for a child without a password is not who is logged in.
    """

    def __init__(self, services: Services, visitor: Visitor) -> None:
        self.services = services
        self.visitor = visitor
        self.person_id = visitor.viewing_id

    @cached_property
    def person(self) -> Person:
        """Whose data is shown."""
        return self.services.people.find(self.person_id)

    @cached_property
    def preferences(self) -> Preferences:
        """How that person likes it."""
        return self.services.sessions.preferences(self.person_id)

    @cached_property
    def catalogue(self) -> Catalogue:
        """What is known of metrics."""
        return load_catalogue()

    @cached_property
    def scales(self) -> Scales:
        """How numbers are shown."""
        return Scales(self.catalogue, self.preferences)

    @cached_property
    def faces(self) -> list[Face]:
        """Whose data this visitor may look at."""
        return self.services.sessions.viewable(self.visitor)

    @cached_property
    def now(self) -> datetime:
        """This moment where the person lives."""
        return self.services.clock.now().astimezone(self.person.zone)

    @property
    def today(self) -> date:
        """The day where the person lives."""
        return self.now.date()

    @cached_property
    def strip(self) -> Strip:
        """How the appliance is, in one line."""
        newest = self.services.uploads.listed(self.person_id, before=None, limit=1)
        readiness = self.services.health.readiness()
        last = newest[0].upload.received_at.astimezone(self.person.zone) if newest else None
        if not readiness.is_ready:
            return Strip("bad", "A part of Hearthbeat is away", last)
        if last is None:
            return Strip("warn", "Nothing has arrived yet", last)
        silent = [row.key_name for row in self.services.silence.of_person(self.person_id) if row.silent_since]
        if silent:
            return Strip("warn", f"Nothing new for longer than usual from {silent[0]}", last)
        return Strip("good", "Receiving", last)


def here() -> Visit:
    """Return the visit of this request; only pages for who is logged in ask."""
    visit: Visit = g.visit
    return visit


def theme() -> str:
    """Return the theme chosen in this browser."""
    chosen = request.cookies.get(THEME_COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"


def page(template: str, content: Any, status: int = 200) -> Response:
    """Render a whole page; `content` is the declared dataclass its template is given as `page`."""
    return _rendered(template, content, status)


def part(template: str, content: Any) -> Response:
    """Render a part of a page that htmx puts into its place."""
    return _rendered(template, content, 200)


def _rendered(template: str, content: Any, status: int) -> Response:
    visit = g.get("visit")
    response = make_response(
        render_template(
            template,
            page=content,
            visit=visit,
            theme=theme(),
            data_places=DATA_PLACES,
            house_places=HOUSE_PLACES,
        ),
        status,
    )
    if visit is not None:  # nothing of it is left behind in a browser that others use, too
        response.headers["Cache-Control"] = "no-store"
    return guarded(response)


def guarded(response: Response) -> Response:
    """Give a page what keeps it from being misused.

    Its own address goes along with what it sends to us, because browsers that see us over plain HTTP tell nothing
    else of where a form comes from; under `no-referrer` they would send “Origin: null”, as a foreign page may.
    """
    response.headers["Content-Security-Policy"] = POLICY
    if "Sec-Fetch-Mode" in request.headers:  # elsewhere, as over plain HTTP at home, browsers complain of it
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Vary"] = "Cookie"
    return response
