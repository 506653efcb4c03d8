"""The whole route table on one screen."""

from __future__ import annotations

from appliance.api import (
    advice,
    backups,
    checks,
    control,
    description,
    export,
    health,
    jobs,
    keys,
    metrics,
    people,
    quarantine,
    records,
    replay,
    sleep,
    sources,
    today,
    uploads,
    workouts,
)
from appliance.api.routes import Route

ROUTES: tuple[Route, ...] = (
    *uploads.ROUTES,
    *metrics.ROUTES,
    *advice.ROUTES,
    *replay.ROUTES,
    *today.ROUTES,
    *sources.ROUTES,
    *export.ROUTES,
    *workouts.ROUTES,
    *sleep.ROUTES,
    *records.ROUTES,
    *quarantine.ROUTES,
    *checks.ROUTES,
    *keys.ROUTES,
    *people.ROUTES,
    *backups.ROUTES,
    *health.ROUTES,
    *jobs.ROUTES,
    *control.ROUTES,
    *description.routes(lambda: ROUTES),
)
