"""People are who they are called, one is always an owner, and nobody is removed before everything of theirs is safe."""

from __future__ import annotations

import gzip
import json
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from zipfile import ZipFile

import pytest

from appliance.domain.key import Scope
from appliance.foundation import steps
from appliance.foundation.errors import Conflict, NotFound, RequestError, StorageFull
from appliance.services import archiving
from appliance.storage import archive
from appliance.storage.tables import metadata
from tests.fixtures.documents import document, hours, metric
from tests.fixtures.documents import steps as step_counts
from tests.fixtures.house import a_phone
from tests.fixtures.problems import problem_of
from tests.fixtures.records import one_of_each
from tests.fixtures.tables import held_in

NIGHT = metric(
    "sleep_analysis",
    "hr",
    {
        "startDate": "2026-08-06 23:00:00 +0200",
        "endDate": "2026-08-07 01:00:00 +0200",
        "value": "Core",
        "source": "Watch",
    },
)
LIFE = (
    document(metric("step_count", "count", *hours("2026-08-07", [10, 20, 30])), NIGHT, **one_of_each()),
    step_counts(*hours("2026-08-07", [10, 25, 30]), {"date": "never", "qty": 1}),
)


@pytest.fixture
def people(services):
    return services.people


@pytest.fixture
def anna(services):
    return services.people.ensure("Anna")


@pytest.fixture
def ben(anna, app, services):
    """The phone of a second person, who has sent something of everything."""
    phone = a_phone(app, services, "Ben", list(Scope))
    for body in LIFE:
        phone.send(body, automation_aggregation="Hours")
    packed = gzip.compress(json.dumps(step_counts(*hours("2026-08-08", [5]))).encode())
    assert phone.post(packed, Content_Encoding="gzip").status_code == 200
    phone.client.put("/api/v1/sources/priority", json={}, headers={"X-API-Key": phone.key})
    return phone


def everything_of(ask, person_id):
    return {
        table.name: ask(f'SELECT count(*) FROM "{table.name}" WHERE person_id = :id', id=person_id)[0][0]
        for table in archive.tables_of_people()
    }


def test_the_first_person_is_the_owner_and_the_next_ones_are_not(people):
    assert [people.create(name).is_owner for name in ("Anna", "Ben", "Cleo")] == [True, False, False]


def test_one_name_is_one_person_whatever_its_case_spacing_and_spelling(people):
    ana = people.create("  Ana   Zoë ")
    assert ana.name == "Ana Zoë"
    for same in ("ana zoë", "ANA ZOË", "Ana\u00a0Zoe\u0308", "Ana Zoë\n"):
        assert people.named(same) == people.ensure(same) == ana
        with pytest.raises(Conflict, match="Ana Zoë"):
            people.create(same)
    assert people.create("Ana").name == "Ana"


def test_what_is_no_name_is_refused(people):
    for name in ("", "   ", "x" * 101, "a\0b", "\ud800", "a\x1bb"):
        with pytest.raises(RequestError, match="1 to 100"):
            people.create(name)
        with pytest.raises(RequestError, match="1 to 100"):
            people.ensure(name)
    assert people.create("سارا\u200cخانم").name == "سارا\u200cخانم"  # a joiner is part of a name


def test_a_person_is_renamed_and_moves(people, anna):
    people.create("Ben")
    assert people.change(anna.person_id, name="ANNA").name == "ANNA"
    assert people.change(anna.person_id, time_zone="Asia/Kathmandu").time_zone == "Asia/Kathmandu"
    with pytest.raises(Conflict, match="Ben"):
        people.change(anna.person_id, name="ben ")
    with pytest.raises(RequestError, match="time zone"):
        people.change(anna.person_id, time_zone="Mars/Olympus")
    with pytest.raises(NotFound):
        people.change(99, name="Nobody")


def test_there_is_always_an_owner(people, anna):
    ben = people.create("Ben")
    for refused in (
        lambda: people.change(anna.person_id, is_owner=False),
        lambda: people.remove(anna.person_id, None),
    ):
        with pytest.raises(Conflict, match="only owner"):
            refused()
    people.change(ben.person_id, is_owner=True)
    people.change(anna.person_id, is_owner=False)
    people.remove(anna.person_id, None)
    assert [person.name for person in people.everyone()] == ["Ben"]
    people.remove(ben.person_id, None)
    assert people.everyone() == []


def test_a_removed_person_is_gone_from_every_table_and_nobody_else_is(
    people, anna, ben, phone, ask, tmp_path
):
    phone.send(LIFE[0])
    ben_id = people.named("Ben").person_id
    before, annas = everything_of(ask, ben_id), everything_of(ask, anna.person_id)
    # So that the test cannot pass by having nothing to remove.
    assert {
        "sample",
        "revision",
        "rollup",
        "record",
        "record_track",
        "sleep_segment",
        "quarantine",
        "upload",
        "series",
    } <= {name for name, count in before.items() if count}
    removed = people.remove(ben_id, tmp_path / "ben.zip")
    assert removed.uploads == 3
    assert set(everything_of(ask, ben_id).values()) == {0}
    assert everything_of(ask, anna.person_id) == annas
    assert ask("SELECT count(*) FROM key_event WHERE key_id NOT IN (SELECT key_id FROM api_key)") == [(0,)]
    assert [person.name for person in people.everyone()] == ["Anna"]


def test_every_table_that_knows_a_person_is_removed_and_archived_or_left_out_for_a_reason():
    known = {table.name for table in metadata.tables.values() if "person_id" in table.c}
    assert known == {table.name for table in archive.tables_of_people()}
    assert set(archive.LEFT_OUT) < known


def test_the_keys_of_a_removed_person_open_nothing_at_once(people, ben):
    ben.get("/api/v1/uploads")
    people.remove(people.named("Ben").person_id, None)
    problem_of(ben.post(LIFE[0]), 401, "key_invalid")


def test_the_archive_has_every_body_as_it_came_and_brings_everything_back(
    people, ben, app, services, ask, tmp_path
):
    uploads = sorted(ben.get("/api/v1/uploads")["items"], key=lambda upload: upload["upload_id"])
    bodies = [
        ben.client.get(f"/api/v1/uploads/{upload['upload_id']}/body", headers={"X-API-Key": ben.key}).data
        for upload in uploads
    ]
    before = held_in(ask)
    people.remove(people.named("Ben").person_id, tmp_path / "ben.zip")
    assert held_in(ask)["held"] == []
    with ZipFile(tmp_path / "ben.zip") as zipped:
        names = sorted(name for name in zipped.namelist() if name.startswith("uploads/"))
        assert [zipped.read(name) for name in names] == bodies
        assert names[2].endswith(".json.gz")
        told = [json.loads(line) for line in zipped.read("upload.ndjson").splitlines()]
        samples = [json.loads(line) for line in zipped.read("sample.ndjson").splitlines()]
        assert {"metric": "step_count", "source": "Watch", "value": 25}.items() <= samples[1].items()
        everything = b"".join(zipped.read(name) for name in zipped.namelist()).decode("latin-1")
    assert ben.key[20:] not in everything
    assert "secret_hash" not in everything
    again = a_phone(app, services, "Ben", list(Scope))
    for body, upload in zip(bodies, told, strict=True):
        sent = {"automation_aggregation": upload["automation_aggregation"]}
        if upload["content_encoding"]:
            sent["Content_Encoding"] = upload["content_encoding"]
        assert again.post(body, **sent).status_code == 200
    after = held_in(ask)
    assert after["held"] == before["held"] != []
    assert after["series"] == before["series"]
    assert [row[1:] for row in after["truth"]] == [row[1:] for row in before["truth"]]


def test_an_archive_is_readable_by_this_account_alone(people, ben, tmp_path):
    people.remove(people.named("Ben").person_id, tmp_path / "ben.zip")
    assert list(tmp_path.glob("ben*")) == [tmp_path / "ben.zip"]
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "ben.zip").stat().st_mode) == 0o600


def test_nothing_is_removed_when_the_archive_cannot_be_written(people, ben, ask, tmp_path, monkeypatch):
    ben_id = people.named("Ben").person_id
    before = everything_of(ask, ben_id)
    (tmp_path / "there.zip").write_bytes(b"somebody's")
    with pytest.raises(Conflict, match="already"):
        people.remove(ben_id, tmp_path / "there.zip")
    assert (tmp_path / "there.zip").read_bytes() == b"somebody's"
    with pytest.raises(RequestError, match="cannot be written"):
        people.remove(ben_id, tmp_path / "nowhere" / "ben.zip")

    def full(*_args):
        raise OSError(28, "No space left on device")  # ENOSPC

    monkeypatch.setattr(archiving.os, "fsync", full)
    with pytest.raises(StorageFull):
        people.remove(ben_id, tmp_path / "ben.zip")
    assert not list(tmp_path.glob("ben*"))
    assert everything_of(ask, ben_id) == before
    # and the phone goes on as if nothing had been
    assert ben.send(LIFE[0])["counts"]["quarantined"] == 0


@pytest.mark.parametrize("moment", ["body_read", "received", "read", "rows_written", "settled"])
def test_an_upload_under_way_is_in_the_archive_or_never_was(
    people, ben, ask, monkeypatch, tmp_path, eventually, moment
):
    ben_id = people.named("Ben").person_id
    monkeypatch.setattr("appliance.services.people._HOLD_PAUSE_S", 0.1)
    with ThreadPoolExecutor(1) as other:
        begun = []

        def remove_meanwhile(step):
            if step == moment and not begun:
                begun.append(other.submit(people.remove, ben_id, tmp_path / "ben.zip"))
                # Its keys are closed first, so that nothing new comes.
                eventually(lambda: ask("SELECT count(*) FROM api_key WHERE disabled_at IS NULL") == [(0,)])

        monkeypatch.setattr(steps, "at_step", remove_meanwhile)
        answer = ben.post(step_counts(*hours("2026-08-09", [7])))
        removed = begun[0].result(30)
    assert set(everything_of(ask, ben_id).values()) == {0}
    with ZipFile(tmp_path / "ben.zip") as zipped:
        bodies = [name for name in zipped.namelist() if name.startswith("uploads/")]
    assert len(bodies) == removed.uploads
    if answer.status_code in (200, 202):
        assert removed.uploads == 4
    if moment in ("read", "rows_written", "settled"):
        assert answer.status_code == 200


def test_whoever_is_not_there_cannot_be_removed(people, anna):
    with pytest.raises(NotFound):
        people.remove(99, None)
