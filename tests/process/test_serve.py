from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from tests.fixtures.documents import hours, steps
from tests.fixtures.http import RealPhone
from tests.fixtures.program import environment, hearthbeat
from tests.fixtures.waiting import wait_until
from tests.process.conftest import engines_of

BODY = steps(*hours("2026-08-07", range(1, 25)))
KEY = re.compile(r"hb_[0-9a-f]{16}_[\w-]{43}\n")


def make_key(data_dir, *words):
    told = hearthbeat("key", "create", "Phone", "--scope", "ingest,read,admin", *words, data_dir=data_dir)
    assert KEY.fullmatch(told.stdout), told.stdout
    return told.stdout.strip()


def test_it_starts_on_an_empty_folder_serves_and_stops_cleanly(start_program, data_dir):
    program = start_program(data_dir)
    phone = RealPhone(program.url)
    assert phone.get("/healthz") == {"status": "ok"}
    ready = phone.get("/readyz")
    assert ready["status"] == "ok"
    assert ready["parts"] == {
        "database": "ok",
        "cache": "ok",
        "disk": "ok",
        "embedded postgres": "ok",
        "embedded valkey": "ok",
    }
    if os.name == "posix":
        assert data_dir.stat().st_mode & 0o777 == 0o700
    assert engines_of(data_dir)

    assert program.stop() == 0
    assert engines_of(data_dir) == []
    assert not (data_dir / "serving.json").exists()


def test_a_second_one_on_the_same_folder_is_refused_with_a_sentence(serving):
    second = hearthbeat("serve", "--port", "0", data_dir=serving.data_dir, check=False)
    assert (second.returncode, second.stdout) == (1, "")
    last = second.stderr.strip().splitlines()[-1]
    assert "Traceback" not in second.stderr
    assert str(serving.data_dir) in last
    assert RealPhone(serving.url).get("/healthz") == {"status": "ok"}


def test_a_key_made_while_it_serves_works_at_once_until_it_is_revoked(serving):
    phone = RealPhone(serving.url, make_key(serving.data_dir))
    status, receipt = phone.post(BODY)
    assert (status, receipt["status"]) == (200, "processed")
    keys = json.loads(hearthbeat("key", "list", "--json", data_dir=serving.data_dir).stdout)
    hearthbeat("key", "revoke", str(keys[-1]["id"]), data_dir=serving.data_dir)
    assert phone.post(BODY)[0] == 401


def test_a_key_made_while_nothing_runs_works_after_the_start(start_program, data_dir):
    key = make_key(data_dir)
    assert engines_of(data_dir) == []
    program = start_program(data_dir)
    phone = RealPhone(program.url, key)
    assert phone.post(BODY)[1]["counts"]["stored"] == 24

    told = hearthbeat("status", "--json", data_dir=data_dir)
    status = json.loads(told.stdout)
    assert (status["running"], status["status"], status["pid"]) == (True, "ok", program.process.pid)
    assert status["url"] == program.url
    program.stop()
    told = hearthbeat("status", "--json", data_dir=data_dir, check=False)
    assert told.returncode == 3
    assert json.loads(told.stdout)["running"] is False


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_what_was_acknowledged_survives_a_kill(start_program, data_dir):
    program = start_program(data_dir)
    phone = RealPhone(program.url, make_key(data_dir))
    assert phone.post(BODY)[0] == 200
    program.process.kill()
    program.process.wait()
    wait_until(lambda: not engines_of(data_dir), within_s=60)  # Postgres writes what it has in memory
    told = hearthbeat("status", "--json", data_dir=data_dir, check=False)
    assert (told.returncode, json.loads(told.stdout)["running"]) == (3, False)

    again = start_program(data_dir)
    phone.url = again.url
    assert phone.days("step_count") == {"2026-08-07": 300}
    assert phone.post(BODY)[1]["status"] == "unchanged"


@pytest.mark.skipif(sys.platform == "win32", reason="no Valkey there")
def test_without_valkey_uploads_go_on_until_it_is_back(start_program, data_dir):
    program = start_program(data_dir)
    phone = RealPhone(program.url, make_key(data_dir))
    assert phone.post(BODY)[0] == 200

    def the_valkey():
        return [process for process in engines_of(data_dir) if process.name() == "valkey-server"]

    (valkey,) = the_valkey()
    valkey.kill()
    statuses = [phone.post(BODY)[0] for _ in range(20)]
    assert statuses == [200] * 20
    wait_until(lambda: [process.pid for process in the_valkey()] not in ([], [valkey.pid]), within_s=15)
    wait_until(lambda: phone.get("/readyz")["status"] == "ok", within_s=20)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_without_postgres_nothing_is_acknowledged_until_it_is_back(start_program, data_dir):
    program = start_program(data_dir)
    phone = RealPhone(program.url, make_key(data_dir))
    assert phone.post(BODY)[0] == 200
    program.engine("postgres").kill()
    status, told = phone.post(BODY)
    assert status in (200, 503), told

    def taken():
        status, _ = phone.post(BODY)
        assert status in (200, 503)
        return status == 200

    wait_until(taken, within_s=30)
    assert phone.days("step_count") == {"2026-08-07": 300}


def test_the_demo_reaches_ready_and_its_totals_add_up(tmp_path):
    with (tmp_path / "err").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance", "demo", "--no-browser", "--days", "3"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(),
        )
    told = []
    for line in process.stdout:
        told.append(line)
        if line.startswith("Ready"):
            break
    process.send_signal(signal.SIGTERM)
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait(40) == 0, (tmp_path / "err").read_text()
    assert rest.strip().endswith("Stopped; the demo's data is gone.")
    names, numbers = (line.split() for line in told[told.index("Receipts, all together:\n") + 1 :][:2])
    counts = {name: int(number.replace(",", "")) for name, number in zip(names, numbers, strict=True)}
    received = counts.pop("received")
    assert received == sum(counts.values()) > 1_000
    assert counts["stored"] > received / 2
