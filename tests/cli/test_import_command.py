from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import date

import click
import pytest
from click.testing import CliRunner

from appliance import cli
from appliance.cli import common, imports
from appliance.domain.whereabouts import DaysAway
from appliance.foundation.errors import SeveralExports, UnreadableExport
from appliance.storage import imports as import_rows
from tests.fixtures.apple_export import AppleExport
from tests.fixtures.documents import document, metric, point, when

EXPORT = AppleExport(days=2)


@pytest.fixture
def run(services, monkeypatch):
    """Run a command on the test's own services."""

    @contextmanager
    def at_hand(_given, _role):
        yield services

    monkeypatch.setattr(imports, "services_for", at_hand)
    monkeypatch.setattr(common.out, "width", 200)

    def run_it(*words, answer="", fails=None):
        result = CliRunner().invoke(
            cli.cli, ["import", *map(str, words)], input=answer, standalone_mode=False
        )
        if fails is None:
            assert result.exception is None, result.output
        else:
            assert isinstance(result.exception, fails), result.output
        return result

    return run_it


@pytest.fixture
def anna(services):
    return services.people.ensure("Anna").person_id


@pytest.fixture
def export(tmp_path):
    return EXPORT.zip(tmp_path / "export.zip")


def test_an_import_tells_what_became_of_everything_by_metric(run, anna, export):
    said = run(export).output
    (beats,) = [line.split() for line in said.splitlines() if line.startswith("heart_rate ")]
    assert beats[1:] == ["26", "24", "0", "2", "0", "0"]
    assert "hearthbeat import --undo 1" in said
    assert "imported before" in run(export).output
    assert "done" in run("--list").output


def test_a_dry_run_keeps_nothing(run, anna, export, services):
    assert "nothing was kept" in run(export, "--dry-run").output
    assert services.importing.listed(anna) == []


def test_an_import_is_undone_after_asking(run, anna, export, ask):
    run(export)
    run("--undo", 1, answer="n\n", fails=click.Abort)
    run("--undo", 1, answer="y\n")
    assert ask("SELECT count(*) FROM sample WHERE value IS NOT NULL") == [(0,)]
    assert "undone" in run("--list").output


def test_a_file_that_was_cut_off_is_no_success_however_often_it_is_given(run, anna, tmp_path):
    cut = EXPORT.xml()
    (tmp_path / "export.xml").write_bytes(cut[: len(cut) // 2])
    for _ in range(2):
        result = run(tmp_path / "export.xml", fails=SystemExit)
        assert result.exit_code == 1
        assert "Not all of it could be read" in result.output


def test_an_export_without_a_record_is_told_to_be_empty(run, anna, tmp_path):
    (tmp_path / "export.xml").write_bytes(b'<HealthData locale="en_DE">\n</HealthData>\n')
    assert "there is no record of anything in it" in run(tmp_path / "export.xml").output


def test_one_that_is_stopped_from_elsewhere_is_not_told_as_done(run, anna, export, monkeypatch):
    go_on = import_rows.go_on
    monkeypatch.setattr(import_rows, "go_on", lambda *told: go_on(*told) is not None or None)
    said = run(export).output
    assert "goes on from here" in said
    assert "undo it with" not in said


def test_what_goes_with_a_file_is_refused_without_one_and_undoes_nothing(run, anna, export, services):
    run(export)
    for words in (("--dry-run",), ("--name", "a"), ("--stay", "2025-10-25", "2025-10-25", "Asia/Tokyo")):
        run("--undo", 1, "--yes", *words, fails=click.UsageError)
        run("--list", *words, fails=click.UsageError)
    assert [each.state for each in services.importing.listed(anna)] == ["done"]


def test_a_stay_elsewhere_moves_the_days_of_that_time(run, anna, export, ask):
    run(export, "--stay", "2025-10-25", "2025-10-25", "Asia/Tokyo")
    assert ask("SELECT DISTINCT utc_offset FROM sample ORDER BY 1") == [(7_200,), (32_400,)]
    for wrong in (("2025-10-25", "yesterday", "Asia/Tokyo"), ("2025-10-25", "2025-10-25", "Mars")):
        run(export, "--stay", *wrong, fails=click.UsageError)


def test_a_stay_told_to_the_command_adds_to_those_kept_and_outdoes_them(run, anna, export, ask, services):
    services.people.add_days_away(anna, DaysAway(date(2025, 10, 24), date(2025, 10, 25), "America/New_York"))
    run(export, "--stay", "2025-10-25", "2025-10-25", "Asia/Tokyo")
    found = ask("SELECT DISTINCT utc_offset FROM sample ORDER BY 1")
    assert found == [(-14_400,), (7_200,), (32_400,)]
    assert [away.zone for away in services.people.days_away(anna)] == ["America/New_York"]


def test_whose_past_it_is_must_be_clear(run, export, services):
    run(export, fails=click.UsageError)
    services.people.ensure("Anna")
    services.people.ensure("Ben")
    run(export, fails=click.UsageError)
    run(export, "--person", "Ben")
    run(fails=click.UsageError)


def test_one_that_is_stopped_says_how_it_goes_on(run, anna, export, services, monkeypatch):
    def interrupted(*_given, **_how):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("appliance.services.import_work.ImportWork.store", interrupted)
        said = run(export, fails=(KeyboardInterrupt, click.Abort))
    assert "give the same file again" in said.output
    assert "stopped" in run("--list").output
    assert "undo it with" in run(export).output


def test_files_of_the_phone_app_are_uploads_of_their_own(run, anna, tmp_path, services, ask):
    for hour in (10, 11):
        body = document(metric("step_count", "count", point(when(f"2025-10-24 {hour}:00"), 500)))
        (tmp_path / f"HealthAutoExport-{hour}.json").write_text(json.dumps(body))
    run(tmp_path)
    assert [counted.counts.stored for counted in services.importing.listed(anna)] == [1, 1]
    assert "imported before" in run(tmp_path / "HealthAutoExport-10.json").output
    assert services.replaying.one(anna, 1).uploads == 1
    run("--undo", 1, "--yes")
    services.replaying.everything(since=None, dry_run=False)
    assert ask("SELECT sum(value) FROM sample") == [(500.0,)]


def test_one_file_of_a_folder_that_cannot_be_read_keeps_no_other_away(run, anna, tmp_path, services):
    for name in "abc":
        body = document(metric("step_count", "count", point(when("2025-10-24 10:00"), ord(name))))
        (tmp_path / f"{name}.json").write_text("{" if name == "b" else json.dumps(body))
    result = run(tmp_path, fails=SystemExit)
    assert result.exit_code == 1
    assert "“b.json” cannot be read" in result.output
    assert "“c.json” is import" in result.output
    assert [each.name for each in services.importing.listed(anna)] == ["c.json", "a.json"]


def test_a_file_of_neither_kind_is_refused_and_leaves_nothing(run, anna, tmp_path, services):
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.txt").write_text("text")
    for name in ("a.json", "b.txt", "missing.json"):
        run(tmp_path / name, fails=UnreadableExport)
    assert services.importing.listed(anna) == []


def test_a_folder_of_several_exports_or_with_an_archive_in_it_says_what_to_give(run, anna, export, services):
    folder = export.parent
    assert "give “export.zip” in it" in run(folder, fails=UnreadableExport).exception.detail
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "export.xml").write_bytes(EXPORT.xml())
        (folder / name / "table.csv").write_text("a,b")
    said = run(folder, fails=SeveralExports).exception.detail
    assert "holds 2 exports" in said
    assert "“one/export.xml”, “two/export.xml”" in said
    assert services.importing.listed(anna) == []


def test_a_file_is_known_by_the_name_people_call_it(run, anna, export, tmp_path, services):
    run(export, "--person-id", anna, "--name", "my past.zip")
    body = document(metric("step_count", "count", point(when("2025-10-24 10:00"), 500)))
    (tmp_path / "x.json").write_text(json.dumps(body))
    run(tmp_path / "x.json", "--name", "steps.json")
    assert [each.name for each in services.importing.listed(anna)] == ["steps.json", "my past.zip"]
