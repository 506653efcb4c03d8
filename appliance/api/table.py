"""The whole route table on one screen."""

from __future__ import annotations

from appliance.api import advice, description, health, keys, metrics, replay, sources, uploads
from appliance.api.routes import Route

ROUTES: tuple[Route, ...] = (
    *uploads.ROUTES,
    *metrics.ROUTES,
    *advice.ROUTES,
    *replay.ROUTES,
    *sources.ROUTES,
    *keys.ROUTES,
    *health.ROUTES,
    *description.routes(lambda: ROUTES),
)
