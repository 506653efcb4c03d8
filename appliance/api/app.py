"""The WSGI application."""

from __future__ import annotations

from flask import Blueprint, Flask

from appliance.api.guards import stand_guard
from appliance.api.problems import answer_errors
from appliance.api.routes import register
from appliance.api.table import ROUTES
from appliance.services import Services


def create_app(services: Services, *pages: Blueprint) -> Flask:
    """Build the application: the API's routes, and the pages it is given."""
    app = Flask("appliance.api", static_folder=None)
    app.url_map.merge_slashes = (
        False  # a redirect would cost the phone its Authorization header; 404 says what to mend
    )
    stand_guard(app, services)
    answer_errors(app)
    register(app, services, ROUTES)
    for blueprint in pages:
        app.register_blueprint(blueprint)
    return app
