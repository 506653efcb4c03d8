"""What only a real socket can show: what the server in front refuses, and how."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest

from appliance.domain.key import Scope
from tests.fixtures.http import RealPhone
from tests.fixtures.program import new_key

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def key(serving):
    return new_key(serving.data_dir, (Scope.INGEST, Scope.READ))


def exchange(serving, *parts):
    """Send bytes as they are, all of them as a phone would, and return status, headers and body."""
    address = urlsplit(serving.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as wire:
        for part in parts:
            try:
                wire.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                break
        received = b""
        while chunk := wire.recv(65_536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(status.split()[1]), headers, body


def head(key, *lines):
    return "\r\n".join(
        [
            "POST /api/v1/ingest HTTP/1.1",
            "Host: localhost",
            f"X-API-Key: {key}",
            "Content-Type: application/json",
            "Connection: close",
            *lines,
            "",
            "",
        ]
    ).encode()


def assert_too_large(status, headers, body):
    assert (status, headers["content-type"]) == (413, "application/problem+json")
    told = json.loads(body)
    assert told["type"] == "urn:hearthbeat:problem:upload_too_large"
    assert "1 MB" in told["detail"]
    assert "Batch Requests" in told["detail"]
    assert told["request_id"] == headers["x-request-id"]


def test_a_body_above_the_limit_is_answered_although_the_phone_sends_all_of_it(serving, key):
    for size in (MIB + 1, 2 * MIB, 20 * MIB):
        assert_too_large(*exchange(serving, head(key, f"Content-Length: {size}"), b" " * size))


def test_a_chunked_body_above_the_limit_is_answered_too(serving, key):
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    assert_too_large(
        *exchange(serving, head(key, "Transfer-Encoding: chunked"), *[chunk] * 160, b"0\r\n\r\n")
    )


def test_a_chunked_body_within_the_limit_is_taken(serving, key):
    body = b'{"data": {"metrics": []}}'
    parts = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])]
    status, _, told = exchange(serving, head(key, "Transfer-Encoding: chunked"), *parts, b"0\r\n\r\n")
    assert (status, json.loads(told)["status"]) == (200, "processed")


def test_what_is_no_http_is_answered_as_a_problem(serving, key):
    for request, statuses in (
        (b"POST /api/v1/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n", {400}),
        (b"POST /api/v1/ingest HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: magic\r\n\r\n", {400, 501}),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 300_000 + b"\r\n\r\n", {431}),
        (b"nonsense\r\n\r\n", {400}),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", {400}),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n", {413}),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 6_000 + b"\r\n\r\n", {400}),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\n{}", {400}),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}", {400}),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: a\rSet-Cookie: b\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Any: a\0b\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", {400}),
        (b"GET http://[::1/ HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
        (b"\x16\x03\x01\x02\x00\x01\x00" + b"x" * 200 + b"\r\n\r\n", {400}),
        (b"BREW /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", {405}),
        (b"GET /healthz%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", {404}),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", {404}),
        (b"GET //evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", {404}),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", {404}),
        (b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", {403}),
        (
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
            {403},
        ),
        (b"GET /healthz HTTP/1.1\r\nHost: <evil>\r\nConnection: close\r\n\r\n", {403}),
        (b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", {403}),
        (b"GET /healthz\r\n\r\n", {403}),
    ):
        status, headers, body = exchange(serving, request)
        assert status in statuses, request[:60]
        assert headers["content-type"] == "application/problem+json"
        told = json.loads(body)
        assert (told["status"], told["request_id"]) == (status, headers["x-request-id"])


def test_a_length_beside_chunks_smuggles_no_second_request_in(serving, key):
    hidden = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    framing = ("Transfer-Encoding: chunked", f"Content-Length: {5 + len(hidden)}")
    status, _, rest = exchange(serving, head(key, *framing), b"0\r\n\r\n", hidden)
    assert status == 400
    assert b"HTTP/1.1" not in rest


def test_a_phone_that_waits_to_be_asked_for_its_body_is_asked(serving, key):
    status, _, rest = exchange(
        serving, head(key, "Expect: 100-continue", "Content-Length: 12"), b'{"data": {}}'
    )
    assert status == 100
    assert rest.startswith(b"HTTP/1.1 200 OK")


def test_requests_sent_all_at_once_are_answered_one_after_the_other(serving, key):
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    status, _, rest = exchange(serving, one * 20, one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert status == 200
    assert rest.count(b"HTTP/1.1 200 OK") == 20


def test_a_phone_that_vanishes_in_the_middle_of_its_body_leaves_nothing(serving, key):
    phone = RealPhone(serving.url, key)
    before = phone.get("/api/v1/uploads", limit=1)["items"]
    address = urlsplit(serving.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as wire:
        wire.sendall(head(key, "Content-Length: 1000") + b'{"data"')
        wire.shutdown(socket.SHUT_WR)
        assert wire.recv(1) == b""
    assert phone.get("/api/v1/uploads", limit=1)["items"] == before


def test_the_server_serves_on_after_all_of_that(serving, key):
    assert RealPhone(serving.url, key).post({"data": {}})[0] == 200
