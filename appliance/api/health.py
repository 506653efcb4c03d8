"""Is it alive, is it ready, and how is it: for people, programs and Prometheus."""

from __future__ import annotations

from flask import g, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from appliance.api.answers import AliveAnswer, ReadyAnswer, StatusAnswer
from appliance.api.guards import is_loopback, presented_key
from appliance.api.routes import Answer, Call, Query, Route
from appliance.domain.key import Scope

_WORDS = {"ok": "operational", "degraded": "degraded", "away": "unavailable"}


def alive(_call: Call) -> Answer:
    """Say that the process answers; nothing else is asked."""
    return Answer({"status": "ok"})


def ready(call: Call) -> Answer:
    """Whether the process can do its work, naming the part that cannot."""
    readiness = call.services.health.readiness()
    return Answer({"status": readiness.word, "parts": readiness.parts}, 200 if readiness.is_ready else 503)


def show_status(call: Call) -> Answer:
    """Give a summary."""
    status = call.services.health.status()
    word = status.readiness.word
    return Answer(
        {
            "status": _WORDS[word],
            "timestamp": status.now.isoformat(),
            "service": "hearthbeat",
            "version": status.version,
            "environment": "appliance",
            "database": {
                "status": "connected" if status.readiness.parts["database"] == "ok" else "disconnected"
            },
            "parts": status.readiness.parts,
            "started_at": status.started_at.isoformat(),
            "uploads_waiting": status.uploads_waiting,
            "last_upload_at": status.last_upload_at.isoformat() if status.last_upload_at else None,
        }
    )


def show_telemetry(call: Call) -> Answer:
    """Prometheus' text format; open on this computer, with a read key elsewhere."""
    if not is_loopback():
        g.allowances = call.services.keys.admit(
            presented_key(), Scope.READ, request.remote_addr or ""
        ).allowances
    return Answer(generate_latest(call.services.telemetry.registry), content_type=CONTENT_TYPE_LATEST)


ROUTES = (
    Route("GET", "/healthz", alive, "Say that the process answers", None, AliveAnswer),
    Route("GET", "/readyz", ready, "Say whether the work can be done", None, ReadyAnswer),
    Route("GET", "/api/v1/status", show_status, "Give a summary", Scope.READ, StatusAnswer, Query),
    Route("GET", "/metrics", show_telemetry, "Prometheus metrics", None, media_types=("text/plain",)),
)
