"""Bringing one's past: the files on their way, an import's progress and summary, and taking it back."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest

from appliance.domain.delivery import CHUNK_BYTES
from tests.fixtures.apple_export import AppleExport
from tests.fixtures.visits import words

EXPORT = AppleExport()
OWN = {"Sec-Fetch-Site": "same-origin"}
COLUMNS = ["Read", "New", "Changed", "Known", "Superseded", "Set aside"]


@pytest.fixture
def anna(services, visitor):
    return services.people.named("Anna").person_id


@pytest.fixture
def imported(services, anna, tmp_path):
    """Import an export, as a program beside the server does."""

    def import_it(name="export.zip", **how):
        path = EXPORT.zip(tmp_path / "here.zip", xml=how.pop("xml", None))
        return services.importing.export(anna, path, name=name, **how)

    return import_it


def begin(visitor, **file):
    told = {"name": "export.zip", "size": 10, "modified": 1} | file
    return visitor.client.post("/history/files", json=told, headers=OWN)


def put(visitor, delivery_id, at, content):
    return visitor.client.put(f"/history/chunks/{delivery_id}?at={at}", data=content, headers=OWN)


def tables(told):
    """Return the tables of counts by their caption: rows by name, each a list of numbers."""
    found = {}
    for caption, body in re.findall(r"<caption>(.*?)</caption>(.*?)</table>", told, re.DOTALL):
        heads = re.findall(r'<th scope="col" class="number">(.*?)</th>', body)
        assert heads == COLUMNS
        rows = re.findall(r'<tr><th scope="row".*?>(.*?)</th>(.*?)</tr>', body, re.DOTALL)
        found[caption] = {
            re.sub(r"<[^>]+>", "", name): [
                int(number.replace(",", "").replace("–", "0"))
                for number in re.findall(r">([\d,–]+)</td>", cells)
            ]
            for name, cells in rows
        }
    return found


def poll_of(told):
    return re.search(r'hx-get="([^"]+)"', told[told.index("<main") :]).group(1)


def test_who_has_nothing_yet_is_told_how_to_bring_it(visitor, services):
    told = words(visitor.open("/history"))
    for sentence in ("Export All Health Data", "Auto-Lock", "Nothing has been imported yet"):
        assert sentence in told
    assert 'href="/history"' in visitor.open("/")
    assert 'href="/history"' in visitor.open("/uploads")


def test_a_file_arrives_in_chunks_and_is_on_its_way(visitor):
    there = begin(visitor).get_json()
    assert there["have"] == 0
    assert put(visitor, there["id"], 0, b"abcd").get_json()["have"] == 4
    wrong = put(visitor, there["id"], 6, b"gh")
    assert (wrong.status_code, wrong.get_json()["have"]) == (409, 4)
    assert begin(visitor).get_json() == {"id": there["id"], "have": 4, "state": "arriving"}
    told = visitor.open("/history")
    assert "4 bytes of 10 bytes are here" in told
    assert "Choose the same file again" in words(visitor.open(f"/history/files/{there['id']}"))
    early = visitor.client.post(f"/history/files/{there['id']}/finish", headers=OWN)
    assert (early.status_code, "missing" in early.get_json()["detail"]) == (409, True)
    put(visitor, there["id"], 4, b"efghij")
    ended = visitor.client.post(f"/history/files/{there['id']}/finish", headers=OWN).get_json()
    assert ended == {"url": f"/history/files/{there['id']}", "known": False}
    assert "Waiting" in words(visitor.open(ended["url"]))
    assert visitor.send(f"/history/files/{there['id']}/stop").status_code == 302
    assert "Stopped" in words(visitor.open(ended["url"]))
    visitor.send(f"/history/files/{there['id']}/remove")
    assert "Nothing has been imported yet" in visitor.open("/history")
    assert visitor.client.get(ended["url"]).status_code == 404


def test_what_is_told_of_a_file_is_not_trusted(visitor, app):
    for odd in (
        {"name": 1},
        {"size": "10"},
        {"size": True},
        {"size": -1},
        {"modified": None},
        {"name": "a.exe"},
    ):
        answer = begin(visitor, **odd)
        assert (answer.status_code, bool(answer.get_json()["detail"])) == (400, True), odd
    assert visitor.client.post("/history/files", data=b"\xff", headers=OWN).status_code == 400
    there = begin(visitor, name="<b>.zip", size=2 * CHUNK_BYTES).get_json()
    assert put(visitor, there["id"], 0, bytes(CHUNK_BYTES + 1)).status_code == 413
    for odd in ("x", "", "-1", "²", "9" * 40):
        assert put(visitor, there["id"], odd, b"a").status_code == 409, odd
    assert "&lt;b&gt;.zip" in visitor.open("/history")
    foreign = visitor.client.put(
        f"/history/chunks/{there['id']}?at=0", data=b"a", headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert foreign.status_code == 403
    stranger = app.test_client().put(f"/history/chunks/{there['id']}?at=0", data=b"a", headers=OWN)
    assert stranger.status_code == 302


def test_the_summary_of_an_import_adds_up(visitor, imported):
    xml = EXPORT.xml().replace(b'value="0.97"', b'value="97"', 1)
    run = imported(xml=xml)
    told = visitor.open(f"/history/{run.upload_id}")
    found = tables(told)
    kinds, readings = found["What became of what is in the file"], found["What became of the readings"]
    for rows in (kinds, readings):
        whole = rows.pop("All")
        assert whole == [sum(column) for column in zip(*rows.values(), strict=True)]
        for numbers in (*rows.values(), whole):
            assert numbers[0] == sum(numbers[1:])
    assert sum(row[0] for row in kinds.values()) == run.counts.received
    assert kinds["Readings"] == [sum(column) for column in zip(*readings.values(), strict=True)]
    assert readings["Steps"][0] == run.metrics["step_count"].received
    assert f'href="/uploads/{run.upload_id}">Look at what was set aside' in told
    assert "Exported" in told
    assert 'href="/browse/step_count"' in told


def test_an_empty_export_is_told_to_be_empty(visitor, imported):
    run = imported(xml=b'<HealthData locale="en_DE">\n</HealthData>\n')
    told = words(visitor.open(f"/history/{run.upload_id}"))
    assert "there is no record of anything in it" in told
    assert "Everything in it was read" not in told
    assert "How far it is" not in told


def test_an_undo_says_before_it_begins_what_else_goes(visitor, imported):
    told = words(visitor.open(f"/history/{imported().upload_id}"))
    assert "What other imports had in common with it goes, too" in told


def test_progress_is_told_while_it_runs_and_asked_for_only_then(visitor, imported, monkeypatch):
    monkeypatch.setattr("appliance.intake.apple.export.RECORDS_A_PART", 20)
    monkeypatch.setattr("appliance.intake.apple.elements.CHUNK", 4_000)
    seen = []

    def look(run):
        if len(seen) > 1:
            return
        told = visitor.open(f"/history/{run.upload_id}")
        poll = poll_of(told)
        assert visitor.client.get(poll).status_code == 204
        assert "Importing" in words(told)
        assert "Importing" in words(visitor.open("/history"))
        assert 'hx-trigger="every 2s, refresh"' in visitor.open("/history")
        seen.append((words(told), poll))

    run = imported(on_progress=look)
    (_, first), (second, _) = seen
    assert re.search(r"\d+ % .* of .* \d+ records .* records a second", second)
    fresh = visitor.open(first)
    assert "Done" in fresh
    assert "hx-get" not in fresh
    assert f"{run.counts.received:,}" in fresh


def test_the_same_file_is_told_to_be_known_with_its_day(visitor, services, anna, imported, tmp_path, clock):
    run = imported()
    clock.advance(days=3)
    content = (tmp_path / "here.zip").read_bytes()
    there = begin(visitor, name="again.zip", size=len(content)).get_json()
    put(visitor, there["id"], 0, content)
    ended = visitor.client.post(f"/history/files/{there['id']}/finish", headers=OWN).get_json()
    assert ended == {"url": f"/history/{run.upload_id}?known=1", "known": True}
    assert "imported before, Thursday 14:00" in words(visitor.open(ended["url"]))
    assert visitor.client.get(f"/history/files/{there['id']}").status_code == 302


def test_an_import_is_stopped_gone_on_with_and_undone_from_its_page(
    visitor, services, imported, ask, monkeypatch
):
    monkeypatch.setattr("appliance.intake.apple.export.RECORDS_A_PART", 20)
    monkeypatch.setattr("appliance.intake.apple.elements.CHUNK", 4_000)

    def stop(run):
        if run.done < run.total:
            visitor.send(f"/history/{run.upload_id}/stop")

    run = imported(on_progress=stop)
    assert run.state == "stopped"
    told = words(visitor.open(f"/history/{run.upload_id}"))
    assert "Stopped" in told
    assert "the same file again" in told  # it is not here
    assert visitor.send(f"/history/{run.upload_id}/go-on").status_code == 409
    assert visitor.send(f"/history/{run.upload_id}/stop").status_code == 409
    assert imported().state == "done"
    answer = visitor.send(f"/history/{run.upload_id}/undo")
    assert "taken back" in words(visitor.open(answer.location))
    assert ask("SELECT count(*) FROM sample WHERE value IS NOT NULL") == [(0,)]
    assert visitor.send(f"/history/{run.upload_id}/undo").status_code == 409


def test_one_that_was_broken_off_says_so_after_a_while(visitor, services, anna, imported, clock, monkeypatch):
    def die(_run):
        raise MemoryError

    monkeypatch.setattr("appliance.services.import_work.ImportWork.stop", lambda _work: None)  # as if killed
    with pytest.raises(MemoryError):
        imported(on_progress=die)
    (run,) = services.importing.listed(anna)
    assert "Importing" in words(visitor.open("/history"))
    clock.advance(seconds=timedelta(minutes=3).total_seconds())
    assert "Broken off" in words(visitor.open("/history"))
    assert "Give the same file again" in words(visitor.open(f"/history/{run.upload_id}"))


def test_an_import_is_told_from_what_phones_sent(visitor, imported):
    run = imported()
    assert "Imported file" in visitor.open("/uploads")
    assert f'href="/history/{run.upload_id}"' in visitor.open(f"/uploads/{run.upload_id}")


def test_an_undo_that_takes_long_goes_on_by_itself(visitor, services, imported, monkeypatch, eventually):
    run = imported()
    go, undo = threading.Event(), services.importing.undo
    monkeypatch.setattr(services.importing, "undo", lambda *told: go.wait(20) and undo(*told))
    monkeypatch.setattr("appliance.services.deliveries.Deliveries.undo.__defaults__", (0.01,))
    answer = visitor.send(f"/history/{run.upload_id}/undo")
    told = visitor.open(answer.location)
    assert "Undoing" in words(told)
    assert "Stop" not in words(told)
    assert visitor.client.get(poll_of(told)).status_code == 204
    assert visitor.send(f"/history/{run.upload_id}/undo").status_code == 409
    go.set()
    eventually(lambda: "Undone" in visitor.open(f"/history/{run.upload_id}"))
