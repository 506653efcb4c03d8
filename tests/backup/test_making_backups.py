"""A backup is one moment of everything, it is proved by restoring it, and what is not good is never believed."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from appliance.domain.job import Outcome
from appliance.foundation.errors import BackupFailed, EngineFailed, StorageFull
from appliance.services import backup_file
from appliance.services.backup_file import BackupFile
from tests.backup.conftest import a_day
from tests.fixtures.house import settings_of


def test_a_backup_tells_what_it_holds_and_only_we_may_read_it(backups, some_data, counts, settings):
    (settings.data_dir / "settings.toml").write_text("port = 1234")
    made = backups.make()
    assert made.path == settings.data_dir / "backups" / "hearthbeat-20260820-120000.hbbackup"
    if os.name == "posix":
        assert made.path.stat().st_mode & 0o777 == 0o600
        assert made.path.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in made.path.parent.iterdir()] == [made.path.name]
    file = BackupFile(made.path)
    told = file.manifest
    assert told.counts["sample"] == told.counts["sample of person 1"] == counts("sample") == 6 * 24
    assert told.counts["upload of person 1"] == counts("upload") == 5
    assert told.counts["quarantine"] == 1
    assert told.counts["revision"] == counts("revision") > 0
    assert len(told.days) == counts("rollup") == 6
    assert told.made_at == datetime(2026, 8, 20, 12, tzinfo=UTC)
    assert file.settings == b"port = 1234"
    assert (made.rows, made.proved_at, made.problems) == (
        sum(n for t, n in told.counts.items() if " " not in t),
        None,
        (),
    )


def test_two_of_the_same_second_are_two(backups, some_data):
    assert backups.make().path != backups.make().path


def test_what_comes_while_it_is_made_is_in_none_of_its_parts(backups, tools, some_data, phone, counts):
    before = counts("sample")
    tools.before_dump.append(lambda: phone.send(a_day("2026-08-08")))
    tools.before_dump.append(lambda: phone.send(a_day("2026-08-07", 3)))
    made = backups.make()
    assert counts("sample") == before + 48
    assert BackupFile(made.path).manifest.counts["sample"] == before
    report = backups.verify(made.path)
    assert (report.problems, report.doubts) == ([], [])
    assert report.days == report.recomputed == 6


def test_the_nightly_one_is_proved_listed_and_measured(backups, tools, some_data, services, settings, clock):
    tools.own_database = None  # the throw-away server, as people have it
    result = backups.nightly()
    assert (result.outcome, result.result["proved"]) == (Outcome.OK, True), result
    assert "made and proved" in result.told
    (listed,) = backups.listed()
    assert (listed.proved_at, listed.problems) == (clock.now(), ())
    gauge = services.telemetry.registry.get_sample_value("hearthbeat_last_proved_backup_timestamp_seconds")
    assert gauge == clock.now().timestamp()
    assert not (settings.data_dir / "scratch").exists()


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (
            "DELETE FROM sample WHERE ctid = (SELECT min(ctid) FROM sample)",
            "sample has 143 rows and should have 144",
        ),
        ("UPDATE sample SET value = value + 1", "is not what it was"),
        ("UPDATE rollup SET hour_value[1] = 0", "is not what it was"),
    ],
)
def test_one_that_cannot_be_restored_as_it_was_is_put_aside_and_told(backups, tools, some_data, harm, named):
    tools.after_restore = harm
    result = backups.nightly()
    assert result.outcome == Outcome.FOUND
    assert named in result.told
    assert result.result["proved"] is False
    assert backups.listed() == []
    assert [path.name for path in backups.folder.iterdir()] == [
        "hearthbeat-nightly-20260820-120000.hbbackup.bad"
    ]


def test_days_that_are_wrong_already_are_a_doubt_and_no_fault_of_the_backup(backups, some_data, ask):
    ask("UPDATE rollup SET value = 1")
    result = backups.nightly()
    assert (result.outcome, result.result["proved"], result.result["doubts"]) == (Outcome.FOUND, True, 6)
    assert "not what its samples add up to" in result.told


def test_one_that_could_not_be_tried_stays_and_is_told_as_unproved(backups, tools, some_data):
    tools.scratch_fails = EngineFailed("The trial server did not start.")
    result = backups.nightly()
    assert (result.outcome, result.result["proved"]) == (Outcome.FOUND, False)
    assert "did not start" in result.told
    (listed,) = backups.listed()
    assert (listed.proved_at, listed.problems) == (None, ())


@settings_of(backup_keep_days=2, backup_keep_weeks=0, backup_keep_months=0)
def test_rotation_keeps_the_proved_one_and_touches_nothing_made_by_hand(backups, tools, some_data, clock):
    tools.scratch_fails = EngineFailed("The trial server did not start.")
    backups.make()
    first = backups.make(name="hearthbeat-nightly")
    BackupFile(first.path).note(clock.now(), [])
    own = first.path.with_name("hearthbeat-mine.hbbackup")
    own.write_bytes(first.path.read_bytes())
    for _ in range(4):
        clock.advance(days=1)
        backups.make_before("0009")
        backups.nightly()
    names = sorted(path.name for path in backups.folder.iterdir())
    assert names == [
        "hearthbeat-20260820-120000.hbbackup",
        "hearthbeat-before-0009-20260822-120000.hbbackup",
        "hearthbeat-before-0009-20260823-120000.hbbackup",
        "hearthbeat-before-0009-20260824-120000.hbbackup",
        "hearthbeat-mine.hbbackup",
        "hearthbeat-nightly-20260820-120000.hbbackup",
        "hearthbeat-nightly-20260820-120000.hbbackup.proof.json",
        "hearthbeat-nightly-20260823-120000.hbbackup",
        "hearthbeat-nightly-20260824-120000.hbbackup",
    ]


def test_a_proof_counts_for_the_content_it_was_made_of_only(backups, some_data, phone, clock):
    made = backups.make()
    phone.send(a_day("2026-08-09"))
    other = backups.make()
    BackupFile(made.path).note(clock.now(), [])
    made.path.write_bytes(other.path.read_bytes())
    assert {backup.proved_at for backup in backups.listed()} == {None}


def test_a_cut_file_in_the_folder_is_listed_with_its_problem(backups, some_data):
    made = backups.make()
    made.path.write_bytes(made.path.read_bytes()[:-1])
    (listed,) = backups.listed()
    assert made.path.name in listed.problems[0]


def test_without_room_there_is_no_backup_and_a_sentence(backups, some_data, monkeypatch):
    monkeypatch.setattr(backup_file, "SPARE_BYTES", 2**62)
    with pytest.raises(StorageFull, match="no room for a backup"):
        backups.make()
    assert list(backups.folder.iterdir()) == []


def test_a_folder_that_is_a_file_is_named(backups, some_data, tmp_path):
    place = tmp_path / "taken"
    place.write_text("")
    with pytest.raises(BackupFailed, match="taken"):
        backups.make(place)


def test_before_anything_came_there_is_nothing_to_back_up_at_night(backups):
    assert backups.nightly().outcome == Outcome.OK
    assert backups.listed() == []


@settings_of(backup_nightly=False)
def test_switched_off_nothing_is_made(backups, some_data):
    assert "switched off" in backups.nightly().told
    assert backups.listed() == []


def test_backups_are_listed_for_admins(backups, some_data, phone, clock):
    made = backups.make()
    told = phone.get("/api/v1/backups")
    assert told["folder"] == str(backups.folder)
    (item,) = told["items"]
    assert (item["name"], item["size_bytes"], item["proved_at"]) == (made.path.name, made.size_bytes, None)


def test_one_that_cannot_be_listed_leaves_no_file(backups, tools, some_data):
    def refuse(_dump):
        raise BackupFailed("The backup cannot be read.")

    tools.check = refuse
    with pytest.raises(BackupFailed):
        backups.make()
    assert list(backups.folder.iterdir()) == []


@settings_of(backup_keep_days=2, backup_keep_weeks=0, backup_keep_months=0)
def test_the_newest_stays_although_the_clock_was_set_back(backups, tools, some_data, clock):
    tools.scratch_fails = EngineFailed("The trial server did not start.")
    for days in (1, 1, -4_000):
        clock.advance(days=days)
        newest = backups.nightly().result["file"]
    assert newest in {path.name for path in backups.folder.iterdir()}
