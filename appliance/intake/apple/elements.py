"""The elements below the root of Apple's export.xml, one at a time, whatever happened to their neighbours.

Apple writes one element a line, indented by one blank a level, so a line that starts with “ <” starts an element and
cutting there costs no more than reading the bytes. Whoever takes a piece says whether it was a whole element; what
was none is looked at tag by tag, which needs no lines, and so is everything of a file that is not written that way.
The DOCTYPE is skipped and never parsed, so nothing it declares is ever expanded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

TOP = frozenset(
    (
        *(b"ExportDate", b"Me", b"Record", b"Correlation", b"Workout", b"ActivitySummary"),
        *(b"ClinicalRecord", b"Audiogram", b"VisionPrescription"),
    )
)
# Only ever inside of others; one that stands alone is what is left of a damaged element.
INNER = frozenset(
    (
        *(b"MetadataEntry", b"HeartRateVariabilityMetadataList", b"InstantaneousBeatsPerMinute"),
        *(b"WorkoutEvent", b"WorkoutActivity", b"WorkoutRoute", b"WorkoutStatistics", b"FileReference"),
        *(b"Location", b"SensitivityPoint", b"RightEye", b"LeftEye", b"Attachment"),
    )
)

CHUNK = 1 << 17  # with some dozen workouts in it, whose routes are held together
LONGEST_PROLOGUE = 4 << 20  # Apple's DOCTYPE has 12 kB
LONGEST_ELEMENT = 16 << 20  # a workout with its route inside, as before iOS 13, has some MB
LONGEST_ATTRIBUTE = 64 << 10
DEEPEST = 8  # Apple's deepest is 5

_BREAK = b"\n <"
_ROOT = b"HealthData"
_ROOT_TAG = re.compile(rb"<HealthData(?=[\s>])(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+>")
_ROOT_END = re.compile(rb"</HealthData\s*>")
_TAG = re.compile(
    # None of these looks further than the next of its kind, so that a million of them without an end take no longer.
    rb"<(?:(?P<aside>!--(?:(?!--).)*+-->|\?[^<>]*+>|!\[CDATA\[[^<]*?\]\]>)"
    rb"|(?P<close>/?)(?P<name>[A-Za-z_][\w.:-]*+)(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+>)",
    re.DOTALL,
)

Read = Callable[[int], bytes]
Take = Callable[[bytes], bool]
TakeLines = Callable[[bytes], Iterable[tuple[int, bytes]]]


class NoElement(ValueError):
    """These bytes are no element; says why."""


@dataclass(slots=True)
class Node:
    """One element with its attributes and children; `mended` when it was not XML and could be put right."""

    name: str
    attributes: dict[str, str]
    children: list[Node] = field(default_factory=list)
    mended: bool = False

    def named(self, name: str) -> list[Node]:
        """Return the direct children of this name."""
        return [child for child in self.children if child.name == name]


class Damage(NamedTuple):
    """Bytes that belong to no readable element, and the place of the first of them in the file."""

    offset: int
    content: bytes


class Walk:
    """One walk through the file. `offset` is how far it has come, `complete` whether the root was closed.

    `take_lines` gets whole lines, takes what elements of them it can and yields the stretches between these, each with
    its place among the bytes, the first even where it is empty. Of these `take` gets one piece at a time, without its
    opening “<”, and returns whether it was a whole element; what it refuses is cut anew, tag by tag, and offered once
    more. `damage` collects what belongs to no element; the caller empties it. `pause` may be set while an element is
    taken, to have a step end after it: what it refers to is large.
    """

    def __init__(self, read: Read, take: Take, take_lines: TakeLines) -> None:
        self._read = read
        self._take = take
        self._take_of_lines = take_lines
        self.offset = 0
        self.complete = False
        self.pause = False
        self.damage: list[Damage] = []
        # Pieces that are no elements by themselves, as they stood, with the break before each.
        self._stray = bytearray()
        self._stray_at = 0

    def steps(self) -> Iterator[None]:
        """Go through the file, some elements a step. Raises `NoElement` when it has no root of ours."""
        held = self._after_prologue()
        if held.startswith((_BREAK, b"\r" + _BREAK)):
            self.offset += held.startswith(b"\r")
            yield from self._by_lines(held.removeprefix(b"\r"))
        else:
            yield from self._by_tags(_Held(self._read, held, self.offset))

    def _after_prologue(self) -> bytes:
        begun = b""
        while len(begun) < LONGEST_PROLOGUE:
            chunk = self._read(CHUNK)
            begun += chunk
            if found := _ROOT_TAG.search(begun):
                self.offset = found.end()
                while len(begun) - self.offset < len(_BREAK) + 1 and (more := self._read(CHUNK)):
                    begun += more
                return begun[self.offset :]
            if not chunk:
                break
        raise NoElement("there is no <HealthData> in it")

    def _by_lines(self, held: bytes) -> Iterator[None]:
        while chunk := self._read(CHUNK):
            held += chunk
            last = held.rfind(_BREAK)
            while last > 0 and held[last + 3 : last + 4] in (b"/", b""):  # it ends the element before, or may
                last = held.rfind(_BREAK, 0, last)
            if last > 0:
                end_at = self.offset + last
                yield from self._take_lines(held[:last])
                self.offset = end_at
                held = held[last:]
                yield
            elif len(held) > LONGEST_ELEMENT:
                begin = self.offset - len(self._stray)
                yield from self._by_tags(_Held(self._read, bytes(self._stray) + held, begin))
                return
        end = _root_end(held)
        self.complete = self.complete or end is not None
        end_at = self.offset + len(held)
        yield from self._take_lines(held[:end])
        self._settle_stray()
        self.offset = end_at
        yield

    def _take_lines(self, content: bytes) -> Iterator[None]:
        """Take the elements of these bytes, which begin with a break."""
        begin = self.offset
        for place, stretch in self._take_of_lines(content):
            if stretch:
                yield from self._take_pieces(stretch, begin + place)
            if self._stray and place + len(stretch) < len(content):  # an element follows
                self._settle_stray()

    def _take_pieces(self, content: bytes, place: int) -> Iterator[None]:
        """Take these bytes one by one. A closing tag belongs to the piece before."""
        pieces: list[bytes] = []
        add, take = pieces.append, self._take
        is_closed = True
        for piece in content.removeprefix(_BREAK).split(_BREAK):
            if piece.startswith(b"/") and not is_closed:
                pieces[-1] += _BREAK + piece
                is_closed = True
            else:
                add(piece)
                is_closed = False
        for piece in pieces:
            if take(piece):
                if self._stray:
                    self._settle_stray()
            else:
                if not self._stray:
                    self._stray_at = place
                self._stray += _BREAK + piece
                if len(self._stray) > LONGEST_ELEMENT:
                    self._settle_stray()
            place += len(_BREAK) + len(piece)
            if self.pause and not self._stray:
                self.offset, self.pause = place, False
                yield

    def _settle_stray(self) -> None:
        stray, self._stray = bytes(self._stray), bytearray()
        if stray:
            offset = self.offset
            for _ in self._by_tags(_Held(_nothing, stray, self._stray_at)):
                pass
            self.offset = offset  # what is cut anew lies in what is being gone through

    def _by_tags(self, held: _Held) -> Iterator[None]:
        """Take every element, looking at each tag. What is not closed properly costs its opening tag alone."""
        place = settled = 0  # where to look next, and what is taken or told of already
        while True:
            found = _TAG.search(held.content, place)
            end = held.end_of(found) if found else None
            if found is None or end is None:
                # A tag has no “<” inside, so one that is not whole yet can only begin at the last of them.
                place = found.start() if found else max(place, held.content.rfind(b"<"))
                if not found and held.exhausted:
                    self._damaged(held, settled, len(held.content))
                    self.offset = max(self.offset, held.offset + len(held.content))
                    return
                if not found and len(held.content) - place > LONGEST_ELEMENT:
                    place = len(held.content)  # no tag is that long; what follows is what is left of it
                if place - settled > CHUNK:
                    self._damaged(held, settled, place)
                    settled = place
                held.drop(settled)
                place, settled = place - settled, 0
                held.more()
                continue
            is_element = end > 0
            if found["aside"]:
                is_settled = not held.content[settled : found.start()].strip()
                place = found.end()
            elif found["close"]:
                is_settled = found["name"] == _ROOT
                self.complete |= is_settled
                place = found.end()
            else:
                is_settled = is_element and self._take(held.content[found.start() + 1 : end])
                place = end if is_settled else found.end()
            if is_settled:
                self._damaged(held, settled, found.start())
                settled = place
            if settled > CHUNK or (self.pause and settled):
                self.pause = False
                held.drop(settled)
                place, settled = place - settled, 0
                self.offset = max(self.offset, held.offset)
                yield

    def _damaged(self, held: _Held, begin: int, end: int) -> None:
        content = held.content[begin:end]
        if content.strip():
            begin += len(content) - len(content.lstrip())
            self.damage.append(Damage(held.offset + begin, content.strip()))


class _Held:
    """The part of the file that is looked at; `offset` is the place of its first byte."""

    def __init__(self, read: Read, content: bytes, offset: int) -> None:
        self._read = read
        self.content = content
        self.offset = offset
        self.exhausted = False

    def more(self) -> None:
        """Read on, at least as much as is held so that a long element is not gone through too often."""
        chunk = self._read(max(CHUNK, len(self.content)))
        self.exhausted = not chunk
        self.content += chunk

    def drop(self, count: int) -> None:
        """Let go of the first bytes."""
        if count:
            self.content = self.content[count:]
            self.offset += count

    def end_of(self, opening: re.Match[bytes]) -> int | None:
        """Return where the element ends, -1 when it does not properly, None when more bytes are needed to tell."""
        if opening["aside"] or opening["close"]:
            return -1
        if _is_empty(opening):
            return opening.end()
        names = [opening["name"]]
        place = opening.end()
        while names:
            found = _TAG.search(self.content, place)
            if found is None:
                is_lost = self.exhausted or len(self.content) - opening.start() > LONGEST_ELEMENT
                return -1 if is_lost else None
            if b"<" in self.content[place : found.start()] or not _fits(found, names):
                return -1
            place = found.end()
        return place


def _fits(tag: re.Match[bytes], names: list[bytes]) -> bool:
    """Whether a tag may stand inside of these elements, the innermost last; they are then those it leaves open."""
    if tag["aside"]:
        return True
    if tag["close"]:
        return names.pop() == tag["name"]
    if tag["name"] in TOP and not (tag["name"] == b"Record" and names == [b"Correlation"]):
        return False
    if not _is_empty(tag):
        names.append(tag["name"])
    return len(names) <= DEEPEST


def _root_end(held: bytes) -> int | None:
    """Return where the root's closing tag and the blanks before it begin, None without one at the very end."""
    # Not one pattern for all of it: looking for blanks from every blank on takes hours where there are megabytes of them.
    told = held.rstrip()
    at = told.rfind(b"</")
    return len(told[:at].rstrip()) if at >= 0 and _ROOT_END.fullmatch(told, at) else None


def _nothing(_size: int) -> bytes:
    return b""


def _is_empty(tag: re.Match[bytes]) -> bool:
    return tag[0].endswith(b"/>")


def parse(content: bytes) -> Node:
    """Read one element, mending what phones are known to write that is not XML. Raises `NoElement`."""
    try:
        return _strictly(content)
    except NoElement as first:
        try:
            node = _strictly(_mended(content))
        except NoElement:
            raise first from None
        node.mended = True
        return node


def _strictly(content: bytes) -> Node:
    top = Node("", {})
    inside = [top]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(inside) > DEEPEST:
            raise NoElement("it is nested too deeply")
        if any(len(value) > LONGEST_ATTRIBUTE for value in attributes.values()):
            raise NoElement("an attribute of it is too long")
        node = Node(name, attributes)
        inside[-1].children.append(node)
        inside.append(node)

    parser = expat.ParserCreate("UTF-8")
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _name: inside.pop()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(content, True)  # noqa: FBT003  expat takes it by position
    except expat.ExpatError as error:
        raise NoElement(f"it is not well-formed: {expat.ErrorString(error.code)}") from None
    return top.children[0]


def _refuse_doctype(*_told: object) -> None:
    raise NoElement("a document type stands inside of it")


# What XML 1.0 forbids, also when written as a reference.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MENDABLE = re.compile(
    r"""\s* < (?P<close>/?) (?P<name>[A-Za-z_][\w.:-]*+)
        (?P<attributes> (?: \s++ [^=<>"']++ = \s*+ (?: "[^"<]*+" | '[^'<]*+' ) )*+ ) \s*+ (?P<empty>/?) >""",
    re.VERBOSE,
)
_ATTRIBUTE = re.compile(r"\s+([^=<>\"']+)=\s*(\"[^\"<]*\"|'[^'<]*')")
_NAME = re.compile(r"[A-Za-z_][\w.:-]*")
_REFERENCE = re.compile(r"&(?:(amp|lt|gt|quot|apos);|#(?:(\d{1,7})|x([0-9a-fA-F]{1,6}));)?")


def _mended(content: bytes) -> bytes:
    """Return the tags alone, each attribute once and without characters that cannot be in XML.

    Raises `NoElement` when anything but tags is there: then it is damage, and no known slip.
    """
    text = _FORBIDDEN.sub("", content.decode("utf-8", "replace")).rstrip()
    tags, place = [], 0
    while found := _MENDABLE.match(text, place):
        place = found.end()
        attributes: dict[str, str] = {}
        for name, value in _ATTRIBUTE.findall(found["attributes"]):
            # The first telling counts: a second startDate is an endDate by the wrong name.
            attributes.setdefault("_".join(name.split()), _REFERENCE.sub(_kept_reference, value))
        told = "".join(f" {name}={value}" for name, value in attributes.items() if _NAME.fullmatch(name))
        tags.append(f"<{found['close']}{found['name']}{told}{found['empty']}>")
    if place < len(text):
        raise NoElement("it is not well-formed")
    return "".join(tags).encode()


def _kept_reference(found: re.Match[str]) -> str:
    if found[1]:
        return found[0]
    if found[2] or found[3]:
        number = int(found[2]) if found[2] else int(found[3], 16)
        return "" if number > 0x10FFFF or _FORBIDDEN.match(chr(number)) else found[0]
    return "&amp;"
