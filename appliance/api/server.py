"""Waitress in front of the application, answering the requests it refuses itself in our own words."""

from __future__ import annotations

import copy
import json
import math
import secrets
import socket
import time
from functools import cache
from typing import Any

import structlog
from flask import Flask
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import MultiSocketServer, create_server
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import BadRequest, Error

from appliance.api.guards import ARRIVED
from appliance.api.problems import CONTENT_TYPE, problem_body
from appliance.api.uploads import UPLOAD_PATHS
from appliance.domain.delivery import CHUNK_BYTES, CHUNKS_PATH
from appliance.foundation.errors import (
    HearthbeatError,
    HostError,
    PortTaken,
    RateLimited,
    RequestError,
    UploadTooLarge,
)
from appliance.foundation.settings import Settings

# Room for the envelope round a body of exactly the limit (multipart boundaries); the service checks precisely.
_SLACK = 64 * 1024
# What anything but an upload may bring along: forms and small JSON.
_MOST_ELSEWHERE = 1024 * 1024

# How long a refused phone may go on sending what nobody reads.
_LINGER_S = 60.0

# Slower than this, on average, nobody sends who means it; it is the slowest mobile network's.
_LEAST_BYTES_PER_S = 1_000
_IDLE_S = 120
# How long an answer may wait for a phone that does not take any of it: a thread waits with it.
_STUCK_S = 60.0
# Of one address, so that one machine cannot take all of them.
_CONNECTIONS, _CONNECTIONS_OF_ONE = 200, 100
# So many bodies of the largest size may be under way from one address: they lie on the disk before any key is looked at.
_BODIES_OF_ONE = 4
_COME_AGAIN_S = 60

log = structlog.get_logger("hearthbeat.api")


@cache
def _for_others(adj: Any, most: int) -> Any:
    """Return the library's settings with a small body: whoever has no key shall not fill the disk through `/login`."""
    small = copy.copy(adj)
    small.max_request_body_size = most
    return small


class _TooMuchAtOnce(Error):  # type: ignore[misc]  # the library has no types
    code = RateLimited.status
    reason = "Too Many Requests"


class _Request(HTTPRequestParser):  # type: ignore[misc]  # the library has no types
    """A request that knows when its parts arrived, as readings of `time.perf_counter`."""

    headers_s = arrived_s = 0.0
    turned_away = False

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.first_byte_s = time.perf_counter()

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:  # RFC 9112, section 6.3: a sign of smuggling
            raise ParsingError("a length beside chunks")
        if self.path not in UPLOAD_PATHS:
            is_chunk = self.path.startswith(CHUNKS_PATH)
            self.adj: Any = _for_others(self.adj, CHUNK_BYTES + _SLACK if is_chunk else _MOST_ELSEWHERE)

    def received(self, data: bytes) -> int:
        if self.turned_away:
            self.error, self.completed = _TooMuchAtOnce("too much at once"), True
            return len(data)
        try:
            taken = int(super().received(data))
        except ValueError:
            # As the library stumbles over a length of thousands of digits, or an address with half a bracket.
            self.error, self.completed, taken = BadRequest("not well-formed"), True, len(data)
        now_s = time.perf_counter()
        if self.headers_finished and not self.headers_s:
            self.headers_s = now_s
        if self.completed:
            self.arrived_s = now_s
        return taken


class _Task(WSGITask):  # type: ignore[misc]  # the library has no types
    """Hands the application what the request knows of its own way here, beside the usual environment."""

    def get_environment(self) -> dict[str, Any]:
        environment: dict[str, Any] = super().get_environment()
        request = self.request
        environment[ARRIVED] = (
            request.first_byte_s,
            ("headers_read", request.headers_s),
            ("body_arrived", request.arrived_s),
            ("handed_over", time.perf_counter()),
        )
        return environment


class _Channel(HTTPChannel):  # type: ignore[misc]  # the library has no types
    """A connection that lets a refused phone finish (RFC 9112, section 9.6).

    Closed while the phone still sends, the connection would be reset and the answer lost on its way.
    """

    parser_class = _Request
    task_class = _Task
    will_close: bool  # of the base class
    refused = False
    _until: float | None = None
    _ready_since = math.inf

    def __init__(self, server: Any, sock: Any, addr: Any, adj: Any, map: Any = None) -> None:  # noqa: A002  its name there
        super().__init__(server, sock, addr, adj, map)
        of_one = sum(channel.addr[0] == addr[0] for channel in server.active_channels.values())
        self.will_close = of_one > _CONNECTIONS_OF_ONE

    def received(self, data: bytes) -> bool:
        if self.request is not None and self.request.body_bytes_received:
            most = _BODIES_OF_ONE * self.adj.max_request_body_size
            self.request.turned_away = self._under_way_from_here() + len(data) > most
        return bool(super().received(data))

    def handle_close(self) -> None:
        super().handle_close()
        if self.request is not None:
            self.request.close()  # what came of its body may lie in a file

    def _under_way_from_here(self) -> int:
        """Return the bytes of bodies, whole or not, that this address has sent and that were not answered yet."""
        return sum(
            request.body_bytes_received
            for channel in self.server.active_channels.values()
            if channel.addr[0] == self.addr[0]
            for request in (*channel.requests, channel.request)
            if request is not None
        )

    def writable(self) -> bool:
        if self._is_stuck():
            self.handle_close()  # at once: a socket that nobody reads from never gets writable
            return False
        return bool(super().writable()) if self._until is None else bool(self.will_close)

    def _is_stuck(self) -> bool:
        """Whether what is ready to be sent has not been taken by the phone for too long."""
        now = time.time()
        if self.total_outbufs_len < (self.adj.send_bytes if self.requests else 1):
            self._ready_since = math.inf  # less than `send_bytes` is not sent before the answer is whole
            return False
        self._ready_since = min(self._ready_since, now)
        return bool(now - max(self._ready_since, self.last_activity) > _STUCK_S)

    def readable(self) -> bool:
        return bool(super().readable()) if self._until is None else not self.will_close

    def handle_write(self) -> None:
        if not (self.refused and self.close_when_flushed) or self.will_close:
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if not self.total_outbufs_len and not self.will_close:
            self._until = time.monotonic() + _LINGER_S
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self.will_close = True

    def handle_read(self) -> None:
        if self._until is None:
            super().handle_read()
            self._credit()
            return
        try:
            self.recv(self.adj.recv_bytes)  # closes at the phone's own end
        except OSError:
            self.will_close = True
        if time.monotonic() > self._until:
            self.will_close = True

    def _credit(self) -> None:
        """Count as activity only the time that the bytes of a request under way may have taken.

        One who sends a byte now and then is idle so, and closed like anybody idle.
        """
        request = self.request
        if request is not None:
            came = request.header_bytes_received + request.body_bytes_received
            late_s = time.perf_counter() - request.first_byte_s - came / _LEAST_BYTES_PER_S
            self.last_activity = time.time() - max(0.0, late_s)


class _Problem(ErrorTask):  # type: ignore[misc]  # the library has no types
    """What Waitress refuses before the application sees it: broken framing, too large a body."""

    limit_mb = 0

    def execute(self) -> None:
        code = self.request.error.code
        error: HearthbeatError = RequestError("The HTTP request is not well-formed.")
        if code == UploadTooLarge.status and self.request.path not in UPLOAD_PATHS:
            error = UploadTooLarge("Nothing at this address takes that much.")
        elif code == UploadTooLarge.status:
            error = UploadTooLarge(
                f"The upload is larger than {self.limit_mb} MB; turn on Batch Requests in the automation."
            )
        elif code == RateLimited.status:
            error = RateLimited(
                "Too much is being sent from this address at once; send again when the other uploads are done.",
                retry_after_s=_COME_AGAIN_S,
            )
        elif code == 431:
            error = RequestError("The request's headers are too long.")
        request_id = secrets.token_hex(12)
        # This thread may still carry the ids of what it did before.
        structlog.contextvars.clear_contextvars()
        problem = problem_body(error, request_id) | {"status": code}
        body = json.dumps(problem).encode()
        log.warning("request_refused", status=code, request_id=request_id)
        self.status = f"{code} {self.request.error.reason}"
        self.response_headers = [
            ("Content-Length", str(len(body))),
            ("Content-Type", CONTENT_TYPE),
            ("X-Request-ID", request_id),
            ("Connection", "close"),
        ]
        if error.retry_after_s is not None:
            self.response_headers.append(("Retry-After", str(error.retry_after_s)))
        self.set_close_on_finish()
        self.channel.refused = True
        self.content_length = len(body)
        self.write(body)


class Server:
    """A listening server; `addresses` are the (host, port) pairs it really listens on."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        task = type("Problem", (_Problem,), {"limit_mb": settings.max_upload_mb})
        channel = type("Channel", (_Channel,), {"error_task_class": task})
        try:
            self._server: Any = create_server(
                app,
                host=settings.host,
                port=settings.port,
                threads=settings.threads,
                max_request_body_size=settings.max_upload_bytes + _SLACK,
                channel_timeout=_IDLE_S,
                recv_bytes=1 << 17,  # a large upload in dozens of turns of the loop, not in a thousand
                connection_limit=_CONNECTIONS,
                ident="Hearthbeat",
                clear_untrusted_proxy_headers=True,
            )
        except OSError as error:
            raise PortTaken(
                f"Cannot listen on {settings.host}:{settings.port} ({error.strerror or error}); another program may hold"
                " it. Stop that one, or choose another with --port."
            ) from error
        except ValueError as error:
            raise HostError(
                f"“{settings.host}” is no address to listen on; choose another with --host."
            ) from error
        if isinstance(self._server, MultiSocketServer):
            self.addresses = [tuple(pair) for pair in self._server.effective_listen]
            for one in self._server.map.values():
                if hasattr(one, "channel_class"):
                    one.channel_class = channel
        else:
            self._server.channel_class = channel
            self.addresses = [(self._server.effective_host, int(self._server.effective_port))]

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.addresses[0][1])

    def run(self) -> None:
        """Serve until interrupted (KeyboardInterrupt or SystemExit in this thread), then finish what is under way."""
        self._server.run()

    def close(self) -> None:
        """Stop listening."""
        self._server.close()
