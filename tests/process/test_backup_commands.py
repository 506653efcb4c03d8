"""`backup`, `verify` and `restore` as people use them: beside a running server, after a kill, on another computer."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.documents import document, hours, metric
from tests.fixtures.http import RealPhone
from tests.fixtures.program import environment, hearthbeat, new_key
from tests.fixtures.waiting import wait_until
from tests.process.conftest import engines_of

DAYS = ("2026-08-05", "2026-08-06", "2026-08-07")


def steps_of(day, factor=1):
    return document(metric("step_count", "count", *hours(day, [factor * n for n in range(1, 25)])))


def series(phone):
    return phone.get("/api/v1/metrics/step_count/series", bucket="hour"), phone.get("/api/v1/metrics")


@pytest.fixture
def phone(start_program, data_dir):
    """A phone that has sent three days to a running server."""
    phone = RealPhone(start_program(data_dir).url, new_key(data_dir))
    for day in DAYS:
        assert phone.post(steps_of(day))[0] == 200
    return phone


def test_a_backup_of_a_running_server_gives_the_same_answers_on_another_computer(
    start_program, phone, data_dir, tmp_path
):
    (data_dir / "settings.toml").write_text("threads = 5\n")
    here = series(phone)
    disk = tmp_path / "disk"
    made = Path(hearthbeat("backup", str(disk), data_dir=data_dir).stdout.strip())
    assert (made.parent, made.suffix, list(disk.iterdir())) == (disk, ".hbbackup", [made])

    proved = hearthbeat("verify", str(made), data_dir=data_dir)
    assert f"{made.name} is good" in proved.stdout
    refused = hearthbeat("restore", str(made), "--yes", data_dir=data_dir, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "already running" in refused.stderr
    assert "stop it first" in refused.stderr

    elsewhere = tmp_path / "else where + %"
    done = hearthbeat("restore", str(made), data_dir=elsewhere)
    assert "Restored" in done.stdout
    assert (elsewhere / "settings.toml").read_text() == "threads = 5\n"
    assert engines_of(elsewhere) == []
    other = RealPhone(start_program(elsewhere).url, phone.key)
    assert series(other) == here
    assert other.post(steps_of(DAYS[0]))[1]["status"] == "unchanged"
    assert other.post(steps_of("2026-08-08"))[1]["counts"]["stored"] == 24


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_a_restore_that_is_killed_leaves_everything_as_it_was(start_program, phone, data_dir):
    made = hearthbeat("backup", data_dir=data_dir).stdout.strip()
    assert phone.post(steps_of(DAYS[0], 3))[0] == 200
    here = series(phone)
    start_program.end_all()

    words = [sys.executable, "-m", "appliance", "restore", made, "--yes", "--data-dir", str(data_dir)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment()) as process:
        reached = any(line.startswith("Restoring") for line in process.stderr)  # which stops reading there
        process.kill()
    assert (reached, process.returncode) == (True, -signal.SIGKILL)
    wait_until(lambda: not engines_of(data_dir), within_s=60)  # Postgres writes what it has in memory
    (copy,) = (data_dir / "backups").glob("hearthbeat-before-restore-*")
    assert "--yes" in hearthbeat("restore", str(copy), data_dir=data_dir, check=False).stderr
    phone.url = start_program(data_dir).url
    assert series(phone) == here


def test_a_file_that_is_no_backup_ends_in_one_sentence(tmp_path):
    bad = tmp_path / "holiday.zip"
    bad.write_bytes(b"PK\x03\x04 no")
    for words in (("verify", str(bad)), ("restore", str(bad))):
        done = hearthbeat(*words, data_dir=tmp_path / "data", check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert Path(words[1]).name in done.stderr
        assert "Traceback" not in done.stderr
