"""A file that is not a whole backup of ours is named as bad, and nothing of it is ever unpacked."""

from __future__ import annotations

import json
import os
import zipfile
from datetime import UTC, datetime

import pytest

from appliance.foundation.errors import BackupDamaged, BackupFailed
from appliance.services.backup_file import BackupFile, Manifest, new_backup

DUMP = os.urandom(30_000)


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "hearthbeat-20260820-120000.hbbackup"
    with new_backup(path) as file:
        size, digest = file.write_dump(
            lambda write: [write(DUMP[:10_000]), write(DUMP[10_000:])], lambda _: None
        )
        settings = file.write_settings(b"port = 1")
        file.write_manifest(
            Manifest(
                version="1",
                schema_revision="0001",
                made_at=datetime(2026, 8, 20, 12, tzinfo=UTC),
                database_bytes=1,
                counts={"sample": 2},
                days=[],
                dump_bytes=size,
                dump_sha256=digest,
                settings_sha256=settings,
            )
        )
    return path


def rewritten(path, change):
    """The same zip with its parts changed: name to (content, how it is packed)."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: (archive.read(name), zipfile.ZIP_STORED) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(path, "w") as archive:
        for name, (content, packing) in parts.items():
            archive.writestr(name, content, packing)


def refusal(path):
    before = sorted(path.parent.rglob("*")), sorted(path.parent.parent.glob("*"))
    with pytest.raises(BackupDamaged) as caught:
        BackupFile(path).check()
    assert (sorted(path.parent.rglob("*")), sorted(path.parent.parent.glob("*"))) == before
    assert path.name in caught.value.detail
    return caught.value.detail


def test_a_whole_one_is_good_and_private(good):
    file = BackupFile(good)
    file.check()
    assert b"".join(file.dump()) == DUMP
    assert file.settings == b"port = 1"
    assert file.manifest.counts == {"sample": 2}
    assert [path.name for path in good.parent.iterdir()] == [good.name]
    if os.name == "posix":
        assert good.stat().st_mode & 0o777 == 0o600


def test_every_cut_is_noticed(good):
    content = good.read_bytes()
    for length in (0, 1, 100, len(content) // 2, len(content) - 100, len(content) - 1):
        good.write_bytes(content[:length])
        refusal(good)


def test_every_flipped_bit_of_the_content_is_noticed(good):
    content = good.read_bytes()
    start = content.index(DUMP[:100])
    for place in (start, start + len(DUMP) // 2, start + len(DUMP) - 1, content.index(b"port = 1")):
        flipped = bytearray(content)
        flipped[place] ^= 4
        good.write_bytes(flipped)
        refusal(good)


def test_flipped_bits_anywhere_never_end_in_another_kind_of_error(good):
    content = good.read_bytes()
    ends = [*range(60), *range(len(content) - 1_200, len(content))]
    for place in ends:
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        good.write_bytes(flipped)
        try:
            BackupFile(good).check()
        except BackupDamaged as error:
            assert good.name in error.detail  # noqa: PT017  some bits, as of a date in the zip, mean nothing


def test_a_content_that_was_exchanged_is_noticed_though_the_zip_is_whole(good):
    rewritten(good, lambda parts: parts.update({"database.dump": (b"x" * len(DUMP), zipfile.ZIP_STORED)}))
    assert "has changed" in refusal(good)
    rewritten(good, lambda parts: parts.update({"database.dump": (DUMP, zipfile.ZIP_STORED)}))
    rewritten(good, lambda parts: parts.update({"settings.toml": (b"port = 2", zipfile.ZIP_STORED)}))
    assert "settings" in refusal(good)


@pytest.mark.parametrize("stranger", ["../evil", "/etc/evil", "C:\\evil", "database.dump/../../evil"])
def test_a_part_with_another_name_is_refused(good, stranger):
    rewritten(good, lambda parts: parts.update({stranger: (b"x", zipfile.ZIP_STORED)}))
    assert "no backup of Hearthbeat's" in refusal(good)


def test_a_part_told_twice_is_refused(good):
    with zipfile.ZipFile(good, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("manifest.json", "{}")
    assert "no backup of Hearthbeat's" in refusal(good)


def test_what_unpacks_to_more_than_it_takes_is_refused_unread(good):
    for name in ("manifest.json", "database.dump", "settings.toml"):
        content = good.read_bytes()
        rewritten(
            good, lambda parts, name=name: parts.update({name: (b" " * 20_000_000, zipfile.ZIP_DEFLATED)})
        )
        assert good.stat().st_size < 500_000
        assert "packed" in refusal(good)
        good.write_bytes(content)


def test_a_part_too_large_to_be_ours_is_refused(good):
    rewritten(good, lambda parts: parts.update({"settings.toml": (b" " * 2_000_000, zipfile.ZIP_STORED)}))
    assert "too large" in refusal(good)


def test_a_foreign_zip_and_no_zip_are_refused(good):
    with zipfile.ZipFile(good, "w") as archive:
        archive.writestr("holiday.jpg", b"...")
    assert "no backup of Hearthbeat's" in refusal(good)
    good.write_bytes(b"Dear diary\n" * 100)
    refusal(good)


@pytest.mark.parametrize(
    "manifest",
    [b"", b"{}", b"[]", b"nonsense", b"\xff\xfe", b"[" * 100_000, b'{"format": 1}', b'{"format": 99}'],
)
def test_a_manifest_that_tells_something_else_is_refused(good, manifest):
    rewritten(good, lambda parts: parts.update({"manifest.json": (manifest, zipfile.ZIP_STORED)}))
    refusal(good)


def test_a_manifest_with_impossible_numbers_is_refused(good):
    def lie(parts):
        told = json.loads(parts["manifest.json"][0])
        parts["manifest.json"] = (json.dumps(told | {"database_bytes": -1}).encode(), zipfile.ZIP_STORED)

    rewritten(good, lie)
    refusal(good)


def test_a_missing_file_and_a_folder_are_named(good):
    for path in (good.with_name("none.hbbackup"), good.parent):
        with pytest.raises(BackupFailed, match=path.name):
            BackupFile(path)


def test_a_backup_that_breaks_off_leaves_nothing(tmp_path):
    def breaking(write):
        write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(Exception, match="no room"), new_backup(tmp_path / "a.hbbackup") as file:
        file.write_dump(breaking, lambda _: None)
    assert list(tmp_path.iterdir()) == []
