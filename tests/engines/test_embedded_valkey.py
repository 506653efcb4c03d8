from __future__ import annotations

import os
import time

import psutil
import pytest
import redis

from appliance.engines.valkey import EmbeddedValkey
from appliance.foundation.errors import AlreadyRunning, EngineFailed, HostError
from tests.fixtures.waiting import has_ended


@pytest.fixture
def client(valkey):
    with redis.Redis.from_url(valkey.url, decode_responses=True) as client:
        yield client


def test_its_address_is_one_redis_takes(client):
    client.set("key", "value")
    assert client.get("key") == "value"


def test_it_keeps_nothing_and_stays_small(client, valkey):
    wanted = {
        "save": "",
        "appendonly": "no",
        "maxmemory": str(64 * 1024**2),
        "maxmemory-policy": "allkeys-lru",
    }
    assert {name: client.config_get(name)[name] for name in wanted} == wanted


def test_nothing_listens_on_tcp_and_the_socket_is_private(valkey):
    assert not psutil.Process(valkey.process.pid).net_connections(kind="inet")
    assert valkey.socket.stat().st_mode & 0o777 == 0o700
    assert valkey.socket.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs engines under another account")
def test_as_root_the_server_is_another_account(valkey, account):
    assert psutil.Process(valkey.process.pid).uids().real == account.uid != 0


def test_it_starts_again_after_a_stop(valkey, record_testsuite_property):
    valkey.stop()
    assert not valkey.answers()
    begin = time.monotonic()
    valkey.start()
    record_testsuite_property("valkey_start_s", round(time.monotonic() - begin, 3))
    assert valkey.answers()


def test_two_on_one_folder_are_refused_and_the_first_goes_on(valkey):
    with pytest.raises(AlreadyRunning):
        EmbeddedValkey(valkey.folder).start()
    assert valkey.answers()


@pytest.mark.parametrize("folder_is_hidden", [False, True])
def test_an_orphan_is_stopped_by_the_next_start(
    supervised, folder, monkeypatch, eventually, folder_is_hidden
):
    supervisor, engines = supervised("no-death-signal")
    supervisor.kill()
    supervisor.wait()
    orphan = engines["valkey"]
    assert orphan.is_running()
    engine = EmbeddedValkey(folder)
    with monkeypatch.context() as patch:
        if folder_is_hidden:

            def hidden(process):
                raise psutil.AccessDenied(process.pid)

            patch.setattr(psutil.Process, "cwd", hidden)
        engine.start()
    try:
        assert has_ended(orphan)
        assert engine.answers()
    finally:
        engine.stop()
        engines["postgres"].terminate()
        eventually(lambda: has_ended(engines["postgres"]), within_s=60)


def test_a_server_that_stops_at_once_says_why(folder):
    engine = EmbeddedValkey(folder, options={"maxmemory": "plenty"})
    with pytest.raises(EngineFailed, match="maxmemory"):
        engine.start()
    assert engine.process is None


def test_without_a_program_it_is_not_available(tmp_path, folder):
    assert EmbeddedValkey.available()
    assert not EmbeddedValkey.available(tmp_path / "missing")
    with pytest.raises(HostError, match="valkey_server"):
        EmbeddedValkey(folder, server=tmp_path / "missing").start()
