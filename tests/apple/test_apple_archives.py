from __future__ import annotations

import struct
import zipfile

import pytest

from appliance.foundation.errors import UnreadableExport
from appliance.intake.apple.archive import content_hash, open_archive
from tests.fixtures.apple_export import AppleExport

EXPORT = AppleExport(days=1)
XML = EXPORT.xml()


def main_of(path):
    with open_archive(path) as archive:
        stream = archive.open(archive.main)
        content = b""
        while part := stream.read(7_000):
            content += part
        return archive.main.name, content, stream.fault


@pytest.mark.parametrize("name", ["export.xml", "exportación.xml", "导出.xml", "Export.xml"])
def test_the_main_file_is_known_by_what_is_in_it(tmp_path, name):
    path = EXPORT.zip(tmp_path / "export.zip", name=name)
    assert main_of(path) == (f"apple_health_export/{name}", XML, None)


def test_a_folder_and_a_bare_file_hold_the_same_as_the_archive(tmp_path):
    with zipfile.ZipFile(EXPORT.zip(tmp_path / "export.zip")) as archive:
        archive.extractall(tmp_path / "unpacked")
    folder = tmp_path / "unpacked" / "apple_health_export"
    for path in (tmp_path / "unpacked", folder, folder / "export.xml"):
        assert main_of(path)[1:] == (XML, None)
        with open_archive(path) as opened:
            assert opened.referred("/workout-routes/route_2025-10-24.gpx") is not None


def test_a_link_in_a_folder_leads_nowhere(tmp_path):
    folder = tmp_path / "export"
    (folder / "workout-routes").mkdir(parents=True)
    (folder / "export.xml").write_bytes(XML)
    (tmp_path / "secret.gpx").write_text("secret")
    (folder / "workout-routes" / "a.gpx").symlink_to(tmp_path / "secret.gpx")
    with open_archive(folder) as archive:
        assert archive.referred("/workout-routes/a.gpx") is None


@pytest.mark.parametrize(
    "path",
    ["/../../etc/passwd", "../secret.gpx", "C:\\route.gpx", "", "/", "/workout-routes/", "\0"],
    ids=ascii,
)
def test_a_path_in_the_file_is_only_looked_up_among_the_archives_own(tmp_path, path):
    path_of = EXPORT.zip(tmp_path / "export.zip")
    with zipfile.ZipFile(path_of, "a") as archive:
        archive.writestr("../secret.gpx", "secret")
        archive.writestr("/etc/passwd", "secret")
    with open_archive(path_of) as opened:
        assert opened.referred(path) is None


def refused(path):
    with pytest.raises(UnreadableExport) as refusal, open_archive(path):
        pass
    return str(refusal.value)


def test_what_is_no_export_is_refused_with_what_to_do(tmp_path):
    whole = EXPORT.zip(tmp_path / "export.zip").read_bytes()
    for name, content, said in (
        ("empty.zip", b"", "is empty"),
        ("cut.zip", whole[:-300], "was cut off"),
        ("half.zip", whole[: len(whole) // 2], "was cut off"),
        ("photo.jpg", b"\xff\xd8\xff\xe0", "neither a zip nor an XML"),
        ("other.xml", b"<?xml version='1.0'?><html/>", "no export of Apple Health"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert said in refused(path), name
    assert "There is no file" in refused(tmp_path / "missing.zip")


def test_an_archive_without_anything_and_a_foreign_one_are_told_apart(tmp_path):
    with zipfile.ZipFile(tmp_path / "nothing.zip", "w"):
        pass
    assert "is empty" in refused(tmp_path / "nothing.zip")
    with zipfile.ZipFile(tmp_path / "foreign.zip", "w") as archive:
        archive.writestr("letter.xml", "<letter/>")
    assert "no export of Apple Health" in refused(tmp_path / "foreign.zip")


def test_a_protected_archive_is_refused_by_name(tmp_path):
    path = EXPORT.zip(tmp_path / "export.zip")
    content = bytearray(path.read_bytes())
    at = 0
    while (at := content.find(b"PK\x01\x02", at)) >= 0:
        (flags,) = struct.unpack_from("<H", content, at + 8)
        struct.pack_into("<H", content, at + 8, flags | 1)
        at += 4
    path.write_bytes(content)
    assert "password" in refused(path)


def test_a_damaged_member_gives_what_lies_before_the_damage_and_says_so(tmp_path):
    path = EXPORT.zip(tmp_path / "export.zip", xml=XML * 20)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("apple_health_export/export.xml")
    place = info.header_offset + info.compress_size // 2
    content[place : place + 40] = bytes(40)
    path.write_bytes(content)
    _, told, fault = main_of(path)
    assert fault is not None
    assert (XML * 20).startswith(told[:2_000])
    assert told


def test_a_list_that_leads_to_before_the_file_is_damage(tmp_path):
    path = EXPORT.zip(tmp_path / "export.zip")
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x05\x06") + 16  # where the list begins, from which every place is counted
    struct.pack_into("<I", content, place, struct.unpack_from("<I", content, place)[0] + 10**6)
    path.write_bytes(content)
    assert "no export" in refused(path)


def test_a_member_without_a_name_is_left_out(tmp_path):
    path = EXPORT.zip(tmp_path / "export.zip")
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    (length,) = struct.unpack_from("<H", content, entry + 28)
    struct.pack_into("<HHH", content, entry + 28, 0, 0, length)  # its name counts as a comment
    path.write_bytes(content)
    assert main_of(path)[1:] == (XML, None)


def test_a_member_that_unpacks_to_far_more_than_any_export_is_given_up(tmp_path):
    path = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("export.xml", "w") as member,
    ):
        member.write(b"<HealthData>")
        for _ in range(90):
            member.write(bytes(1 << 20))
    with open_archive(path) as opened:
        stream = opened.open(opened.main)
        size = 0
        while part := stream.read(1 << 20):
            size += len(part)
        assert stream.fault is not None
        assert size < 70 << 20
        assert opened.read(opened.main) is None


def test_of_two_members_with_one_name_the_last_counts_and_a_stored_one_is_read(tmp_path):
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("export.xml", "<HealthData/>")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("export.xml", XML)
    assert main_of(path) == ("export.xml", XML, None)


def test_the_fingerprint_is_that_of_the_bytes(tmp_path):
    path = EXPORT.zip(tmp_path / "a.zip")
    other = tmp_path / "b.zip"
    other.write_bytes(path.read_bytes())
    assert content_hash(path) == content_hash(other)
    other.write_bytes(path.read_bytes() + b"\0")
    assert content_hash(path) != content_hash(other)
