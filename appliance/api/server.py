"""Waitress in front of the application, answering the requests it refuses itself in our own words."""

from __future__ import annotations

import json
import secrets
import socket
import time
from typing import Any

import structlog
from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import MultiSocketServer, create_server
from waitress.task import ErrorTask

from appliance.api.problems import CONTENT_TYPE, problem_body
from appliance.foundation.errors import HearthbeatError, HostError, PortTaken, RequestError, UploadTooLarge
from appliance.foundation.settings import Settings

# Room for the envelope round a body of exactly the limit (multipart boundaries); the service checks precisely.
_SLACK = 64 * 1024

# How long a refused phone may go on sending what nobody reads.
_LINGER_S = 60.0

log = structlog.get_logger("hearthbeat.api")


class _Channel(HTTPChannel):  # type: ignore[misc]  # the library has no types
    """A connection that lets a refused phone finish (RFC 9112, section 9.6).

    Closed while the phone still sends, the connection would be reset and the answer lost on its way.
    """

    will_close: bool  # of the base class
    refused = False
    _until: float | None = None

    def writable(self) -> bool:
        return bool(super().writable()) if self._until is None else bool(self.will_close)

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
            return
        try:
            self.recv(self.adj.recv_bytes)  # closes at the phone's own end
        except OSError:
            self.will_close = True
        if time.monotonic() > self._until:
            self.will_close = True


class _Problem(ErrorTask):  # type: ignore[misc]  # the library has no types
    """What Waitress refuses before the application sees it: broken framing, too large a body."""

    limit_mb = 0

    def execute(self) -> None:
        code = self.request.error.code
        error: HearthbeatError = RequestError("The HTTP request is not well-formed.")
        if code == UploadTooLarge.status:
            error = UploadTooLarge(
                f"The upload is larger than {self.limit_mb} MB; turn on Batch Requests in the automation."
            )
        elif code == 431:
            error = RequestError("The request's headers are too long.")
        request_id = secrets.token_hex(12)
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
                channel_timeout=120,
                recv_bytes=1 << 17,  # a large upload in dozens of turns of the loop, not in a thousand
                connection_limit=200,
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


def lan_address() -> str | None:
    """Return this computer's address on the network of its default route, or None without one.

    No packet is sent: connecting a datagram socket only asks the routing table. The address asked for is one
    reserved for documentation (RFC 5737).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            return None
    return None if address.startswith("127.") else address
