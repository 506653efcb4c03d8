"""The single beats behind a heart-rate variability: beats a minute, each with a time of day and no date.

The time is the person's own of that day, spelt as the phone's language has it (`7:47:41.86 AM`, `00:20:37,80`), while
the record's start is in the export's offset. Offsets differ by whole quarters of an hour, so the first beat is placed
at the moment next to the start that has its minutes and seconds, and the others follow it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from appliance.domain.sample import SECOND_US
from appliance.intake.fields import Unreadable, finite_number
from appliance.intake.timestamps import BadTimestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.intake.apple.times import Instants

BEATS = "beats"
# As the phone writes them; what is left of a list without its beats is read as any other metadata.
USUAL_BEAT = re.compile(
    rb'\n   <InstantaneousBeatsPerMinute bpm="([^"&<\x00-\x1f]*)" time="([^"&<\x00-\x1f]*)"/>'
)
EMPTY_LIST = b"\n  <HeartRateVariabilityMetadataList>\n  </HeartRateVariabilityMetadataList>"
MOST_BEATS = 10_000
_QUARTER_MS, _DAY_MS = 900_000, 86_400_000
_CLOCK = re.compile(r"\D*?(\d{1,2})[:.](\d{2})[:.](\d{2})(?:[.,](\d{1,6}))?(\D*)", re.DOTALL)
_AFTERNOON = re.compile(r"p|μ|午後|下午|오후|م|अप", re.IGNORECASE)
_MORNING = re.compile(r"a|π|午前|上午|오전|ص|पू", re.IGNORECASE)


def beats_of(beats: Sequence[tuple[str, str]], start: int) -> dict[str, Any]:
    """Return beats, told as rate and time of day, as further fields of their sample; none without beats.

    `at_ms` counts milliseconds from the sample's start, `bpm` are the rates.
    """
    clocks: list[int] = []
    rates: list[float] = []
    for told, clock in beats[:MOST_BEATS]:
        at = _milliseconds(clock)
        try:
            rate = finite_number(told)
        except Unreadable:
            continue
        if at is not None and rate is not None:
            clocks.append(at)
            rates.append(rate)
    if not clocks:
        return {}
    first = (clocks[0] - start // (SECOND_US // 1000)) % _QUARTER_MS
    first = first - _QUARTER_MS if first >= _QUARTER_MS // 2 else first
    return {BEATS: {"at_ms": [first + (clock - clocks[0]) % _DAY_MS for clock in clocks], "bpm": rates}}


def beats_from(beats: Sequence[tuple[str, str]], start: bytes, instants: Instants) -> dict[str, Any]:
    """Return the same for a start as the file spells it; none where that is no date, for which the record is set aside."""
    try:
        return beats_of(beats, instants.read(start))
    except BadTimestamp:
        return {}


def _milliseconds(text: str) -> int | None:
    found = _CLOCK.fullmatch(text[:60])
    if not found:
        return None
    hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3])
    words = text[: found.start(1)] + found[5]
    if _AFTERNOON.search(words):
        hours = hours % 12 + 12
    elif _MORNING.search(words):
        hours %= 12
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int((found[4] or "0").ljust(3, "0")[:3])
