"""The pages. What a template gets is a declared dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, make_response, render_template

from appliance.services import Services

_HERE = Path(__file__).parent
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True, slots=True)
class IndexPage:
    """What the first page shows: how the appliance is, and nothing of anybody's health."""

    version: str
    state: str
    parts: dict[str, str]
    last_upload: str
    port: int


def create_blueprint(services: Services) -> Blueprint:
    """Build the dashboard."""
    pages = Blueprint(
        "web",
        __name__,
        template_folder=str(_HERE / "templates"),
        static_folder=str(_HERE / "static"),
        static_url_path="/static",
    )

    @pages.get("/")
    def index() -> Response:
        status = services.health.status()
        page = IndexPage(
            version=status.version,
            state={
                "ok": "Running",
                "degraded": "Running, with a part on its fallback",
                "away": "Not able to work",
            }[status.readiness.word],
            parts=status.readiness.parts,
            last_upload=status.last_upload_at.strftime("%d %B %Y, %H:%M UTC")
            if status.last_upload_at
            else "none yet",
            port=services.settings.port,
        )
        response = make_response(render_template("index.html", page=page))
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return pages
