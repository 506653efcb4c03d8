"""Who may come in: the Host header, the request id, and the key a request presents."""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
import time
from contextlib import suppress

import structlog
from flask import Flask, Response, g, request

from appliance.cache.limiter import Allowance
from appliance.domain.presented import MENDS, Presented, Refusal, read_presented
from appliance.domain.session import COOKIE, Visitor, is_from_own_page
from appliance.domain.text import storable_text
from appliance.foundation.errors import ForeignPage, HostRejected
from appliance.foundation.network import HOME_SUFFIXES, bare_name
from appliance.foundation.steps import Trace
from appliance.services import Services

_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,100}")
# Where the server puts, into the WSGI environment, when the first byte came and when the steps up to here ended.
ARRIVED = "hearthbeat.arrived"

log = structlog.get_logger("hearthbeat.api")


def presented_key() -> Presented:
    """Return the API key of this request, from any of the headers it may come in, or what came nearest to one."""
    query = request.query_string.decode("latin-1")
    return read_presented(request.headers, query, header_text("automation-name"))


def header_text(name: str, length: int | None = None) -> str:
    """Return a header as text that can be stored, cut to `length` characters when given; empty without it."""
    # WSGI hands headers over as Latin-1; the phone sends UTF-8.
    raw = request.headers.get(name, "")
    with suppress(UnicodeError):
        raw = raw.encode("latin-1").decode("utf-8")
    return storable_text(raw, length)


def trace_from_socket() -> Trace:
    """Return a trace of this request that begins with its first byte, where the server told when that came."""
    began_s, *steps = request.environ.get(ARRIVED, (None,))
    trace = Trace("request", began_s)
    for name, at_s in steps:
        trace.note(name, at_s=at_s)
    return trace


def visitor_of(services: Services) -> Visitor | None:
    """Return who is logged in to the dashboard, when the request brings a session and no key.

    Raises `ForeignPage` when another site's page tries to change something with it.
    """
    token = request.cookies.get(COOKIE)
    if token is None or presented_key().flaw is not Refusal.NO_KEY:
        return None
    visitor = services.sessions.visitor(token)
    if visitor is not None and request.method not in ("GET", "HEAD"):
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        if not is_from_own_page(site, origin, request.host):
            raise ForeignPage("This was not sent from Hearthbeat's own pages; use an API key.")
    return visitor


def is_loopback() -> bool:
    """Whether the request comes from this computer."""
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def stand_guard(app: Flask, services: Services) -> None:
    """Give every request an id, check whom it means to talk to, and tell the log how it went."""
    own_names = {"localhost", socket.gethostname().casefold()}
    telemetry = services.telemetry

    @app.before_request
    def _enter() -> None:
        sent = request.headers.get("X-Request-ID", "")
        g.request_id = sent if _SANE_REQUEST_ID.fullmatch(sent) else secrets.token_hex(12)
        g.entered = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        if not _is_own_host(request.host, own_names):
            services.keys.note_refused_host(header_text("automation-name"), request.remote_addr or "")
            raise HostRejected(MENDS[Refusal.HOST_REJECTED])

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
        steps = g.trace.for_log() if "trace" in g else {}
        log.info(
            "request",
            method=request.method,
            route=route,
            status=response.status_code,
            ms=round(elapsed * 1000, 1),
            **steps,
        )
        return response


def _is_own_host(host: str, own_names: set[str]) -> bool:
    """Whether the Host header names this machine: an address, a local name. Guards against DNS rebinding."""
    name = bare_name(host)
    if name in own_names or name.endswith(HOME_SUFFIXES):
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
