from __future__ import annotations

import os
import socket
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from appliance.doctor import computer, contents, examination, reach, running
from appliance.doctor.examination import CHECKS, examine
from appliance.doctor.finding import Level, Patient, fine
from appliance.domain.key import Scope
from appliance.foundation import network
from appliance.foundation.presence import Presence
from appliance.foundation.settings import Settings
from appliance.storage.database import Database
from tests.fixtures.documents import hours, metric, steps
from tests.fixtures.house import a_phone

BODY = steps(*hours("2026-08-07", range(1, 25)))
NOBODY = "postgresql://127.0.0.1:1/hearthbeat"


@pytest.fixture
def patient(tmp_path, database, clock):
    """A healthy one: its folder is private and its database of this version."""
    tmp_path.chmod(0o700)
    return Patient(Settings(data_dir=tmp_path, port=0), None, None, None, clock.now(), database, None)


def serving(patient, port=8710, **parts):
    presence = Presence(os.getpid(), f"http://127.0.0.1:{port}/")
    return replace(patient, serving=presence, ready={"status": "ok", "parts": parts})


def with_settings(patient, **changes):
    return replace(patient, settings=patient.settings.model_copy(update=changes))


def told(check, patient):
    return [(finding.level, finding.told, finding.mend) for finding in check(patient)]


def the_one(check, patient, level):
    [found] = [finding for finding in check(patient) if finding.level is level]
    return found


def test_an_open_folder_is_a_problem_with_its_command(patient, tmp_path):
    assert [level for level, _, _ in told(computer.check_folder, patient)] == [Level.OK]
    tmp_path.chmod(0o777)
    found = the_one(computer.check_folder, patient, Level.PROBLEM)
    assert "0777" in found.told
    assert f'chmod 700 "{tmp_path}"' in found.mend
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o777, "the doctor changes nothing"


def test_a_missing_folder_and_a_file_in_its_place_are_told_apart(patient, tmp_path):
    nowhere = with_settings(patient, data_dir=tmp_path / "none")
    assert the_one(computer.check_folder, nowhere, Level.WARNING).mend.startswith(
        "The first “hearthbeat serve”"
    )
    assert not (tmp_path / "none").exists()
    assert told(computer.check_disk, nowhere)[0][0] is Level.OK
    (tmp_path / "file").touch(mode=0o600)
    in_its_place = with_settings(patient, data_dir=tmp_path / "file")
    assert "not a folder" in the_one(computer.check_folder, in_its_place, Level.PROBLEM).told


def test_a_full_disk_is_a_problem_before_postgres_has_one(patient):
    free = psutil.disk_usage(str(patient.settings.data_dir)).free // 1024**2
    full = with_settings(patient, disk_reserve_mb=free + 100_000)
    assert "have to wait" in the_one(computer.check_disk, full, Level.PROBLEM).told
    nearly = with_settings(patient, disk_reserve_mb=free // 2)
    assert the_one(computer.check_disk, nearly, Level.WARNING).mend == "Free some space soon."


def test_a_clock_that_cannot_be_right_is_a_problem(patient):
    assert told(computer.check_clock, patient)[0][0] is Level.OK
    wrong = replace(patient, now=datetime(1970, 1, 2, tzinfo=UTC))
    assert "1970-01-02" in the_one(computer.check_clock, wrong, Level.PROBLEM).told


def test_a_port_that_another_process_has_is_told_with_that_process(patient):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = the_one(reach.check_port, with_settings(patient, host="127.0.0.1", port=port), Level.PROBLEM)
        assert f"process {os.getpid()}" in found.told
        assert "--port" in found.mend
    assert told(reach.check_port, with_settings(patient, host="127.0.0.1", port=port))[0][0] is Level.OK


def test_an_address_that_keeps_phones_out_is_told(patient):
    for host in ("127.0.0.1", "localhost", "::1"):
        shut = with_settings(patient, host=host)
        assert "no phone" in the_one(reach.check_address, shut, Level.WARNING).told
        assert told(reach.check_firewall, shut) == []
    assert the_one(reach.check_port, with_settings(patient, host="192.0.2.77", port=8710), Level.PROBLEM)


def test_the_address_a_phone_would_use_is_asked_from_here(patient, monkeypatch):
    monkeypatch.setattr(
        reach, "adapters", lambda: [network.Adapter("lan0", "127.0.0.1", "network", has_default_route=True)]
    )
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        away = serving(with_settings(patient, port=port), port)
        assert "does not answer from here" in the_one(reach.check_answer, away, Level.PROBLEM).told


def test_adapters_of_containers_and_vpns_are_marked_and_come_last(monkeypatch):
    address = psutil.net_if_addrs()["lo"][0]
    addresses = {
        "docker0": [address._replace(address="172.17.0.1")],
        "wg0": [address._replace(address="10.8.0.2")],
        "eth1": [address._replace(address="192.168.7.2")],
        "wlan0": [address._replace(address="192.168.1.20")],
        "lo": [address],
        "eth2": [address._replace(address="169.254.3.4")],
    }
    monkeypatch.setattr(network.psutil, "net_if_addrs", lambda: addresses)
    monkeypatch.setattr(network.psutil, "net_if_stats", dict)
    monkeypatch.setattr(network, "lan_address", lambda: "192.168.1.20")
    assert [(one.name, one.kind, one.has_default_route) for one in network.adapters()] == [
        ("wlan0", "network", True),
        ("eth1", "network", False),
        ("docker0", "virtual", False),
        ("wg0", "vpn", False),
    ]


def programs(tmp_path, monkeypatch, **scripts):
    """Let these be the only programs of the system; each is what its shell script does."""
    folder = tmp_path / "programs"
    folder.mkdir(exist_ok=True)
    for name, script in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize(
    ("answer", "level"),
    [("exit 0", Level.OK), ("echo no; exit 1", Level.PROBLEM), ("echo denied >&2; exit 253", Level.WARNING)],
)
def test_a_firewalld_that_keeps_the_port_closed_is_told_with_the_command(
    tmp_path, monkeypatch, answer, level
):
    programs(tmp_path, monkeypatch, firewall_cmd=f'case "$1" in --state) exit 0;; *) {answer};; esac')
    [found] = reach._linux(8710)
    assert found.level is level
    assert ("--add-port=8710/tcp" in found.mend) is (level is not Level.OK)


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        ("echo 'Status: active'; echo '8710/tcp    ALLOW   Anywhere'", Level.OK),
        ("echo 'Status: active'; echo '22/tcp    ALLOW   Anywhere'", Level.PROBLEM),
        ("echo 'ERROR: You need to be root' >&2; exit 1", Level.WARNING),
    ],
)
def test_a_ufw_without_a_rule_is_told_with_the_command(tmp_path, monkeypatch, answer, level):
    programs(tmp_path, monkeypatch, ufw=answer)
    (tmp_path / "ufw.conf").write_text("ENABLED=yes\n")
    monkeypatch.setattr(reach, "_UFW", tmp_path / "ufw.conf")
    [found] = reach._ufw(8710)
    assert found.level is level
    assert ("sudo ufw allow 8710/tcp" in found.mend) is (level is not Level.OK)
    (tmp_path / "ufw.conf").write_text("ENABLED=no\n")
    assert reach._ufw(8710) == []


def test_a_postgres_that_is_away_is_told(patient, tmp_path):
    elsewhere = with_settings(
        patient, database_url=Settings(data_dir=tmp_path, database_url=NOBODY).database_url
    )
    away = replace(elsewhere, database=Database(NOBODY))
    assert "cannot be used" in the_one(running.check_postgres, away, Level.PROBLEM).told
    gone = replace(serving(patient), database=None)
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines" / "postgres.log").write_text("LOG:  hm\nPANIC:  could not write: No space left\n")
    found = the_one(running.check_postgres, gone, Level.PROBLEM)
    assert "No space left" in found.told
    assert "postgres.log" in found.mend
    stopped = replace(patient, database=None)
    assert "PANIC" in the_one(running.check_postgres, stopped, Level.WARNING).told


def test_programs_that_are_not_there_are_told(patient, tmp_path):
    without = with_settings(patient, postgres_bin=tmp_path, valkey_server=tmp_path / "valkey")
    assert "postgres_bin" in the_one(running.check_postgres, without, Level.PROBLEM).mend
    assert "valkey_server" in the_one(running.check_valkey, without, Level.PROBLEM).mend


def test_the_parts_a_server_misses_are_told_as_bad_as_they_are(patient):
    ill = serving(patient, database="away: it hangs", cache="degraded: valkey_away", disk="ok")
    assert [(level, "it hangs" in said) for level, said, _ in told(running.check_server, ill)] == [
        (Level.PROBLEM, True),
        (Level.WARNING, False),
    ]
    assert told(running.check_server, serving(patient, database="ok"))[0][0] is Level.OK
    assert the_one(running.check_server, patient, Level.WARNING).mend == "Start it with: hearthbeat serve"


def test_a_phone_without_a_key_and_a_key_without_a_phone_are_told(patient, services, app, clock):
    assert "no key yet" in the_one(contents.check_keys, patient, Level.WARNING).told
    services.keys.create("Reader", [Scope.READ])
    assert "No open key" in the_one(contents.check_keys, patient, Level.WARNING).told
    phone = a_phone(app, services, "Anna", [Scope.INGEST])
    assert "none was ever used" in the_one(contents.check_keys, patient, Level.WARNING).told
    phone.send(BODY)
    services.keys.write_notes()
    assert told(contents.check_keys, patient)[0][0] is Level.OK


def test_an_expired_key_is_told_with_its_mend(patient, services, clock):
    services.keys.create("Old phone", [Scope.INGEST], expires_days=1)
    services.keys.create("New phone", [Scope.INGEST])
    later = replace(patient, now=clock.now() + timedelta(days=2))
    expired = [found for found in told(contents.check_keys, later) if "expired" in found[1]]
    assert [("Old phone" in said, "hearthbeat key create" in mend) for _, said, mend in expired] == [
        (True, True)
    ]


def test_a_request_with_a_wrong_key_is_told_with_its_mend(patient, services, phone):
    cut = phone.key[:-3]
    assert phone.post(BODY, X_API_Key=cut, automation_name="Every hour").status_code == 401
    services.keys.write_notes()
    found = the_one(contents.check_refused, patient, Level.WARNING)
    assert "Every hour" in found.told
    assert "cut short" in found.mend
    assert cut not in found.told + found.mend


def test_what_waits_fails_or_is_not_understood_is_told(patient, services, phone, clock, ask):
    assert "Nothing was ever uploaded" in the_one(contents.check_uploads, patient, Level.WARNING).told
    phone.send(BODY)
    assert [level for level, _, _ in told(contents.check_uploads, patient)] == [Level.OK]
    assert told(contents.check_quarantine, patient) == []
    phone.send({"data": {"metrics": [metric("step_count", "count", {"date": "never", "qty": 1})]}})
    assert "1 items" in the_one(contents.check_quarantine, patient, Level.WARNING).told
    ask("UPDATE upload SET state = 'failed' WHERE upload_id = 1")
    assert "hearthbeat replay" in the_one(contents.check_uploads, patient, Level.WARNING).mend
    ask("UPDATE upload SET state = 'received' WHERE upload_id = 1")
    assert [level for level, _, _ in told(contents.check_uploads, patient)] == [Level.OK]
    later = replace(patient, now=clock.now() + timedelta(hours=1))
    assert "wait to be worked on" in the_one(contents.check_uploads, later, Level.WARNING).told


def test_silence_failing_jobs_and_missing_backups_are_told(patient, phone, ask, clock):
    phone.send(BODY)
    [(person_id, key_id)] = ask("SELECT person_id, key_id FROM upload")
    ask(
        "INSERT INTO silence VALUES (:person, :key, 'a', 'Hourly', :last, 3600, :now, :now)",
        person=person_id,
        key=key_id,
        last=clock.now() - timedelta(days=2),
        now=clock.now(),
    )
    silent = the_one(contents.check_silence, patient, Level.WARNING)
    assert ("Hourly" in silent.told, "2 days ago" in silent.told) == (True, True)
    for hour, outcome in enumerate(("failed", "ok", "failed", "running")):
        ask(
            "INSERT INTO job_run (name, instance, started_at, outcome, result) VALUES"
            " (:name, 'x', :at, :outcome, '{\"told\": \"The disk is gone.\"}')",
            name="backup" if hour else "other",
            at=clock.now() + timedelta(hours=hour - 4),
            outcome=outcome,
        )
    assert [
        ("“backup”" in said, "disk is gone" in said) for _, said, _ in told(contents.check_jobs, patient)
    ] == [
        (True, True),
        (False, True),
    ]
    assert the_one(contents.check_backups, patient, Level.WARNING).mend == "Make one: hearthbeat backup"


def test_a_schema_of_another_version_is_told_and_its_rows_are_left_alone(patient, ask):
    ask("UPDATE alembic_version SET version_num = '0001'")
    with patient.database.transaction() as connection:
        gap = examination.checkup.schema_gap(connection)
    older = replace(patient, schema=gap)
    assert "next start" in the_one(contents.check_schema, older, Level.WARNING).told
    assert told(contents.check_keys, older) == []
    ask("UPDATE alembic_version SET version_num = '9999'")
    with patient.database.transaction() as connection:
        newer = replace(patient, schema=examination.checkup.schema_gap(connection))
    assert "newer" in the_one(contents.check_schema, newer, Level.PROBLEM).told


def test_one_check_that_fails_spoils_no_other(tmp_path, monkeypatch):
    def check_nothing(_patient):
        raise ZeroDivisionError("a mistake\nof ours")

    monkeypatch.setattr(examination, "CHECKS", (("One", (check_nothing, lambda _patient: [fine("well")])),))
    found = examine({"data_dir": tmp_path})
    assert [(each.group, each.check, each.finding.level) for each in found] == [
        ("One", "nothing", Level.WARNING),
        ("One", "<lambda>", Level.OK),
    ]
    assert "ZeroDivisionError: a mistake of ours" in found[0].finding.told


def test_wrong_settings_are_told_and_the_rest_is_examined(tmp_path):
    tmp_path.chmod(0o700)
    (tmp_path / "settings.toml").write_text("prot = 8710\n")
    found = examine({"data_dir": tmp_path})
    [wrong] = [each.finding for each in found if each.check == "settings"]
    assert (wrong.level, "prot" in wrong.told) == (Level.PROBLEM, True)
    assert {each.group for each in found} >= {"This computer", "Data folder", "What runs", "Network"}
    assert any(each.finding.told == f"The data folder is {tmp_path}." for each in found)
    assert list(tmp_path.iterdir()) == [tmp_path / "settings.toml"], "the doctor changes nothing"


def test_every_check_has_its_own_name():
    names = [check.__name__ for _, checks in CHECKS for check in checks]
    assert all(name.startswith("check_") for name in names)
    assert len(set(names)) == len(names)
