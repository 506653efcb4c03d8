"""Postgres or Valkey stopped, hung or refusing: bounded answers that say so, and back to work without help."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from appliance.foundation.paths import DataFolder
from tests.fixtures.documents import hours, steps
from tests.fixtures.household import Household
from tests.fixtures.program import Starter, hearthbeat
from tests.fixtures.waiting import has_ended, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no signals there")

BOUND_S = 5.5  # a second of silence, two to look whether anybody is there, and a slow machine
AT_ONCE_S = 1.0


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    starter = Starter()
    household = Household(starter(tmp_path_factory.mktemp("away") / "data"))
    assert household.post().status == 200
    yield household
    starter.end_all()


def assert_away(answer, within_s):
    answer.assert_refused(503, "database_unavailable", within_s=within_s)


def test_a_hung_postgres_holds_no_thread_for_long_and_is_named(house, record_property):
    with house.hung("postgres"):
        with ThreadPoolExecutor(16) as pool:  # twice the program's threads
            asked = [pool.submit(house.post if n % 2 else house.read) for n in range(16)]
            answers = [one.result() for one in asked]
        for answer in answers:
            assert_away(answer, 2 * BOUND_S)
        record_property("slowest_s", round(max(answer.seconds for answer in answers), 2))
        assert house.ask("/healthz").status == 200
        # From now on only whoever looks whether it is back waits a little.
        later = [house.post() for _ in range(20)]
        for answer in later:
            assert_away(answer, BOUND_S)
        assert sorted(answer.seconds for answer in later)[15] < AT_ONCE_S
        ready = house.ready()
        assert (ready.status, ready.seconds < BOUND_S) == (503, True)
        assert "hangs" in ready.told["parts"]["database"]
        assert house.ask("/healthz").seconds < AT_ONCE_S
    wait_until(house.is_well, within_s=10)


def test_a_postgres_that_lets_nobody_in_is_away_until_it_does(house):
    with house.session() as session:
        session.execute("ALTER DATABASE hearthbeat ALLOW_CONNECTIONS false")
        session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'hearthbeat'")
        wait_until(lambda: house.post().status == 503)
        for answer in (house.post(), house.read()):
            assert_away(answer, BOUND_S)
        ready = house.ready()
        assert (ready.status, ready.told["parts"]["database"][:4]) == (503, "away")
        assert house.ask("/healthz").status == 200
        session.execute("ALTER DATABASE hearthbeat ALLOW_CONNECTIONS true")
    wait_until(house.is_well, within_s=10)


def test_a_postgres_without_connections_left_is_away_until_it_has_some(house):
    held = [house.session()]
    try:
        # The program's sessions are ended, and their places taken before it takes them again.
        filling = threading.Event()

        def fill():
            while not filling.is_set():
                with contextlib.suppress(psycopg.OperationalError):
                    held.append(house.session())

        takers = [threading.Thread(target=fill) for _ in range(2)]
        for taker in takers:
            taker.start()
        end_all = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'hearthbeat'"
            " AND usename = 'hearthbeat'"
        )
        # Refused for that alone: one whose session was just ended is refused as well, and then a place may be free.
        wait_until(
            lambda: held[0].execute(end_all) and "no connection left" in str(house.post().told), within_s=20
        )
        filling.set()
        for taker in takers:
            taker.join()
        answer = house.post()
        assert_away(answer, BOUND_S)
        assert "no connection left" in answer.told["detail"]
        assert "no connection left" in house.part("database")
    finally:
        for session in held:
            session.close()
    wait_until(house.is_well, within_s=10)


def test_a_postgres_that_keeps_dying_is_given_up_with_the_reason_told(start_program, data_dir):
    house = Household(start_program(data_dir))
    for _ in range(4):
        running = wait_until(house.server, within_s=20)
        wait_until(lambda: house.part("embedded postgres") == "ok", within_s=20)
        running.kill()
        wait_until(lambda gone=running: has_ended(gone))
        wait_until(lambda: house.part("embedded postgres") != "ok", within_s=20)
    ready = wait_until(
        lambda: (told := house.ready()).status == 503 and "3 times within" in str(told.told) and told
    )
    state = ready.told["parts"]["embedded postgres"]
    assert "killed by signal 9" in state
    assert "Its log ends with: 20" in state
    assert "UTC [" in state
    assert house.server() is None
    assert_away(house.post(), AT_ONCE_S)
    assert house.ask("/healthz").status == 200
    told = hearthbeat("status", data_dir=data_dir, check=False)
    assert told.returncode == 1
    assert "3 times within 10 minutes" in " ".join(told.stdout.split())
    logs = "".join(path.read_text() for path in DataFolder(data_dir).logs.iterdir())
    failed = [json.loads(line) for line in logs.splitlines() if '"engine_failed"' in line]
    assert "UTC [" in failed[-1]["last_lines"]


def test_a_hung_valkey_costs_one_short_wait_and_nothing_else(house, record_property):
    other = house.ask("/api/v1/keys", {"name": "Lost phone", "scopes": ["ingest", "read"]})
    lost, lost_id = other.told["key"], other.told["id"]
    assert house.ask("/api/v1/metrics", key=lost).status == 200  # now it is in the cache
    assert house.days()["2026-08-07"] == 300
    before = sorted(house.read().seconds for _ in range(30))[15]
    with house.hung("valkey-server"):
        first = house.read()
        assert first.status == 200
        assert first.seconds < before + 0.3 + 0.2  # the promise, and what a busy machine adds
        end = time.monotonic() + 6  # past the first look whether it is back
        took = []
        while time.monotonic() < end:
            answer = house.read()
            assert answer.status == 200
            took.append(answer.seconds)
        record_property("before_first_worst_s", [round(x, 3) for x in (before, first.seconds, max(took))])
        took.sort()
        assert took[len(took) // 2] < before + 0.05
        assert took[len(took) * 9 // 10] < 0.25  # the rest may be the machine's own
        ready = house.ready()
        assert (ready.status, ready.told["status"]) == (200, "degraded")
        assert "valkey_away" in ready.told["parts"]["cache"]
        assert 'hearthbeat_degraded{part="cache"} 1.0' in house.ask("/metrics").told
        # What is told now, and a key closed now, must hold when it is back.
        assert house.post(steps(*hours("2026-08-07", [100, *range(2, 25)]))).status == 200
        assert house.days()["2026-08-07"] == 399
        hearthbeat("key", "revoke", str(lost_id), data_dir=house.program.data_dir)
        assert house.ask("/api/v1/metrics", key=lost).status == 401
        limits = house.read().headers["ratelimit"]
        assert "requests" in limits
    wait_until(lambda: house.ready().told["status"] == "ok", within_s=15)
    assert house.days()["2026-08-07"] == 399
    assert [house.ask("/api/v1/metrics", key=lost).status for _ in range(3)] == [401] * 3
    assert house.post().status == 200  # and back to what the other tests tell
