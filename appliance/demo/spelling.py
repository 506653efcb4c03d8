"""How Apple's export spells things: an element a line, every date in the one offset of the day it was made on."""

from __future__ import annotations

from datetime import date
from functools import cache, lru_cache
from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

from appliance.demo.points import PHONE, WATCH
from appliance.demo.window import dice

if TYPE_CHECKING:
    from appliance.demo.window import Window

QUANTITY, CATEGORY = "HKQuantityTypeIdentifier", "HKCategoryTypeIdentifier"
ADDRESSES = 97  # an export names one device at many places in the phone's memory
DEVICES = {
    WATCH: ("26.0.1", "Apple Watch", "Watch", "Watch7,2"),
    PHONE: ("26.0.1", "iPhone", "iPhone", "iPhone15,2"),
}
DAY_S = 86_400
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

DTD = """<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 14 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout|ActivitySummary)*)>
<!ATTLIST HealthData locale CDATA #REQUIRED>
]>
"""


class Raw(NamedTuple):
    """One record: Apple's type, who told it, Unix seconds, and the value as written; `inside` are its children's lines."""

    kind: str
    source: str
    start: int
    end: int
    value: str
    unit: str = ""
    inside: str = ""


class Spelling:
    """Writes the elements of one export, made at the end of the window."""

    def __init__(self, window: Window, seed: int) -> None:
        made = window.wall(window.until)
        offset = made.utcoffset()
        self._east = int(offset.total_seconds()) if offset else 0
        self._offset = f"{made:%z}"
        roll = dice(seed, "addresses")
        self._addresses = cycle([f"0x{0x280000000 + 16 * roll.getrandbits(26):x}" for _ in range(ADDRESSES)])

    def stamp(self, instant: int) -> str:
        """Return an instant as this export writes it, whatever the clock on the wall showed then."""
        day, second = divmod(instant + self._east, DAY_S)
        return f"{_date(day)} {_clock(second)} {self._offset}"

    def origin(self, source: str) -> str:
        """Return who told it, as attributes."""
        told = f'sourceName="{escape(source)}"'
        device = DEVICES.get(source)
        if device is None:
            return told
        version, name, model, hardware = device
        return (
            f'{told} sourceVersion="{version}" device="&lt;&lt;HKDevice: {next(self._addresses)}&gt;, name:{name}, '
            f'manufacturer:Apple Inc., model:{model}, hardware:{hardware}, software:{version}&gt;"'
        )

    def span(self, start: int, end: int) -> str:
        """Return creation, start and end, as attributes."""
        ended = self.stamp(end)
        return f'creationDate="{ended}" startDate="{self.stamp(start)}" endDate="{ended}"'

    def record(self, raw: Raw, indent: str = " ") -> str:
        """Return a record's lines."""
        unit = f' unit="{raw.unit}"' if raw.unit else ""
        value = f' value="{raw.value}"' if raw.value else ""
        head = f'{indent}<Record type="{raw.kind}" {self.origin(raw.source)}{unit} {self.span(raw.start, raw.end)}{value}'
        return f"{head}>\n{raw.inside}{indent}</Record>\n" if raw.inside else f"{head}/>\n"

    def correlation(self, kind: str, together: list[Raw], inside: str) -> str:
        """Return records that belong together, as Apple groups them: each stands in the file by itself as well."""
        first = together[0]
        nested = "".join(self.record(raw, "  ") for raw in together)
        return (
            f' <Correlation type="HKCorrelationTypeIdentifier{kind}" {self.origin(first.source)}'
            f" {self.span(first.start, first.end)}>\n{inside}{nested} </Correlation>\n"
        )

    def head(self, made: int) -> str:
        """Return what comes before the records."""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n{DTD}<HealthData locale="en_DE">\n'
            f' <ExportDate value="{self.stamp(made)}"/>\n'
            ' <Me HKCharacteristicTypeIdentifierDateOfBirth="" HKCharacteristicTypeIdentifierBiologicalSex='
            '"HKBiologicalSexNotSet" HKCharacteristicTypeIdentifierBloodType="HKBloodTypeNotSet"'
            ' HKCharacteristicTypeIdentifierFitzpatrickSkinType="HKFitzpatrickSkinTypeNotSet"'
            ' HKCharacteristicTypeIdentifierCardioFitnessMedicationsUse="None"/>\n'
        )


def metadata(indent: str = "  ", **entries: str) -> str:
    """Return metadata as lines."""
    return "".join(
        f'{indent}<MetadataEntry key="{key}" value="{escape(value)}"/>\n' for key, value in entries.items()
    )


def number(value: float) -> str:
    """Return a number with the digits that files have."""
    return f"{value:.6g}"


@cache
def _date(day: int) -> str:
    return date.fromordinal(EPOCH_ORDINAL + day).isoformat()


@lru_cache(maxsize=DAY_S)
def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
