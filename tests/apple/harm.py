"""Files that were harmed on their way: cut, with bytes flipped, lost, put in or told twice; and what of them was not."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

# What could lead a reader astray; nothing that would honestly close the file or begin and end a comment.
MISLEADING = (
    *(
        b'"',
        b"'",
        b"<",
        b">",
        b"/",
        b"=",
        b"&",
        b"\0",
        b"\xff",
        b"\x0b",
        b"\r",
        b"\n",
        b"\n <",
        b"\n </",
        b"<!--",
        b"<!",
        b"<?",
    ),
    *(
        b"</Record>",
        b"<Record ",
        b"<Record>",
        b'<Workout a="',
        b"<Correlation>",
        b"</Correlation>",
        b"<HealthData>",
    ),
    *(
        b"<![CDATA[",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]>",
        b"&a;",
        b"&#11;",
        b"\n <Record/>",
        b" " * 70_000,
        b"<a>" * 12,
    ),
)


class Harmed(NamedTuple):
    """A harmed file, and the stretches [begin, end) of the good one that stand in it unharmed and in order."""

    content: bytes
    kept: tuple[tuple[int, int], ...]

    def __repr__(self):
        return f"{len(self.content)} bytes with {[(begin, end) for begin, end in self.kept]} of the good ones"

    def holds(self, begin: int, end: int) -> bool:
        """Whether these bytes of the good file stand together in the harmed one."""
        return any(first <= begin and end <= last for first, last in self.kept)


@st.composite
def harmed(draw, good, *, first=0):
    """A file harmed at one to four places from `first` on."""
    places = sorted(draw(st.lists(st.integers(first, len(good)), min_size=1, max_size=4, unique=True)))
    content, kept, done = b"", [], 0
    for place in places:
        if place < done:
            continue
        content += good[done:place]
        kept.append((done, place))
        done = place
        match draw(st.sampled_from(("cut", "flip", "lose", "put", "mislead", "repeat"))):
            case "cut":
                return Harmed(content, tuple(kept))
            case "flip" if place < len(good):
                content += bytes([good[place] ^ draw(st.integers(1, 255))])
                done = place + 1
            case "lose":
                done = min(len(good), place + draw(st.integers(1, 3_000)))
            case "put":
                content += draw(st.binary(min_size=1, max_size=30))
            case "mislead":
                content += draw(st.sampled_from(MISLEADING))
            case _:
                begin = draw(st.integers(first, len(good)))
                content += good[begin : begin + draw(st.integers(1, 3_000))].replace(b"</HealthData>", b"")
    kept.append((done, len(good)))
    return Harmed(content + good[done:], tuple(kept))
