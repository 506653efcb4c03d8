"""Who may come in: the Host header, the request id, and the key a request presents."""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
import time

import structlog
from flask import Flask, Response, g, request

from appliance.cache.limiter import Allowance
from appliance.foundation.errors import HostRejected
from appliance.foundation.telemetry import Telemetry

_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,100}")
# Endings that routers give to names at home and nobody on the internet can register. Just any ending after our own
# name would not do: “localhost.” and the usual names of small computers can be put before every domain.
_HOME_SUFFIXES = (
    ".local",
    ".localhost",
    ".home.arpa",
    ".lan",
    ".internal",
    ".home",
    ".localdomain",
    ".intranet",
    ".fritz.box",
)
_KEY_HEADERS = ("X-API-Key", "api-key")

log = structlog.get_logger("hearthbeat.api")


def presented_key() -> str | None:
    """Return the API key of this request, from any of the headers it may come in."""
    bearer = request.headers.get("Authorization", "")
    if bearer:
        scheme, _, rest = bearer.partition(" ")
        return rest.strip() if scheme.lower() == "bearer" and rest.strip() else bearer.strip()
    for header in _KEY_HEADERS:
        if value := request.headers.get(header, "").strip():
            return value
    return None


def is_loopback() -> bool:
    """Whether the request comes from this computer."""
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def stand_guard(app: Flask, telemetry: Telemetry) -> None:
    """Give every request an id, check whom it means to talk to, and tell the log how it went."""
    own_names = {"localhost", socket.gethostname().casefold()}

    @app.before_request
    def _enter() -> None:
        sent = request.headers.get("X-Request-ID", "")
        g.request_id = sent if _SANE_REQUEST_ID.fullmatch(sent) else secrets.token_hex(12)
        g.entered = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        if not _is_own_host(request.host, own_names):
            raise HostRejected("The Host header names another machine; use this computer's address or name.")

    @app.after_request
    def _leave(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.get("request_id", "")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        response.headers.setdefault("Cache-Control", "private, no-cache")
        _tell_limits(response, g.get("allowances", ()))
        if request.method == "GET" and response.status_code == 200 and not response.is_streamed:
            response.add_etag()
            response.make_conditional(request)
        elapsed = time.perf_counter() - g.get("entered", time.perf_counter())
        route = request.url_rule.rule if request.url_rule else "none"
        telemetry.requests.labels(route=route, status=f"{response.status_code // 100}xx").inc()
        telemetry.request_seconds.labels(route=route).observe(elapsed)
        log.info(
            "request",
            method=request.method,
            route=route,
            status=response.status_code,
            ms=round(elapsed * 1000, 1),
        )
        return response


def _is_own_host(host: str, own_names: set[str]) -> bool:
    """Whether the Host header names this machine: an address, a local name. Guards against DNS rebinding."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    name = name.strip("[]").rstrip(".").casefold()
    if not name or name in own_names or name.endswith(_HOME_SUFFIXES):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _tell_limits(response: Response, allowances: tuple[Allowance, ...]) -> None:
    """Tell what is left, in the fields of the IETF draft "RateLimit header fields for HTTP"."""
    if not allowances:
        return
    response.headers["RateLimit-Policy"] = ", ".join(
        f'"{allowance.policy}";q={allowance.limit};w={allowance.window_s}' for allowance in allowances
    )
    response.headers["RateLimit"] = ", ".join(
        f'"{allowance.policy}";r={allowance.remaining};t={allowance.reset_s}' for allowance in allowances
    )
