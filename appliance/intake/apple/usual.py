"""Records as the phone writes them: one a line, attributes in one order, cut out of many lines at once.

Nearly all of an export are such records, and a parser for each of them would take ten times as long. Whatever is not
exactly so is left to whoever reads piece by piece, and so are the lines around it where it is within a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from appliance.intake.apple.elements import LONGEST_ATTRIBUTE, NoElement, parse
from appliance.intake.apple.heartbeats import EMPTY_LIST, USUAL_BEAT, beats_from
from appliance.intake.apple.metadata import metadata_of

if TYPE_CHECKING:
    from appliance.intake.apple.lanes import Lane, Lanes
    from appliance.intake.apple.times import Instants

MOST_REMEMBERED = 20_000

# Beginning, creation, start, end, value and ending. A closing tag on a line of its own belongs to the line before.
_RECORDS = re.compile(
    rb'\n <(Record type="[^"]*+" sourceName="[^"]*+"'
    rb'(?: sourceVersion="[^"]*+")?+(?: device="[^"]*+")?+(?: unit="[^"]*+")?+)'
    rb' creationDate="([^"]{25})" startDate="([^"]{25})" endDate="([^"]{25})"(?: value="([^"]*+)")?+'
    rb"(/>|>\r?+(?:\n  [^\n]*+)*+\n </Record>)\r?+(?=\n <[^/]|\Z)"
)
_COLUMNS = _RECORDS.groups + 1  # what lies before a record counts as well

_PLAIN = bytes(sorted(set(range(0x20, 0x7F)) - set(b'"<&')))

# A device is told with the address it had in memory, which differs from record to record and says nothing.
_VERSION_AND_DEVICE = re.compile(
    rb'(?: sourceVersion="[^"<]*+")?(?: device="[^"<]*+")?(?=(?: unit="[^"<]*+")?\Z)'
)

T = TypeVar("T")
Ending = tuple[dict[str, Any], str | None]


class UsualRecords:
    """Puts usual records into their lanes. `taken` counts them."""

    def __init__(self, lanes: Lanes, instants: Instants) -> None:
        self.taken = 0
        self._lanes = lanes
        self._instants = instants
        self._by_beginning: dict[bytes, Lane] = {}
        self._by_short_beginning: dict[bytes, Lane] = {}
        self._by_ending: dict[bytes, Ending] = {}

    def take(self, content: bytes) -> Iterator[tuple[int, bytes]]:
        """Take what is usual of whole lines, and yield the rest in its order: the place of each stretch, and its bytes.

        The first stretch may be empty. What follows a stretch is taken once the next is asked for.
        """
        told = _RECORDS.split(content)
        beginnings, created, starts, ends, values, endings = (told[n::_COLUMNS] for n in range(1, _COLUMNS))
        # Nothing in these attributes is damaged or stands for another: a parser would read them as they are.
        plain = b"".join((*created, *starts, *ends, *filter(None, values)))
        lanes = self._lanes_of(beginnings)
        tails = self._read_endings(endings, starts)
        if lanes is None or tails is None or plain.translate(None, _PLAIN):
            yield 0, content
            return
        records = zip(lanes, starts, ends, values, tails, strict=True)
        between = told[::_COLUMNS]
        if any(between):
            places = [0, *(found.end() for found in _RECORDS.finditer(content))]
            for place, stretch in zip(places, between, strict=True):
                if stretch or not place:
                    yield place, stretch
                self._add(islice(records, 1))
        else:
            yield 0, b""
            self._add(records)

    def _add(self, records: Iterable[tuple[Lane, bytes, bytes, bytes | None, Ending]]) -> None:
        for lane, start, end, value, (extra, zone) in records:
            lane.add(start, end, value, extra, zone)
            self.taken += 1

    def _lanes_of(self, beginnings: Sequence[bytes]) -> list[Lane] | None:
        """Return the lane of each, None where one has none."""
        found = list(map(self._by_beginning.get, beginnings))
        if None in found:
            found = [self._by_beginning.get(each) or self._lane(each) for each in beginnings]
        return _none_missing(found)

    def _lane(self, beginning: bytes) -> Lane | None:
        """Return the lane of records that begin so, None where these are no plain attributes of a record.

        A beginning holds a device, and so a memory address of which there are many; what counts is remembered twice.
        """
        if len(beginning) > LONGEST_ATTRIBUTE:
            return None
        short = _VERSION_AND_DEVICE.sub(b"", beginning, 1)
        lane = self._by_short_beginning.get(short)
        if lane is None:
            try:
                told = parse(b"<" + short + b"/>")
            except NoElement:
                return None
            if (
                told.mended
                or told.attributes.keys() - {"type", "sourceName", "unit"}
                or not told.attributes["type"]
            ):
                return None
            lane = self._lanes.lane(told.attributes)
            self._by_short_beginning[short] = lane
        if len(self._by_beginning) > MOST_REMEMBERED:
            self._by_beginning.clear()
        self._by_beginning[beginning] = lane
        return lane

    def _read_endings(self, endings: Sequence[bytes], starts: Sequence[bytes]) -> list[Ending] | None:
        """Return what each tells, None where one is of no usual shape."""
        found = list(map(self._by_ending.get, endings))
        if None in found:
            found = [
                self._by_ending.get(ending) or self._read_ending(ending, start)
                for ending, start in zip(endings, starts, strict=True)
            ]
        return _none_missing(found)

    def _read_ending(self, ending: bytes, start: bytes) -> Ending | None:
        """Return what follows a record's attributes: its metadata. None where it is not all of the usual shape."""
        rest, count = ending, 0
        if EMPTY_LIST[:20] in ending:
            rest, count = USUAL_BEAT.subn(b"", ending)
            rest = rest.replace(EMPTY_LIST, b"")
        try:
            told = parse(b"<Record" + rest)
        except NoElement:
            return None
        if told.mended or any(child.name != "MetadataEntry" for child in told.children):
            return None
        extra, zone = metadata_of(told.children)
        if not count:
            if len(self._by_ending) > MOST_REMEMBERED:
                self._by_ending.clear()
            self._by_ending[ending] = found = extra, zone
            return found
        beats = [
            (rate.decode("ascii", "replace"), clock.decode("utf-8", "replace"))
            for rate, clock in USUAL_BEAT.findall(ending)
        ]
        return extra | beats_from(beats, start, self._instants), zone

    def forget_lanes(self) -> None:
        """Forget which lane a record belongs to, when the lanes themselves are forgotten."""
        self._by_beginning.clear()
        self._by_short_beginning.clear()


def _none_missing(found: Sequence[T | None]) -> list[T] | None:
    known = [each for each in found if each is not None]
    return known if len(known) == len(found) else None
