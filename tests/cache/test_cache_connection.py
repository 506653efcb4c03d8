"""Losing Valkey degrades by name, costs next to nothing, and ends by itself."""

from __future__ import annotations

import gc
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from appliance.cache.connection import PAUSE_S, TIMEOUT_S, Cache
from appliance.foundation.errors import SettingsError
from tests.cache.conftest import come_back, looks
from tests.fixtures.waiting import wait_until


def ping(client):
    return client.ping()


def timed(call):
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def test_a_server_that_is_well_is_used(cache, raw):
    assert cache.degraded is None
    assert cache.answers()
    assert cache.attempt(lambda client: client.set("hb:x", b"\x00\xff"), None)
    assert raw.get("hb:x") == b"\x00\xff"
    assert cache.degraded is None


def test_no_cache_by_choice_has_a_name(open_cache):
    cache = open_cache(None)
    assert cache.degraded == "no_cache"
    assert not cache.answers()
    assert cache.attempt(ping, "otherwise") == "otherwise"


def test_a_killed_server_gives_the_other_answer_and_a_name(cache, server):
    assert cache.answers()
    server.kill()
    result, took = timed(lambda: cache.attempt(ping, "otherwise"))
    assert result == "otherwise"
    assert took < TIMEOUT_S + 1
    assert cache.degraded == "valkey_away"
    results, took = timed(lambda: [cache.attempt(ping, "otherwise") for _ in range(1000)])
    assert set(results) == {"otherwise"}
    assert took < TIMEOUT_S * 0.8  # not one more time-out was waited for


@pytest.mark.parametrize("connected_before", [True, False])
def test_a_hung_server_costs_one_timeout_and_then_nothing(cache, server, connected_before):
    if connected_before:
        assert cache.answers()
    server.freeze()
    result, took = timed(lambda: cache.attempt(ping, "otherwise"))
    assert result == "otherwise"
    assert TIMEOUT_S * 0.9 < took < TIMEOUT_S + 1
    assert cache.degraded == "valkey_away"
    results, took = timed(lambda: [cache.attempt(ping, "otherwise") for _ in range(1000)])
    assert set(results) == {"otherwise"}
    assert took < TIMEOUT_S * 0.8  # not one more time-out was waited for


def test_a_server_that_never_was_there_costs_nothing(open_cache, tmp_path):
    cache = open_cache(f"unix://{tmp_path}/nobody.sock")
    assert cache.degraded is None
    result, took = timed(cache.answers)
    assert not result
    assert took < TIMEOUT_S * 0.8  # not one more time-out was waited for
    assert cache.degraded == "valkey_away"


def test_it_comes_back_by_itself_after_the_pause(cache, server, clock):
    assert cache.answers()
    server.kill()
    assert not cache.answers()
    server.start()
    clock.forward(PAUSE_S - 0.01)
    assert not cache.answers()
    assert cache.degraded == "valkey_away"
    clock.forward(0.01)
    wait_until(cache.answers)
    assert cache.degraded is None


def test_a_look_that_finds_nobody_starts_a_new_pause(cache, server, clock):
    server.freeze()
    assert not cache.answers()
    clock.forward(PAUSE_S)
    assert not cache.answers()
    wait_until(lambda: not looks())
    server.thaw()
    assert not cache.answers()
    assert not looks()
    come_back(cache, clock)


def test_looking_whether_it_is_back_keeps_no_caller_waiting(cache, server, clock):
    server.freeze()
    assert not cache.answers()
    clock.forward(PAUSE_S)
    asked, looking = [], set()
    start = threading.Barrier(8)

    def call(_):
        start.wait()
        told = timed(lambda: cache.attempt(lambda client: asked.append(1) or client.ping(), "otherwise"))
        looking.update(looks())
        return told

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(call, range(8)))
    assert [result for result, _ in results] == ["otherwise"] * 8
    assert (asked, len(looking)) == ([], 1)
    assert max(took for _, took in results) < TIMEOUT_S * 0.8


def test_it_tells_for_how_long_it_has_been_well(cache, server, clock):
    assert cache.well_for_s() > 3600
    server.kill()
    assert not cache.answers()
    assert cache.well_for_s() == 0
    server.start()
    come_back(cache, clock)
    clock.forward(7)
    assert cache.well_for_s() == 7


def test_a_late_success_does_not_call_a_hung_server_well(cache, server):
    under_way = threading.Event()
    failed = threading.Event()

    def slow(client):
        result = client.ping()
        under_way.set()
        assert failed.wait(5)
        return result

    with ThreadPoolExecutor(1) as threads:
        late = threads.submit(cache.attempt, slow, "otherwise")
        assert under_way.wait(5)
        server.freeze()
        assert not cache.answers()
        failed.set()
        assert late.result() is True
    assert cache.degraded == "valkey_away"


def test_a_restart_between_two_calls_is_not_even_noticed(cache, server):
    assert cache.answers()
    server.kill()
    server.start()
    assert cache.answers()
    assert cache.degraded is None


def test_a_reply_that_comes_too_late_is_never_taken_for_another(cache, server, clock):
    cache.attempt(lambda client: client.set("hb:a", b"a"), None)
    cache.attempt(lambda client: client.set("hb:b", b"b"), None)
    server.freeze()
    assert cache.attempt(lambda client: client.get("hb:a"), None) is None
    server.thaw()
    come_back(cache, clock)
    assert cache.attempt(lambda client: client.get("hb:b"), None) == b"b"


def test_a_full_server_degrades_by_name(server, raw, open_cache, clock):
    server.kill()
    server.start("--maxmemory", "1mb", "--maxmemory-policy", "noeviction")
    cache = open_cache(server.url)
    assert cache.attempt(lambda client: client.set("hb:x", b"x" * 2_000_000), "otherwise") in {
        True,
        "otherwise",
    }
    assert cache.attempt(lambda client: client.set("hb:y", b"y"), "otherwise") == "otherwise"
    assert cache.degraded == "valkey_refuses"
    raw.config_set("maxmemory", "100mb")
    come_back(cache, clock)
    assert cache.attempt(lambda client: client.get("hb:y"), "otherwise") is None


def test_a_read_only_server_degrades_by_name(cache, raw, tmp_path):
    raw.replicaof("127.0.0.1", 1)
    assert cache.attempt(lambda client: client.set("hb:x", b"x"), "otherwise") == "otherwise"
    assert cache.degraded == "valkey_refuses"


def test_a_wrong_password_degrades_by_name(cache, raw):
    raw.config_set("requirepass", "right")
    assert cache.attempt(ping, "otherwise") == "otherwise"
    assert cache.degraded is not None


def test_a_mistake_of_ours_is_not_hidden(cache):
    with pytest.raises(redis.DataError):
        cache.attempt(lambda client: client.set("hb:x", object()), None)
    with pytest.raises(ZeroDivisionError):
        cache.attempt(lambda _client: 1 // 0, None)
    assert cache.degraded is None


@pytest.mark.parametrize("url", ["nonsense", "http://host", "redis://:secret@host:port", ""])
def test_an_address_without_a_known_form_is_a_setting_to_mend(url):
    with pytest.raises(SettingsError) as caught:
        Cache(url)
    assert "redis://" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_options_in_the_address_do_not_change_our_timeouts_and_bytes(server, open_cache):
    cache = open_cache(f"{server.url}?socket_timeout=30&decode_responses=True&db=3")
    cache.attempt(lambda client: client.set("hb:x", b"\xff"), None)
    assert cache.attempt(lambda client: client.get("hb:x"), None) == b"\xff"
    elsewhere = redis.Redis.from_url(f"{server.url}?db=3")
    assert elsewhere.get("hb:x") == b"\xff"
    elsewhere.close()
    server.freeze()
    _, took = timed(cache.answers)
    assert took < TIMEOUT_S + 1


def test_many_threads_get_their_own_replies(cache):
    def call(number):
        name, value = f"hb:{number}", str(number).encode()
        cache.attempt(lambda client: client.set(name, value), None)
        return cache.attempt(lambda client: client.get(name), None) == value

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(call, range(2000)))
    assert cache.degraded is None


def test_closing_leaves_no_socket_behind_and_stays_closed(server, raw):
    def connections():
        return raw.info("clients")["connected_clients"] - 1

    cache = Cache(server.url)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda _: cache.answers(), range(64)))
    assert connections() > 0
    cache.close()
    cache.close()
    assert cache.degraded == "no_cache"
    assert cache.attempt(ping, "otherwise") == "otherwise"
    wait_until(lambda: not connections())


def test_a_cache_that_is_thrown_away_after_closing_warns_of_nothing(server):
    def use():
        cache = Cache(server.url)
        assert cache.answers()
        cache.close()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use()
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
