"""Budgets are counted once for all instances, exactly where that is promised, and waiting as told helps."""

from __future__ import annotations

import math
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from limits.storage import MemoryStorage, RedisStorage

from appliance.cache.limiter import Allowance, Budget, Limiter, LimitReached, Window
from appliance.foundation.errors import RateLimited, UploadTooLarge
from tests.cache.conftest import come_back

KIB = 1024
MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def within_an_hour():
    """The windows of counters in memory are the hours of the clock; none may turn in the middle of a test."""
    left_s = 3600 - time.time() % 3600
    if left_s < 20:
        time.sleep(left_s)


def a_limiter(cache, *, requests=100, upload_bytes=100 * MIB, failures=5):
    return Limiter(
        cache, requests_per_hour=requests, upload_bytes_per_hour=upload_bytes, failed_attempts=failures
    )


def passed(limiter, times, size=0):
    count = 0
    for _ in range(times):
        try:
            limiter.spend(1, size)
        except RateLimited:
            continue
        count += 1
    return count


@pytest.fixture(params=["valkey", "memory"])
def either_cache(request, open_cache):
    return open_cache(request.getfixturevalue("server").url if request.param == "valkey" else None)


@pytest.fixture(params=["valkey", "memory"])
def counters(request):
    if request.param == "memory":
        return MemoryStorage()
    cache = request.getfixturevalue("cache")
    return RedisStorage("redis://", connection_pool=cache.client.connection_pool)


def test_spending_tells_what_remains(either_cache):
    limiter = a_limiter(either_cache, requests=10, upload_bytes=10 * MIB)
    requests, uploads = limiter.spend(1, 3 * MIB)
    assert requests == Allowance("requests", 10, 9, 3600, requests.reset_s)
    assert uploads == Allowance("upload-bytes", 10 * MIB, 7 * MIB, 3600, uploads.reset_s)
    assert 0 < requests.reset_s <= 3600
    assert 0 < uploads.reset_s <= 3600
    assert [allowance.remaining for allowance in limiter.spend(1, 1)] == [8, 7 * MIB - KIB]
    assert [allowance.remaining for allowance in limiter.spend(1, 0)] == [7]
    assert [allowance.remaining for allowance in limiter.spend(2, 1 * MIB)] == [9, 9 * MIB]


def test_the_request_after_the_last_is_refused(either_cache):
    limiter = a_limiter(either_cache, requests=3)
    assert [limiter.spend(1, 0)[0].remaining for _ in range(3)] == [2, 1, 0]
    with pytest.raises(RateLimited) as caught:
        limiter.spend(1, 500)
    refusal = caught.value
    assert "3 requests" in refusal.detail
    # A window of the clock: how long it still lasts depends on when this runs.
    assert re.search(r"try again in \d+ (seconds|minutes)\.$", refusal.detail)
    assert 0 < refusal.retry_after_s <= 7200
    requests, uploads = refusal.allowances
    assert (requests.remaining, requests.reset_s) == (0, refusal.retry_after_s)
    assert uploads.remaining == uploads.limit
    limiter.spend(2, 0)


def test_a_refused_upload_costs_no_request(either_cache):
    limiter = a_limiter(either_cache, requests=10, upload_bytes=10 * MIB)
    limiter.spend(1, 9 * MIB)
    for _ in range(20):
        with pytest.raises(LimitReached) as caught:
            limiter.spend(1, 2 * MIB)
    assert [allowance.remaining for allowance in caught.value.allowances] == [9, 1 * MIB]
    assert "2 MiB" in caught.value.detail
    assert 0 < caught.value.retry_after_s <= 7200
    assert [allowance.remaining for allowance in limiter.spend(1, 1 * MIB)] == [8, 0]


def test_a_refused_request_costs_no_bytes(either_cache):
    limiter = a_limiter(either_cache, requests=1, upload_bytes=10 * MIB)
    limiter.spend(1, 1 * MIB)
    for _ in range(20):
        with pytest.raises(LimitReached) as caught:
            limiter.spend(1, 1 * MIB)
    assert caught.value.allowances[1].remaining == 9 * MIB


def test_an_upload_beyond_the_whole_budget_is_told_so_without_a_time(either_cache):
    limiter = a_limiter(either_cache, upload_bytes=10 * MIB)
    with pytest.raises(UploadTooLarge, match=r"10 MiB.*Batch Requests.*limit_upload_mb_per_hour"):
        limiter.spend(1, 10 * MIB + 1)
    # Nothing of it was spent.
    assert [allowance.remaining for allowance in limiter.spend(1, 10 * MIB)] == [99, 0]


def test_kibibytes_are_rounded_up(either_cache):
    limiter = a_limiter(either_cache, requests=10_000, upload_bytes=20 * KIB)
    assert passed(limiter, 30, size=1) == 20


@pytest.fixture
def threads_that_cut_in():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_get_exactly_what_is_there(either_cache, threads_that_cut_in):
    limiter = a_limiter(either_cache, requests=300, upload_bytes=200 * KIB)
    with ThreadPoolExecutor(8) as threads:
        small = sum(threads.map(lambda _: passed(limiter, 50, size=KIB), range(8)))
        without = sum(threads.map(lambda _: passed(limiter, 50), range(8)))
    assert (small, without) == (200, 100)


def test_threads_that_begin_together_with_a_new_key_get_no_more(open_cache, threads_that_cut_in):
    limiter = a_limiter(open_cache(None), requests=4)
    start = threading.Barrier(8)

    def begin(key_id):
        start.wait()
        try:
            limiter.spend(key_id, 0)
        except RateLimited:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        turns = list(threads.map(lambda _: [begin(key_id) for key_id in range(400)], range(8)))
    assert {sum(turn) for turn in zip(*turns, strict=True)} == {4}


def test_two_limiters_on_one_valkey_count_together(server, open_cache):
    first, second = (a_limiter(open_cache(server.url), requests=50) for _ in range(2))
    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(lambda turn: passed((first, second)[turn % 2], 20), range(8)))
    assert sum(counts) == 50
    for limiter in (first, second):
        with pytest.raises(RateLimited):
            limiter.spend(1, 0)


def test_two_limiters_count_failures_together(server, open_cache):
    first, second = (a_limiter(open_cache(server.url), failures=4) for _ in range(2))
    for limiter in (first, second, first):
        limiter.note_failure("192.168.1.9")
    second.refuse_if_failing("192.168.1.9")
    second.note_failure("192.168.1.9")
    for limiter in (first, second):
        with pytest.raises(RateLimited):
            limiter.refuse_if_failing("192.168.1.9")


def test_failing_too_often_is_refused_for_that_address_alone(either_cache):
    limiter = a_limiter(either_cache, failures=5)
    for _ in range(4):
        limiter.note_failure("fe80::1")
    limiter.refuse_if_failing("fe80::1")
    for _ in range(50):
        limiter.note_failure("fe80::1")
    with pytest.raises(RateLimited) as caught:
        limiter.refuse_if_failing("fe80::1")
    assert 595 <= caught.value.retry_after_s <= 600
    assert "10 minutes" in caught.value.detail
    assert caught.value.allowances == [Allowance("failed-attempts", 5, 0, 600, caught.value.retry_after_s)]
    limiter.refuse_if_failing("fe80::2")


@pytest.mark.parametrize("trouble", ["kill", "freeze"])
def test_without_valkey_it_counts_in_memory_from_nothing(cache, server, clock, trouble):
    limiter = a_limiter(cache, requests=10, failures=2)
    assert passed(limiter, 4) == 4
    limiter.note_failure("a")
    getattr(server, trouble)()
    start = time.perf_counter()
    assert passed(limiter, 30) == 10
    limiter.note_failure("a")
    limiter.refuse_if_failing("a")
    limiter.note_failure("a")
    with pytest.raises(RateLimited):
        limiter.refuse_if_failing("a")
    assert time.perf_counter() - start < 2  # one time-out, not one a call
    assert cache.degraded == "valkey_away"
    if trouble == "freeze":
        server.thaw()
        come_back(cache, clock)
        assert limiter.spend(1, 0)[0].remaining in {4, 5}  # the frozen server may still have read one
        assert cache.degraded is None
        limiter.refuse_if_failing("a")


def test_a_restarted_valkey_is_counted_on_again(cache, server):
    limiter = a_limiter(cache, requests=10)
    limiter.spend(1, 0)
    server.kill()
    server.start()
    assert limiter.spend(1, 0)[0].remaining == 9
    assert cache.degraded is None


def test_a_full_valkey_still_limits(server, open_cache):
    server.kill()
    server.start("--maxmemory", "1mb", "--maxmemory-policy", "noeviction")
    cache = open_cache(server.url)
    filler = server.client()
    filler.config_set("maxmemory", "100kb")
    filler.close()
    limiter = a_limiter(cache, requests=10)
    assert passed(limiter, 20) == 10
    assert cache.degraded == "valkey_refuses"


def test_counting_is_two_small_numbers_per_key_under_our_prefix(cache, raw):
    limiter = a_limiter(cache, requests=20_000, upload_bytes=20_000 * MIB)
    for _ in range(500):
        limiter.spend(1, 20 * MIB)
    limiter.note_failure("a")
    names = raw.keys()
    assert len(names) == 3
    assert all(name.startswith(b"hb:") and raw.pttl(name) > 0 for name in names)
    assert sum(raw.memory_usage(name) for name in names) < 1000


def test_a_changed_setting_goes_on_from_what_is_spent(cache):
    assert passed(a_limiter(cache, requests=10), 8) == 8
    assert passed(a_limiter(cache, requests=12), 20) == 4


def test_waiting_as_told_helps_and_less_does_not(counters):
    budget = Budget("test", 40, 2)
    while budget.take(counters, "who", 10):
        pass
    for cost in (5, 40):
        before = time.monotonic()
        wait_s = budget.wait_s(budget.look(counters, "who"), cost)
        after = time.monotonic()
        assert 1 <= wait_s <= 4
        while time.monotonic() < before + wait_s - 1.05:
            if budget.take(counters, "who", cost):
                # Only if it was then that we asked, and not a while after we looked at the time.
                assert time.monotonic() > before + wait_s - 1.05
                break
            time.sleep(0.05)
        else:
            time.sleep(max(0.0, after + wait_s - time.monotonic()))
            assert budget.take(counters, "who", cost)


windows = st.builds(
    Window,
    previous=st.integers(0, 1000),
    previous_s=st.floats(0, 3600),
    current=st.integers(0, 1000),
    current_s=st.floats(3600, 7200),
)


def fits_after(budget, window, cost, seconds):
    """What the counters would say after so many seconds."""
    previous, previous_s, current, current_s = (
        window.previous,
        window.previous_s - seconds,
        window.current,
        window.current_s - seconds,
    )
    if current_s <= budget.window_s:
        previous, previous_s, current = current, current_s, 0
    spent = math.floor(previous * max(0.0, previous_s) / budget.window_s) + current
    return spent + cost <= budget.units


@given(window=windows, units=st.integers(1, 1000), cost=st.integers(1, 1000))
@example(window=Window(0, 0.0, 0, 3600.0), units=1, cost=1)
@example(window=Window(0, 0.0, 10, 7200.0), units=10, cost=10)
def test_the_time_to_wait_is_long_enough_and_not_a_second_too_long(window, units, cost):
    assume(cost <= units)
    # The counters start both windows together: what the previous has left is what the current has before it turns.
    window = Window(window.previous, window.current_s - 3600, window.current, window.current_s)
    budget = Budget("test", units, 3600)
    wait_s = budget.wait_s(window, cost)
    assert 1 <= wait_s <= 7201
    assert fits_after(budget, window, cost, wait_s)
    if wait_s > 2:
        assert not fits_after(budget, window, cost, wait_s - 1.001)


def test_seconds_and_minutes_are_told_as_people_say_them(open_cache):
    limiter = a_limiter(open_cache(None), requests=1_000_000, upload_bytes=500 * KIB)
    limiter.spend(1, 400 * KIB)
    with pytest.raises(RateLimited, match=r"this upload of 200 KiB can be sent in [0-9]+ (minutes|seconds)"):
        limiter.spend(1, 200 * KIB)


def test_a_budget_spent_before_the_clock_of_valkey_was_set_back_does_not_last_for_years(cache, raw):
    limiter = a_limiter(cache, requests=10)
    assert passed(limiter, 12) == 10
    for name in raw.keys("*requests/1*"):
        raw.pexpire(name, 365 * 86_400_000)  # what that makes of an hour
    assert passed(limiter, 12) == 10
    assert passed(limiter, 12) == 0


def test_failures_noted_before_the_clock_was_set_back_do_not_last_for_years(cache, raw):
    limiter = a_limiter(cache, failures=2)
    for _ in range(2):
        limiter.note_failure("a")
    (name,) = raw.keys("*failed-attempts/a*")
    noted = [float(at) + 365 * 86_400 for at in raw.lrange(name, 0, -1)]
    raw.delete(name)
    raw.rpush(name, *noted)
    limiter.refuse_if_failing("a")
    for _ in range(2):
        limiter.note_failure("a")
    with pytest.raises(RateLimited):
        limiter.refuse_if_failing("a")
