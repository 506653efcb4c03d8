from __future__ import annotations

import io
import tracemalloc
from xml.parsers import expat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.intake.apple.elements import DEEPEST, LONGEST_ATTRIBUTE, NoElement, Walk, parse
from tests.fixtures.apple_export import BOMB, BROKEN_DTD, AppleExport

EXPORT = AppleExport(days=2)
XML = EXPORT.xml()
ELEMENTS = [element.strip() for element in EXPORT.elements()]


def walked(content, size=1 << 20):
    """The elements a walk takes, in order, and the walk."""
    found = []

    def take(piece):
        try:
            node = parse(b"<" + piece)
        except NoElement:
            return False
        if node.name in ("MetadataEntry", "WorkoutEvent", "InstantaneousBeatsPerMinute"):
            return False
        found.append((b"<" + piece).decode("utf-8", "replace").strip())
        return True

    stream = io.BytesIO(content)
    walk = Walk(lambda wanted: stream.read(min(size, wanted)), take, lambda lines: [(0, lines)])
    for _ in walk.steps():
        pass
    return found, walk


def told(content):
    """What expat makes of a whole well-formed file: every element below the root with all that is in it."""
    found, inside = [], []

    def start(name, attributes):
        inside.append([name, attributes, []])

    def end(_name):
        node = inside.pop()
        (inside[-1][2] if len(inside) > 1 else found).append(node)

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(content, True)  # noqa: FBT003  expat takes it by position
    return found[:-1]  # the last is the root


def as_told(node):
    return [node.name, node.attributes, [as_told(child) for child in node.children]]


def reformatted(content):
    """The same file on one line, as a library would write it anew: no line starts an element."""
    return b"".join(
        line.strip() if line.startswith(b" ") else line for line in content.splitlines(keepends=True)
    ).replace(b"/>\n", b" />")


@pytest.mark.parametrize("size", [64, 1_000, 1 << 20])
@pytest.mark.parametrize("way", ["in lines", "crlf", "on one line", "indented twice"])
def test_every_way_of_writing_a_file_tells_the_elements_that_a_parser_finds(way, size):
    content = EXPORT.but(quirks=frozenset(["crlf"])).xml() if way == "crlf" else XML
    if way == "on one line":
        content = reformatted(content)
    elif way == "indented twice":
        content = content.replace(b"\n ", b"\n  ")
    found, walk = walked(content, size)
    assert [as_told(parse(element.encode())) for element in found] == told(content)
    assert walk.complete
    assert walk.damage == []
    assert walk.offset == len(content)


@pytest.mark.parametrize("dtd", [BROKEN_DTD, BOMB, ""])
def test_the_document_type_is_never_looked_at(dtd):
    found, walk = walked(EXPORT.but(dtd=dtd).xml())
    assert found == ELEMENTS
    assert walk.complete


def test_an_entity_is_never_expanded():
    assert parse(b'<Record a="&lol;"/>').attributes == {"a": "&lol;"}


@settings(max_examples=60)
@given(st.integers(0, len(XML) - len("</HealthData>\n")))
def test_a_cut_file_tells_every_element_before_the_cut_and_never_passes_for_whole(cut):
    begin = XML.index(b"<HealthData")
    if cut <= begin + len('<HealthData locale="en_DE">'):
        with pytest.raises(NoElement):
            walked(XML[:cut])
        return
    found, walk = walked(XML[:cut], 5_000)
    whole, place = [], begin
    for element in ELEMENTS:
        place = XML.index(element.encode(), place) + len(element.encode())
        if place <= cut:
            whole.append(element)
    # What of a cut correlation is whole stands in the file once more and may be told twice.
    assert [element for element in found if element in whole] == whole or found[: len(whole)] == whole
    assert not walk.complete


@settings(max_examples=150)
@given(st.integers(0, len(XML) - 1), st.integers(1, 255))
def test_a_flipped_byte_costs_the_element_it_is_in_at_most(place, flip):
    begin = XML.index(b"<HealthData")
    place = max(place, begin + 30)
    damaged = XML[:place] + bytes([XML[place] ^ flip]) + XML[place + 1 :]
    found, _ = walked(damaged, 3_000)
    at = begin
    for element in ELEMENTS:
        start = XML.index(element.encode(), at)
        at = start + len(element.encode())
        if not start - 2 <= place <= at + 2:
            assert element in found


@pytest.mark.parametrize(
    "value", ["a\x0bb", "a&#11;b", "a & b", "a\x00b", "a\ufffeb", "&nbsp;", "a&#x110000;b"], ids=ascii
)
def test_what_phones_are_known_to_write_is_put_right(value):
    node = parse(f'<Record type="x"><MetadataEntry key="k" value="{value}"/></Record>'.encode())
    assert node.mended
    assert node.children[0].attributes["key"] == "k"


def test_bytes_that_are_not_utf_8_cost_themselves():
    assert parse(b'<Record type="caf\xe9"/>').attributes == {"type": "caf\ufffd"}


def test_of_an_attribute_told_twice_the_first_counts():
    assert parse(b'<S startDate="1" startDate="2" unit="m"/>').attributes == {"startDate": "1", "unit": "m"}


def test_an_element_nested_without_end_and_an_endless_attribute_are_refused():
    deep = DEEPEST + 2
    with pytest.raises(NoElement, match="deeply"):
        parse(b"<a>" * deep + b"</a>" * deep)
    with pytest.raises(NoElement, match="too long"):
        parse(b'<a b="' + b"x" * (LONGEST_ATTRIBUTE + 1) + b'"/>')


def test_a_damaged_element_is_told_with_its_place():
    content = XML.replace(b' value="0.97"/>', b' value="0.97"', 1)
    found, walk = walked(content)
    assert len(found) == len(ELEMENTS) - 1
    (damage,) = walk.damage
    assert content[damage.offset : damage.offset + len(damage.content)] == damage.content
    assert b"OxygenSaturation" in damage.content


@pytest.mark.parametrize(
    "rubbish",
    [
        b" ",
        b"\n </x>",
        b"\n <x",
        b"\n <a/>\n <b",
        b"<!--",
        b"<!-- ",
        b"<?",
        b"<![CDATA[",
        b"<a>",
        b"<a b='",
        b"\n <",
        b"\n",
        b"</",
        b'<a b="c"><d/>',
    ],
    ids=ascii,
)
@pytest.mark.parametrize("way", ["before the end", "without lines"])
@pytest.mark.timeout(20)
def test_no_rubbish_makes_it_hang(rubbish, way):
    many = rubbish * (200_000 // len(rubbish))
    content = {
        "before the end": XML.replace(b"</HealthData>", many + b"</HealthData>"),
        "without lines": reformatted(XML).replace(b"</HealthData>", many + b"</HealthData>"),
    }[way]
    _, walk = walked(content)
    assert walk.offset == len(content)


def test_every_damage_is_told_with_its_place():
    content = XML.replace(b' value="0.97"/>', b' value="0.97"').replace(b"</Workout>", b"</Work>")
    for size in (100, 5_000, 1 << 20):
        _, walk = walked(content, size)
        assert len(walk.damage) == 4
        for damage in walk.damage:
            assert content[damage.offset : damage.offset + len(damage.content)] == damage.content
        assert walk.offset == len(content)


@pytest.mark.parametrize("beginning", [b' <Record sourceName="', b""], ids=["tag", "text"])
def test_a_tag_or_a_text_without_end_is_never_held_whole(beginning):
    rubbish = beginning + b"x" * (60 << 20) + b'"/>\n'
    content = XML.replace(b"</HealthData>", rubbish + b" <Last/>\n</HealthData>")
    tracemalloc.start()
    found, walk = walked(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [*ELEMENTS, "<Last/>"]
    assert walk.complete
    # The damage is told in pieces; nobody takes them away here, so they are the size of the rubbish once.
    assert len(rubbish) * 0.9 < sum(len(damage.content) for damage in walk.damage) <= len(rubbish)
    assert peak < 180 << 20


def test_megabytes_of_rubbish_take_little_time_and_are_told():
    rubbish = b"\n <Correlation a='1'>" * 20_000 + b"<" * 100_000 + b"x" * 3_000_000
    content = XML.replace(b"</HealthData>", rubbish + b"\n <Last/>\n</HealthData>")
    found, walk = walked(content)
    assert found == [*ELEMENTS, "<Last/>"]
    assert sum(len(damage.content) for damage in walk.damage) > len(rubbish) * 0.8
