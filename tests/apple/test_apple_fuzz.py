"""Harmed exports: what was not harmed is read, what was is counted, and a cut file never passes for whole.

`HEARTHBEAT_FUZZ_EXAMPLES` makes the search longer by hand.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.domain.record import UNTIL
from appliance.domain.whereabouts import Whereabouts
from appliance.foundation.errors import UnreadableExport
from appliance.intake.apple.archive import LOOKED_AT, Archive, Member, open_archive
from appliance.intake.apple.elements import NoElement
from appliance.intake.apple.export import ExportReader
from tests.apple.harm import Harmed, harmed
from tests.builders import BERLIN
from tests.fixtures.apple_export import ECG_DE, AppleExport
from tests.fixtures.apple_said import CATALOGUE, Said, said_by

EXPORT = AppleExport(days=1, files={"electrocardiograms/ecg_2025-10-24.csv": ECG_DE})
XML = EXPORT.xml()
ROOT = XML.index(b"<HealthData")
BODY = XML.index(b">", ROOT) + 1
END = b"</HealthData>"
with tempfile.TemporaryDirectory() as _folder:
    ZIPPED = EXPORT.zip(Path(_folder) / "export.zip").read_bytes()

long_search = settings(
    max_examples=int(os.environ.get("HEARTHBEAT_FUZZ_EXAMPLES", "150")),
    deadline=timedelta(seconds=10),  # nothing hangs
    suppress_health_check=[HealthCheck.too_slow],
)


class Told:
    """Bytes of a file in memory, given out in small parts."""

    def __init__(self, content, at_once):
        self._file, self._at_once = io.BytesIO(content), at_once
        self.packed, self.fault = 0, None

    def read(self, size):
        part = self._file.read(min(size, self._at_once))
        self.packed += len(part)
        return part


class Plain(ExportReader):
    """A reader without the fast way: every element is parsed."""

    def _take_lines(self, content):
        return [(0, content)]


def read(content, reader_of=ExportReader, at_once=1 << 20):
    """What a main file says; what it raises when it is none."""
    member = Member("export.xml", len(content), len(content))
    archive = Archive(Path("export.xml"), {member.name: member}, lambda _member: Told(content, at_once))
    return Said(reader_of(archive, CATALOGUE, Whereabouts(BERLIN)))


def statements(said):
    """Everything that was said, each thing by itself, however often."""
    found = Counter()
    for key, rows in said.samples.items():
        found.update(repr((key, row)) for row in rows)
    for kind, records in said.records.items():
        for each in records:
            # Until when the last day is told follows from another element, the date of the export.
            own = {name: told for name, told in each.content.items() if name != UNTIL}
            found[repr((kind, each.identity, replace(each, content=own).digest))] += 1
    found.update(repr((each.source, each.stage, each.start, each.end, each.offset)) for each in said.sleep)
    return found


@cache
def elements():
    """Every element of the good file: where it stands, and what it says when it stands alone and is parsed."""
    found, place = [], BODY
    for element in EXPORT.elements():
        text = element.strip().encode()
        begin = XML.index(text, place)
        place = begin + len(text)
        alone = XML[:BODY] + b"\n " + text + b"\n" + END
        found.append((begin, place, statements(read(alone, Plain))))
    return found


def assert_nothing_is_lost(file: Harmed, at_once):
    try:
        said = read(file.content, at_once=at_once)
    except (NoElement, UnreadableExport):
        assert not file.holds(ROOT, BODY)
        return
    told = statements(said)
    intact = Counter()
    for begin, end, statement in elements():
        if file.holds(begin, end):
            intact.update(statement)
    assert intact - told == Counter()
    kept = sum(map(len, said.samples.values())) + len(said.sleep) + sum(map(len, said.records.values()))
    assert said.received.total() == kept + len(said.set_aside)
    if END not in file.content:
        assert said.about.cut
    parsed = read(file.content, Plain, at_once)
    assert everything(parsed) == everything(said)


def everything(said):
    """All that was said, in whatever order: which lane came first may depend on what it was harmed by."""
    aside = Counter(
        repr((each.kind, each.name, each.reason, each.detail, each.item)) for each in said.set_aside
    )
    about = (said.about.elements, said.about.nested, said.about.cut, said.about.me, said.about.exported_at)
    return statements(said), said.received, aside, about


def test_a_file_that_was_not_harmed_is_read_the_same_with_and_without_the_fast_way():
    for quirks in ("", "crlf", "vt", "dupattr", "addr", "kJ"):
        content = EXPORT.but(quirks=frozenset([quirks])).xml()
        one, other = read(content), read(content, Plain)
        assert (one.samples, one.canonical, one.received) == (other.samples, other.canonical, other.received)
        assert one.about.elements == other.about.elements


@long_search
@given(harmed(XML, first=BODY), st.sampled_from((50, 700, 1 << 20)))
def test_a_harmed_file_loses_nothing_that_was_not_harmed(file, at_once):
    assert_nothing_is_lost(file, at_once)


@long_search
@given(harmed(XML[: BODY + 3_000] + XML[-3_000:]), st.sampled_from((50, 1 << 20)))
def test_harm_to_the_beginning_costs_what_was_harmed_or_the_file(file, at_once):
    try:
        read(file.content, at_once=at_once)
    except (NoElement, UnreadableExport):
        assert not file.holds(ROOT, BODY) or file.content.find(XML[ROOT:BODY]) > LOOKED_AT - (BODY - ROOT)


@long_search
@given(harmed(ZIPPED))
def test_a_harmed_archive_is_refused_or_read_as_far_as_it_goes(file):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.zip"
        path.write_bytes(file.content)
        try:
            said = said_by(path)
        except (NoElement, UnreadableExport):
            return
        given_out = b""
        with open_archive(path) as archive:
            stream = archive.open(archive.main)
            while part := stream.read(1_000):
                given_out += part
    kept = sum(map(len, said.samples.values())) + len(said.sleep) + sum(map(len, said.records.values()))
    assert said.received.total() == kept + len(said.set_aside)
    if said.about.cut is None:
        assert given_out == XML
    same = next(
        (n for n, (one, other) in enumerate(zip(given_out, XML, strict=False)) if one != other), len(XML)
    )
    same = min(same, len(given_out))
    told = statements(said)
    for begin, end, statement in elements():
        if end <= same and XML[begin : begin + 8] != b"<Workout":  # whose route may have been harmed
            assert statement - told == Counter()
