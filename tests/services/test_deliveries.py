"""Files that a browser brings in chunks: nothing of one is sent twice or lost, and none is anybody else's."""

from __future__ import annotations

import errno
import os

import pytest

from appliance.domain.delivery import CHUNK_BYTES, DeliveryState
from appliance.foundation.ballast import MIB
from appliance.foundation.errors import (
    Conflict,
    NotFound,
    RequestError,
    StorageFull,
    UnreadableExport,
    UploadTooLarge,
)
from appliance.services import space as space_module
from appliance.services.deliveries import LARGEST
from tests.fixtures.apple_export import AppleExport

EXPORT = AppleExport(days=2)


@pytest.fixture
def anna(services):
    return services.people.ensure("Anna").person_id


@pytest.fixture
def deliveries(services):
    return services.deliveries


@pytest.fixture
def content(tmp_path):
    return EXPORT.zip(tmp_path / "here.zip").read_bytes()


@pytest.fixture
def bring(deliveries, anna, content):
    """Bring the export whole."""

    def bring_it(name="export.zip", content=content):
        delivery = deliveries.begin(anna, name, len(content), 1)
        for at in range(delivery.have, len(content), 1_000):
            delivery = deliveries.put(anna, delivery.delivery_id, at, content[at : at + 1_000])
        return deliveries.finish(anna, delivery.delivery_id)

    return bring_it


def test_a_file_given_again_goes_on_where_it_was(deliveries, anna, content):
    first = deliveries.begin(anna, "export.zip", len(content), 1)
    assert (first.state, first.have) == (DeliveryState.ARRIVING, 0)
    deliveries.put(anna, first.delivery_id, 0, content[:1_000])
    again = deliveries.begin(anna, "export.zip", len(content), 1)
    assert (again.delivery_id, again.have) == (first.delivery_id, 1_000)
    with pytest.raises(Conflict, match="are missing"):
        deliveries.finish(anna, first.delivery_id)
    whole = deliveries.put(anna, first.delivery_id, 1_000, content[1_000:])
    assert deliveries.path(whole).read_bytes() == content
    assert deliveries.finish(anna, first.delivery_id).state is DeliveryState.WAITING
    assert deliveries.begin(anna, "export.zip", len(content), 2).delivery_id != first.delivery_id


def test_a_chunk_fits_exactly_or_is_refused(deliveries, anna):
    one = deliveries.begin(anna, "export.zip", 100, 1)
    deliveries.put(anna, one.delivery_id, 0, b"a" * 40)
    for at in (0, 39, 41, -1):
        with pytest.raises(Conflict, match="is 40"):
            deliveries.put(anna, one.delivery_id, at, b"b" * 10)
    with pytest.raises(UploadTooLarge):
        deliveries.put(anna, one.delivery_id, 40, b"b" * 61)
    with pytest.raises(UploadTooLarge):
        deliveries.put(anna, one.delivery_id, 40, bytes(CHUNK_BYTES + 1))
    assert deliveries.path(one).read_bytes() == b"a" * 40


def test_another_persons_file_does_not_exist(services, deliveries, anna):
    one = deliveries.begin(anna, "export.zip", 100, 1)
    ben = services.people.ensure("Ben").person_id
    for ask in (
        lambda: deliveries.find(ben, one.delivery_id),
        lambda: deliveries.put(ben, one.delivery_id, 0, b"a"),
        lambda: deliveries.finish(ben, one.delivery_id),
        lambda: deliveries.stop(ben, one.delivery_id),
        lambda: deliveries.remove(ben, one.delivery_id),
    ):
        with pytest.raises(NotFound):
            ask()
    assert deliveries.listed(ben) == []
    assert deliveries.begin(ben, "export.zip", 100, 1).delivery_id != one.delivery_id


@pytest.mark.parametrize("odd", ["", "../1/x", "..", "a/b", "\0", "ABC", "x" * 100])
def test_an_odd_id_leads_nowhere(deliveries, anna, odd):
    with pytest.raises(NotFound):
        deliveries.find(anna, odd)


def test_a_name_is_text_and_never_a_path(deliveries, anna, settings):
    for name in ("../../../etc/export.zip", "C:\\x\\export.zip", "\0\ud800<b>.zip", "x" * 5_000 + ".json.gz"):
        one = deliveries.begin(anna, name, 3, 1)
        deliveries.put(anna, one.delivery_id, 0, b"abc")
        assert deliveries.path(one).parent == settings.data_dir / "imports" / str(anna)
        assert len(one.name) <= 200
    with pytest.raises(UnreadableExport, match="none of"):
        deliveries.begin(anna, "holiday.mov", 3, 1)
    with pytest.raises(RequestError):
        deliveries.begin(anna, "export.zip", 0, 1)
    with pytest.raises(UploadTooLarge):
        deliveries.begin(anna, "export.zip", LARGEST + 1, 1)


def test_files_are_for_their_owner_alone(deliveries, anna, settings):
    one = deliveries.begin(anna, "export.zip", 3, 1)
    deliveries.put(anna, one.delivery_id, 0, b"abc")
    if os.name == "posix":
        for folder in (settings.data_dir / "imports", settings.data_dir / "imports" / str(anna)):
            assert folder.stat().st_mode & 0o777 == 0o700
        assert deliveries.path(one).stat().st_mode & 0o777 == 0o600


def test_the_reserve_of_the_disk_is_left_alone(deliveries, anna, settings, monkeypatch):
    free = {"mib": settings.disk_reserve_mb + 1}
    monkeypatch.setattr(space_module, "free_bytes", lambda _folder: int(free["mib"] * MIB))
    with pytest.raises(StorageFull, match="free some space"):
        deliveries.begin(anna, "export.zip", MIB + 1, 1)
    one = deliveries.begin(anna, "export.zip", MIB, 1)
    free["mib"] -= 1
    with pytest.raises(StorageFull):
        deliveries.put(anna, one.delivery_id, 0, bytes(MIB))
    free["mib"] += 1
    assert deliveries.put(anna, one.delivery_id, 0, bytes(MIB)).is_whole


def test_of_a_chunk_that_did_not_fit_nothing_is_left(deliveries, anna, monkeypatch):
    one = deliveries.begin(anna, "export.zip", 100, 1)
    deliveries.put(anna, one.delivery_id, 0, b"a" * 40)
    write = os.write

    def full(descriptor, chunk):
        if len(chunk) < 60:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, chunk[:7])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageFull, match="No space left"):
        deliveries.put(anna, one.delivery_id, 40, b"b" * 60)
    monkeypatch.undo()
    assert deliveries.find(anna, one.delivery_id).have == 40
    assert deliveries.put(anna, one.delivery_id, 40, b"c" * 60).is_whole


def test_what_was_imported_before_is_known_at_once_and_its_bytes_go(services, bring, anna, tmp_path):
    run = services.importing.export(anna, tmp_path / "here.zip") if bring() else None
    services.deliveries.remove(anna, services.deliveries.listed(anna)[0].delivery_id)
    again = bring("the same.zip")
    assert (again.state, again.upload_id) == (DeliveryState.ENDED, run.upload_id)
    assert not services.deliveries.path(again).exists()
    assert services.deliveries.listed(anna) == []
    assert services.deliveries.due() == []


def test_of_each_person_the_first_file_has_its_turn(services, deliveries, bring, content, clock):
    first = bring("1.zip", content)
    clock.advance(seconds=1)
    second = bring("2.zip", content + b" ")
    ben = services.people.ensure("Ben").person_id
    other = deliveries.begin(ben, "b.zip", 1, 1)
    deliveries.put(ben, other.delivery_id, 0, b"b")
    deliveries.finish(ben, other.delivery_id)
    assert [each.name for each in deliveries.due()] == ["1.zip", "b.zip"]
    deliveries.begun(first)
    assert [each.name for each in deliveries.due()] == ["b.zip"]
    deliveries.ended(first, "It is none.", is_unreadable=True)
    assert [each.name for each in deliveries.due()] == ["2.zip", "b.zip"]
    deliveries.stop(second.person_id, second.delivery_id)
    assert [each.name for each in deliveries.due()] == ["b.zip"]
    deliveries.finish(second.person_id, second.delivery_id)
    assert [each.name for each in deliveries.due()] == ["2.zip", "b.zip"]


def test_what_cannot_be_read_is_told_by_its_own_name_and_its_bytes_go(deliveries, bring, anna):
    one = bring()
    deliveries.begun(one)
    path = deliveries.path(one)
    ended = deliveries.ended(one, f"“{path.name}” in {path} is none.", is_unreadable=True)
    assert ended.state is DeliveryState.UNREADABLE
    assert ended.told == "“export.zip” in export.zip is none."
    assert not path.exists()
    with pytest.raises(Conflict):
        deliveries.finish(anna, one.delivery_id)
    assert bring().state is DeliveryState.WAITING  # the same file again, for a better version


def test_what_was_left_half_way_goes_after_a_week(services, deliveries, bring, anna, clock, settings):
    waiting = bring()
    half = deliveries.begin(anna, "half.zip", 100, 1)
    deliveries.put(anna, half.delivery_id, 0, b"a")
    clock.advance(days=6)
    assert deliveries.prune().result["removed"] == 0
    deliveries.begin(anna, "half.zip", 100, 1)
    clock.advance(days=2)
    assert deliveries.prune().result["removed"] == 0
    clock.advance(days=6)
    assert deliveries.prune().result["removed"] == 1
    assert [each.delivery_id for each in deliveries.listed(anna)] == [waiting.delivery_id]
    assert not deliveries.path(half).exists()


def test_the_files_of_a_person_go_with_them(services, deliveries, settings, anna):
    ben = services.people.ensure("Ben").person_id
    one = deliveries.begin(ben, "export.zip", 3, 1)
    deliveries.put(ben, one.delivery_id, 0, b"abc")
    services.people.remove(ben, None)
    deliveries.prune()
    assert not (settings.data_dir / "imports" / str(ben)).exists()


def test_a_note_that_was_cut_off_costs_its_own_file_alone(deliveries, anna, settings):
    one = deliveries.begin(anna, "one.zip", 3, 1)
    two = deliveries.begin(anna, "two.zip", 3, 1)
    deliveries.put(anna, two.delivery_id, 0, b"abc")
    (settings.data_dir / "imports" / str(anna) / f"{two.delivery_id}.json").write_text('{"name": "tw')
    assert [each.delivery_id for each in deliveries.listed(anna)] == [one.delivery_id]
    deliveries.prune()
    assert not deliveries.path(two).exists()
