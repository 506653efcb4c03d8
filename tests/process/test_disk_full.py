"""A disk that fills up: uploads are refused before Postgres has to stop, and nothing acknowledged is lost when it does."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest

from appliance.foundation.ballast import START_ROOM, free_bytes
from tests.fixtures.documents import hours, steps
from tests.fixtures.household import Household
from tests.fixtures.program import hearthbeat
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="a small disk is made of memory, as Linux can"
)

MIB = 1024 * 1024


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 320 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=320m", "hearthbeat-test", place],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.fail(
            f"This test mounts a small disk, which only root may do ({made.stderr.strip()}); run it as root, or in"
            " a namespace of your own: unshare --map-root-user --mount python3 run.py test tests/process/test_disk_full.py"
        )
    yield place
    subprocess.run(["umount", "-l", place], check=True)


class Hog:
    """A file of somebody else's that takes what is free, but for some."""

    def __init__(self, disk):
        self.file = disk / "somebody-elses-video"

    def leave(self, size):
        with self.file.open("ab") as file:
            more = free_bytes(self.file.parent) - size
            if more > 0:
                os.posix_fallocate(file.fileno(), file.tell(), more)

    def go_away(self):
        self.file.unlink()


def a_day(number):
    return steps(*hours(f"2026-07-{number:02d}", [10] * 24))


def test_uploads_are_refused_in_time_and_taken_again_once_there_is_room(start_program, small_disk):
    house = Household(start_program(small_disk / "data", "--disk-reserve-mb", "64", "--ballast-mb", "32"))
    hog = Hog(small_disk)
    assert (house.post(a_day(1)).status, house.part("disk")) == (200, "ok")
    server = house.server().pid

    hog.leave(40 * MIB)
    for _ in range(5):
        refused = house.post(a_day(2))
        refused.assert_refused(507, "storage_full", within_s=5)
        assert "64 MiB" in refused.told["detail"]
    assert house.days() == {"2026-07-01": 240}
    ready = house.ready()
    assert (ready.status, ready.told["status"], ready.told["parts"]["database"]) == (503, "away", "ok")
    assert ready.told["parts"]["disk"].startswith("away: ")
    assert hearthbeat("status", data_dir=house.program.data_dir, check=False).returncode == 1
    free = next(
        line for line in house.ask("/metrics").told.splitlines() if line.startswith("hearthbeat_disk_")
    )
    assert float(free.split()[1]) == pytest.approx(40 * MIB, rel=0.2)

    hog.go_away()
    hog.leave(80 * MIB)
    assert house.post(a_day(2)).status == 200
    # Above the reserve, and too little for this one.
    house.post(b" " * 8 * MIB).assert_refused(507, "storage_full", within_s=10)
    hog.go_away()
    assert house.is_well()
    assert house.server().pid == server
    assert house.days().items() >= {"2026-07-01": 240, "2026-07-02": 240}.items()


def test_a_disk_filled_to_the_brim_loses_nothing_and_postgres_comes_back_by_itself(start_program, small_disk):
    options = ("--disk-reserve-mb", "1", "--ballast-mb", "64")
    house = Household(start_program(small_disk / "data", *options))
    ballast = house.program.data_dir / "ballast"
    assert ballast.stat().st_blocks * 512 >= 64 * MIB
    acknowledged = {}

    def post(number):
        answer = house.post(a_day(number))
        assert answer.status in (200, 202, 503, 507), answer
        if answer.status < 300:
            acknowledged[f"2026-07-{number:02d}"] = 240
        return answer.status

    assert post(1) == 200
    hog = Hog(small_disk)
    hog.leave(0)
    fallen = house.server()

    def write_until_it_falls(session):
        for number in range(2, 12):  # each time Postgres needs room for another piece of its log
            post(number)
            session.execute("SELECT pg_switch_wal()")
            session.execute("CHECKPOINT")

    with house.session() as session, pytest.raises(psycopg.OperationalError):
        write_until_it_falls(session)
    wait_until(lambda: not fallen.is_running() or house.server() not in (None, fallen), within_s=20)
    wait_until(lambda: house.part("embedded postgres") == "ok", within_s=30)
    assert "PANIC:" in (house.program.data_dir / "engines" / "postgres.log").read_text()
    assert not ballast.exists()  # it came back on that room, and works
    wait_until(lambda: post(12) == 200, within_s=20)
    assert house.days().items() >= acknowledged.items()

    # Now there is no ballast left to give up: it waits for room instead of using up its restarts.
    hog.leave(START_ROOM // 4)
    house.server().kill()
    wait_until(lambda: "no room left on the disk" in house.part("embedded postgres"), within_s=20)
    assert post(13) in (503, 507)
    assert house.ask("/healthz").status == 200
    hog.go_away()
    wait_until(lambda: post(13) == 200, within_s=30)
    assert house.days().items() >= acknowledged.items()

    assert house.program.stop() == 0
    house.program = start_program(small_disk / "data", *options)
    assert ballast.exists()
    assert house.days().items() >= acknowledged.items()


def test_without_room_the_start_says_so(small_disk):
    (small_disk / "data").mkdir()
    Hog(small_disk).leave(START_ROOM // 2)
    done = hearthbeat("serve", "--port", "0", data_dir=small_disk / "data", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "free some space" in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
