"""The pages, one module per place in the navigation. What a template gets is a declared dataclass.

Imports services and what lies below; knows nothing of the API, whose addresses the charts ask like anybody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, g, render_template
from werkzeug.exceptions import HTTPException

from appliance.foundation.errors import HearthbeatError
from appliance.services import Services
from web import words
from web.assets import head, serve_assets
from web.entry import keep_door
from web.frame import guarded, theme
from web.pages import (
    health,
    health_coverage,
    health_history,
    health_jobs,
    health_quarantine,
    health_storage,
    history,
    keys,
    metrics,
    pairing,
    records,
    settings,
    settings_house,
    settings_people,
    settings_sources,
    sleep,
    today,
    uploads,
    workouts,
)

_HERE = Path(__file__).parent.parent
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path fill="#c8452f" d="M16 28.5C9.5 24 3.5 18.7 3.5'
    " 12.3 3.5 8 6.8 5 10.5 5c2.3 0 4.3 1.2 5.5 3.1C17.2 6.2 19.2 5 21.5 5c3.7 0 7 3 7 7.3 0 6.4-6 11.7-12.5"
    ' 16.2Z"/><path fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'
    ' d="M7 15.5h4l2-4.5 4 8.5 2.3-4H25"/></svg>'
)


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What went wrong and what to do about it."""

    title: str
    detail: str
    request_id: str


def create_blueprint(services: Services) -> Blueprint:
    """Build the dashboard."""
    pages = Blueprint("web", __name__, template_folder=str(_HERE / "templates"))
    keep_door(pages, services)
    serve_assets(pages)
    for module in (
        today,
        sleep,
        workouts,
        metrics,
        records,
        uploads,
        history,
        keys,
        health,
        health_coverage,
        health_quarantine,
        health_storage,
        health_jobs,
        health_history,
        settings,
        settings_people,
        settings_sources,
        settings_house,
    ):
        module.add_pages(pages)
    pairing.add_pages(pages, services)

    @pages.get("/icon.svg")
    def icon() -> Response:
        return Response(
            _ICON, content_type="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"}
        )

    @pages.app_context_processor
    def _helpers() -> dict[str, object]:
        return {"assets_head": head}

    @pages.record_once
    def _filters(state: object) -> None:
        environment = state.app.jinja_env  # type: ignore[attr-defined]  # Flask does not name this type publicly
        environment.filters |= {"moment": words.moment, "ago": words.ago, "day_words": words.day_words}
        environment.trim_blocks = environment.lstrip_blocks = True

    pages.register_error_handler(HearthbeatError, _error_page)
    pages.register_error_handler(HTTPException, _http_error_page)
    return pages


def _error_page(error: Exception) -> tuple[Response, int]:
    assert isinstance(error, HearthbeatError)  # noqa: S101  registered for nothing else
    return _told(error.title, error.detail, error.status)


def _http_error_page(error: Exception) -> tuple[Response, int]:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for nothing else
    status = error.code or 500
    if status == 404:
        return _told("Nothing here", "There is no such page, or it shows what is not yours.", status)
    return _told(error.name, error.description or "", status)


def _told(title: str, detail: str, status: int) -> tuple[Response, int]:
    content = ErrorPage(title, detail, g.get("request_id", ""))
    response = Response(render_template("error.html", page=content, theme=theme(), visit=None))
    return guarded(response), status
