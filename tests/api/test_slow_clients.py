"""Nobody keeps a thread or a place by being slow: real sockets to a server in this process, with little patience."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest
from flask import Flask, Response

from appliance.api import server
from appliance.foundation.settings import Settings
from tests.fixtures.waiting import wait_until

THREADS = 2


@pytest.fixture
def idle_s():
    """How long one may be idle; a test that is not about that says so much that nobody is."""
    return 1


@pytest.fixture
def talks(tmp_path, monkeypatch, idle_s):
    """Serve `/` at once and `/much` without an end; return how to open a connection, and who is still reading."""
    app = Flask("slow")
    reading = set()

    @app.get("/")
    def hello():
        return "hello"

    @app.get("/much")
    def much():
        def pieces():
            me = threading.get_ident()
            reading.add(me)
            try:
                while True:
                    yield b"x" * 2**20
            finally:
                reading.discard(me)

        return Response(pieces())

    monkeypatch.setattr(server, "_IDLE_S", idle_s)
    monkeypatch.setattr(server, "_STUCK_S", 0.5)
    monkeypatch.setattr(server, "_CONNECTIONS_OF_ONE", 60)
    serving = server.Server(
        app, Settings(data_dir=tmp_path, host="127.0.0.1", port=0, threads=THREADS, max_upload_mb=1)
    )
    serving._server.adj.cleanup_interval = 0.1
    over = threading.Event()

    def run():
        waitress = serving._server
        while not over.is_set():
            waitress.asyncore.loop(timeout=0.05, map=waitress._map, count=1, use_poll=True)
        waitress.asyncore.close_all(waitress._map)

    thread = threading.Thread(target=run)
    thread.start()
    with ExitStack() as stack:

        def dial():
            return stack.enter_context(socket.create_connection(("127.0.0.1", serving.port), timeout=20))

        yield dial, reading
    serving._server.task_dispatcher.shutdown()
    over.set()
    thread.join()


def answer_of(wire, request=b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"):
    wire.sendall(request)
    received = b""
    while chunk := wire.recv(65_536):
        received += chunk
    return received


def is_closed(wire):
    wire.settimeout(0)
    try:
        return wire.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_fifty_that_send_a_byte_now_and_then_keep_nobody_waiting_and_are_closed(talks):
    dial, _ = talks
    slow = [dial() for _ in range(50)]
    for wire in slow:
        wire.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
    began = time.monotonic()
    assert answer_of(dial()).endswith(b"hello")
    assert time.monotonic() - began < 2

    def all_closed():
        for wire in slow:
            try:
                wire.send(b" ")
            except OSError:
                continue
        return all(map(is_closed, slow))

    wait_until(all_closed, within_s=20)


def test_one_that_sends_little_by_little_but_fast_enough_is_served(talks, monkeypatch):
    monkeypatch.setattr(server, "_LEAST_BYTES_PER_S", 1)
    dial, _ = talks
    wire = dial()
    for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n":
        wire.sendall(bytes([byte]))
    assert answer_of(wire, b"\r\n").endswith(b"hello")


def test_those_that_ask_for_much_and_take_nothing_give_their_threads_back(talks, monkeypatch):
    monkeypatch.setattr(server, "_STUCK_S", 2)  # both are at it at once for a while
    dial, reading = talks
    for _ in range(THREADS):
        dial().sendall(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wait_until(lambda: len(reading) == THREADS, within_s=20)
    assert answer_of(dial()).endswith(b"hello")
    wait_until(lambda: not reading, within_s=20)


@pytest.mark.parametrize("idle_s", [60])
def test_one_address_cannot_take_every_connection(talks):
    dial, _ = talks
    many = [dial() for _ in range(80)]
    wait_until(lambda: sum(map(is_closed, many)) == 20, within_s=20)


def test_one_that_vanishes_in_the_middle_of_an_answer_gives_its_thread_back(talks):
    dial, reading = talks
    wire = dial()
    wire.sendall(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wait_until(lambda: reading, within_s=20)
    wire.recv(1_000)
    wire.close()
    wait_until(lambda: not reading, within_s=20)


@pytest.mark.parametrize("idle_s", [60])
def test_one_address_cannot_fill_the_disk_with_bodies_that_never_end(talks):
    dial, _ = talks
    size = 2**20
    head = f"POST /api/v1/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()
    unfinished = [dial() for _ in range(5)]
    for wire in unfinished:
        wire.sendall(head + b"x" * (size - 1))
        wire.settimeout(0)

    def refused():
        for wire in unfinished:
            with suppress(BlockingIOError):
                return wire.recv(65_536)
        return b""

    told = wait_until(refused)
    assert told.startswith(b"HTTP/1.1 429")
    assert b"Retry-After: 60" in told
    assert b"at once" in told
    for wire in unfinished:
        wire.close()
    wait_until(
        lambda: answer_of(dial(), head[:-2] + b"Connection: close\r\n\r\n" + b"x" * size).startswith(
            b"HTTP/1.1 404"
        )
    )
