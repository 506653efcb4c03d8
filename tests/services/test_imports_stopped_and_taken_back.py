"""An import that was broken off anywhere ends as if it had not been, and one that is taken back leaves no trace."""

from __future__ import annotations

import gzip
import json
import os
from datetime import timedelta

import pytest
from sqlalchemy import text

from appliance.domain.importing import ImportState
from appliance.domain.key import Scope
from appliance.foundation.errors import Conflict, DependencyError, NotFound, StorageFull
from appliance.storage import imports
from tests.fixtures.apple_export import ECG_EN, WATCH, AppleExport
from tests.fixtures.documents import document, metric, point, spelt, when
from tests.fixtures.house import a_phone
from tests.fixtures.tables import HELD

ECGS = {f"electrocardiograms/ecg_{n}.csv": ECG_EN.replace(b":35", f":3{n}".encode()) for n in range(4)}
EXPORT = AppleExport(days=2, files=ECGS)
# One that cannot be read among each kind of samples, a broken element, and one nobody knows.
DAMAGED = (
    EXPORT.xml()
    .replace(b'value="0.97"', b'value="97"', 1)
    .replace(b' unit="count/min"', b' unit="furlong"', 1)
    .replace(b"</Workout>", b"</Work>", 1)
    .replace(b"</HealthData>", b' <Audiogram type="x"/>\n</HealthData>')
)
DUMPS = {
    "held": HELD,
    "rollups": "SELECT person_id, metric, day, value, min, max, count FROM rollup ORDER BY 1, 2, 3",
    "series": "SELECT person_id, metric, grain, unit, samples, first_at, last_at FROM series WHERE samples > 0 ORDER BY 1, 2, 3, 6",
    "revisions": "SELECT person_id, series_id, start_at, value FROM revision ORDER BY 1, 2, 3, 4",
    "records": "SELECT person_id, kind, identity, label, source, start_at, end_at, content, flags FROM record ORDER BY 1, 2, 3",
    "tracks": "SELECT r.person_id, kind, identity, name, t.start_at, channels FROM record_track AS t"
    " JOIN record AS r USING (person_id, record_id) ORDER BY 1, 2, 3, 4",
    "sleep": "SELECT person_id, source, stage, start_at, end_at, utc_offset FROM sleep_segment ORDER BY 1, 2, 3, 4",
    "quarantine": "SELECT person_id, kind, name, path, reason, detail, last_upload_id FROM quarantine ORDER BY 1, 2, 4, 6",
}


@pytest.fixture
def dump(ask):
    """Tell all that is held; of one person without the person's number."""

    def tell(person_id=None):
        rows = {name: [tuple(row) for row in ask(statement)] for name, statement in DUMPS.items()}
        if person_id is None:
            return rows
        names = dict(ask("SELECT name, person_id FROM person"))
        return {
            name: [row[1:] for row in found if names.get(row[0], row[0]) == person_id]
            for name, found in rows.items()
            if name not in ("revisions", "quarantine")
        }

    return tell


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr("appliance.intake.apple.export.RECORDS_A_PART", 20)
    monkeypatch.setattr("appliance.intake.apple.export.POINTS_A_PART", 1)
    monkeypatch.setattr("appliance.intake.apple.export.POINTS_A_STEP", 1)
    monkeypatch.setattr("appliance.intake.apple.elements.CHUNK", 4_000)


@pytest.fixture
def take(services, tmp_path):
    """Import an export for a person."""

    def import_it(export=EXPORT, *, who="Anna", name="export.zip", xml=None, **how):
        person_id = services.people.ensure(who).person_id
        run = services.importing.export(person_id, export.zip(tmp_path / name, xml=xml), **how)
        assert run.counts.adds_up()
        return run

    return import_it


def told_of(services, run):
    """What a receipt and the quarantine tell of an import, whichever import it is."""
    receipt = services.uploads.find(run.person_id, run.upload_id).receipt
    items = services.quarantine.listed(run.person_id).items
    shown = sorted((item.row.kind, item.row.path, item.row.reason, str(item.sent)) for item in items)
    return run.kinds, run.metrics, run.content, run.elements, run.done, run.total, receipt.errors, shown


def test_stopped_after_any_part_it_ends_as_if_it_had_not_been(take, services, dump, small_parts):
    seen = []
    whole = take(xml=DAMAGED, on_progress=seen.append)
    assert whole.counts.quarantined > 3
    assert all(sent != "None" for *_, sent in told_of(services, whole)[-1])
    expected = dump(whole.person_id)
    for stop_after in range(1, len(seen)):
        parts = []
        who = f"stopped {stop_after}"
        stopped = take(
            who=who,
            xml=DAMAGED,
            on_progress=parts.append,
            stop=lambda parts=parts, n=stop_after: len(parts) == n,
        )
        assert stopped.state is ImportState.STOPPED
        run = take(who=who, xml=DAMAGED)
        assert run.state is ImportState.DONE
        assert told_of(services, run) == told_of(services, whole)
        assert dump(run.person_id) == expected


@pytest.mark.parametrize("place", ["a part", "the end", "the database"])
def test_what_fails_before_it_is_committed_is_done_again(
    take, services, dump, small_parts, monkeypatch, place
):
    whole = take(who="Ben", xml=DAMAGED)
    calls = []
    go_on = imports.go_on

    def full(connection, run, seen_at):
        """Fail as the disk does, once all of the transaction has been written."""
        calls.append(run)
        if run.finished_at is not None if place == "the end" else len(calls) == 3:
            if place == "the database":
                connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
            raise StorageFull
        return go_on(connection, run, seen_at)

    with monkeypatch.context() as patched:
        patched.setattr(imports, "go_on", full)
        with pytest.raises(DependencyError):
            take(xml=DAMAGED)
    (stopped,) = services.importing.listed(services.people.named("Anna").person_id)
    assert stopped.state is ImportState.STOPPED
    run = take(xml=DAMAGED)
    assert run.upload_id == stopped.upload_id
    assert told_of(services, run) == told_of(services, whole)
    assert dump(run.person_id) == dump(whole.person_id)


def test_the_phone_goes_on_telling_while_an_import_is_at_work(take, services, phone, dump, app, small_parts):
    ben = a_phone(app, services, "Ben", list(Scope))
    life(ben)
    take(who="Ben", xml=DAMAGED)
    told = []

    def tell(run):
        if len(told) < 3:
            told.append(run)
            life(phone)

    take(xml=DAMAGED, on_progress=tell)
    (mine, bens) = (dump(services.people.named(name).person_id) for name in ("Anna", "Ben"))
    for name in ("held", "rollups", "series", "tracks", "sleep"):
        assert mine[name] == bens[name], name
    assert [row[:3] for row in mine["records"]] == [row[:3] for row in bens["records"]]


def test_one_that_is_taken_back_while_it_is_at_work_ends_there(take, services, dump, clock, small_parts):
    person_id = services.people.ensure("Anna").person_id
    before = dump()
    parts = []

    def sleep_long(run):
        parts.append(run)
        if len(parts) == 2:
            with pytest.raises(Conflict, match="still at work"):
                services.importing.undo(person_id, run.upload_id)
            clock.advance(minutes=6)
            services.importing.undo(person_id, run.upload_id)

    with pytest.raises(Conflict, match="taken back"):
        take(on_progress=sleep_long)
    assert dump() == before
    assert [run.state for run in services.importing.listed(person_id)] == [ImportState.UNDONE]


def test_one_taken_over_by_another_program_is_left_to_it(take, services, clock, small_parts):
    done = []

    def sleep_long(_run):
        if not done:
            done.append(None)
            clock.advance(minutes=6)
            done.append(take())

    with pytest.raises(Conflict, match="another program"):
        take(on_progress=sleep_long)
    assert [run.state for run in services.importing.listed(done[1].person_id)] == [ImportState.DONE]


def test_one_that_was_stopped_can_be_taken_back_and_waits_for_nobody(take, services, dump, ask, small_parts):
    services.people.ensure("Anna")
    before = dump()
    stopped = take(stop=lambda: True)
    services.importing.undo(stopped.person_id, stopped.upload_id)
    assert dump() == before
    assert ask("SELECT state, due_at FROM upload") == [("processed", None)]
    assert take().state is ImportState.DONE


def life(phone):
    """What a phone has told: more of some things and less of others than an export of these days."""
    at = when("2025-10-24 15:00")
    start = when("2025-10-24 17:00")
    phone.send(
        document(
            metric("step_count", "count", *(point(f"2025-10-24 {h:02}:00", 10, WATCH) for h in range(24))),
            metric("blood_oxygen_saturation", "%", point("2025-10-24 03:00", 97, WATCH)),
            metric("heart_rate", "count/min", point("2025-10-24 02:00", 7, "Ring")),
            workouts=[
                {"id": "1", "name": "Outdoor Run", "start": spelt(start), "end": spelt(start + timedelta(minutes=30))}
            ],
            symptoms=[{"start": spelt(at), "end": spelt(at), "name": "Kopfschmerzen", "severity": "Leicht", "source": "Health"}],
        ),
        automation_aggregation="Hours",
    )  # fmt: skip
    stage = {"date": "2025-10-24", "source": WATCH, "value": "Core", "startDate": "2025-10-24 00:30:00 +0200",
             "endDate": "2025-10-24 01:00:00 +0200", "qty": 0.5}  # fmt: skip
    phone.send(document(metric("sleep_analysis", "hr", stage)))
    phone.send(document(metric("weight_body_mass", "kg", point("2025-10-24 06:00", 74.5, "Kitchen Scale"))))


def test_taking_an_import_back_leaves_what_the_phone_told_before_it(take, services, phone, dump):
    life(phone)
    before, listed = dump(), phone.get("/api/v1/metrics")["items"]
    run = take(xml=DAMAGED)
    assert dump() != before
    services.importing.undo(run.person_id, run.upload_id)
    after = dump()
    assert {name: after[name] for name in before} == before
    assert [each["key"] for each in phone.get("/api/v1/metrics")["items"]] == [each["key"] for each in listed]


def test_taking_an_import_back_leaves_what_the_phone_told_after_it(take, services, app, phone, dump):
    ben = a_phone(app, services, "Ben", list(Scope))
    life(ben)
    alone = dump(services.people.named("Ben").person_id)
    run = take(xml=DAMAGED)
    life(phone)
    services.importing.undo(run.person_id, run.upload_id)
    assert dump(run.person_id) == alone


def test_taking_an_import_back_leaves_what_another_export_tells(take, services, clock, dump):
    person_id = services.people.ensure("Anna").person_id
    other = {"export": EXPORT.but(offset_h=1, later=1), "name": "winter.zip"}
    alone = take(who="Ben", **other)
    first = take(xml=DAMAGED)
    take(**other)
    clock.advance(minutes=1)
    services.importing.undo(person_id, first.upload_id)
    clock.advance(minutes=1)
    again = take(**other)
    assert not again.known
    assert dump(person_id) == dump(alone.person_id)
    assert take(**other).known


def test_files_of_the_phone_app_are_taken_back_with_their_nights(services, phone, dump, tmp_path):
    night = {
        "date": "2025-10-24 00:00:00 +0200", "sleepStart": "2025-10-23 23:30:00 +0200",
        "sleepEnd": "2025-10-24 04:40:00 +0200", "totalSleep": 5.0, "core": 3.5, "rem": 1.5, "source": WATCH,
    }  # fmt: skip
    before = dump()
    body = json.dumps(document(metric("sleep_analysis", "hr", night)))
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(body.encode()))
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "._a.json").write_bytes(b"\0")
    os.mkfifo(tmp_path / "pipe.json")
    (run,) = services.importing.files(services.people.named("Anna").person_id, tmp_path)
    assert phone.days("sleep_total") == {"2025-10-24": 5.0}
    services.importing.undo(run.person_id, run.upload_id)
    assert dump() == before


def test_what_two_exports_could_not_tell_stays_until_both_are_taken_back(take, services, ask):
    first = take(xml=DAMAGED)
    second = take(xml=DAMAGED + b"\n", name="again.zip")
    held = ask("SELECT count(*) FROM quarantine")
    services.importing.undo(second.person_id, second.upload_id)
    assert ask("SELECT count(*) FROM quarantine") == held
    take(xml=DAMAGED + b"\n\n", name="third.zip")
    services.importing.undo(first.person_id, first.upload_id)
    assert ask("SELECT count(*) FROM quarantine") == held
    items = services.quarantine.listed(first.person_id).items
    assert all(item.sent is not None for item in items)


def test_what_was_taken_back_does_not_come_back_by_another_one(take, services, phone, dump):
    """A value of an import, replaced later, is no value to go back to once the import is taken back."""
    at = when("2025-10-24 06:00")
    run = take()
    phone.send(document(metric("weight_body_mass", "kg", point(at, 80, "Kitchen Scale"))))
    services.importing.undo(run.person_id, run.upload_id)
    assert dump()["revisions"] == []
    assert [row[8] for row in dump()["held"]] == [80.0]
    with pytest.raises(NotFound):
        services.importing.undo(run.person_id, 10**9)
