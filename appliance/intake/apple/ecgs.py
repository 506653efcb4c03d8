"""ECG files of an export: lines of `key,value` in the phone's language, then one voltage a line.

Keys are translated, and so are most values and the decimal mark, so what a line is follows from what its value looks
like and from Apple's order: name, birth, recorded, classification, symptoms, software, device, rate, lead, unit. Name
and date of birth are not taken over.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any

from appliance.domain.localday import instant
from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind, Record, Track, natural_identity
from appliance.domain.sample import SECOND_US
from appliance.domain.text import storable
from appliance.intake.ecg import VOLTAGE, VOLTAGE_UNIT
from appliance.intake.fields import TEXT_LENGTH, Unreadable

if TYPE_CHECKING:
    from appliance.catalog.load import Catalogue
    from appliance.intake.apple.times import Instants, Places

MOST_HEADER_LINES = 40
LONGEST_LINE = 1_000

_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}")
_DATE_SENT = re.compile(_DATE.pattern.encode())
_RATE = re.compile(r"(\d{2,5}(?:[.,]\d+)?)[\s\u00a0\u202f]*[^\W\d_].*")
_DEVICE = re.compile(r"[A-Za-z]+\d+,\d+")
_VOLTAGE = re.compile(r"-?\d+(?:[.,]\d+)?")
_VOLTAGES = re.compile(r"(?:-?+\d++(?:\.\d++)?+\n)++")


class EcgReader:
    """Reads ECG files."""

    def __init__(self, catalogue: Catalogue, instants: Instants, places: Places) -> None:
        self._catalogue = catalogue
        self._instants = instants
        self._places = places

    def is_ecg(self, content: bytes) -> bool:
        """Whether a file looks like one: a recording's date above, a number below."""
        header, voltages = _parts(content[:20_000].decode("utf-8", "replace"))
        return any(_DATE.fullmatch(value) for _, value in header) and bool(voltages.strip())

    def read(self, content: bytes, position: int) -> Record:
        """Read one recording. Raises `Unreadable`."""
        text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n")
        header, voltages_text = _parts(text)
        values = [value for _, value in header]
        recorded = next((n for n, value in enumerate(values) if _DATE.fullmatch(value)), None)
        if recorded is None:
            raise Unreadable(Reason.BAD_TIMESTAMP, "The ECG does not tell when it was recorded.")
        start = self._instants.read(values[recorded].encode())
        offset = self._places.offset(start, None)
        rate = self._rate(values)
        voltages = self._voltages(voltages_text, self._factor(values))
        classification, key = self._classification(values, recorded)
        symptoms = values[recorded + 2] if recorded + 2 < len(values) else ""
        told: dict[str, Any] = {
            "classification": classification,
            "classification_key": key,
            "symptoms": [symptoms] if symptoms else None,
            "sampling_frequency": rate,
            "voltage_start": instant(start, offset).isoformat(),
            "voltage_count": len(voltages),
            "device": next((value for value in values if _DEVICE.fullmatch(value)), None),
            "lead": values[-2] if len(values) > recorded + 6 else None,
        }
        identity = natural_identity(start, "")
        return Record(
            kind=Kind.ECG,
            identity=identity,
            label=classification,
            source="",
            start=start,
            end=start + round(len(voltages) / rate * SECOND_US) if rate else None,
            offset=offset,
            content=storable({name: value for name, value in told.items() if value is not None}),
            item=position,
            flags=() if rate else ("implausible_sampling_frequency",),
            tracks=(Track(VOLTAGE, [], {VOLTAGE: voltages}, {VOLTAGE: VOLTAGE_UNIT}),),
            natural=identity,
        )

    def _classification(self, values: list[str], recorded: int) -> tuple[str, str | None]:
        """Return what the watch made of it, in its own words and as a key."""
        for value in values:
            key = self._catalogue.words.key(Kind.ECG, "classification", value)
            if value and key is not None:
                return value, key
        return (values[recorded + 1] if recorded + 1 < len(values) else ""), None

    def _rate(self, values: list[str]) -> float | None:
        found = [match for value in values if (match := _RATE.fullmatch(value))]
        rate = float(found[-1][1].replace(",", ".")) if found else 0.0
        return rate if 1 <= rate <= 100_000 else None

    def _factor(self, values: list[str]) -> float:
        units = [self._catalogue.conversion(value, VOLTAGE_UNIT) for value in values[-3:] if value]
        known = [unit for unit in units if unit is not None]
        return known[-1].factor if known else 1.0  # the phone has never written anything but µV

    def _voltages(self, text: str, factor: float) -> list[float | None]:
        """Return one number a line; a comma can only be the decimal mark."""
        lines = text.strip("\n").replace(",", ".") + "\n"
        if _VOLTAGES.fullmatch(lines):
            numbers = list(map(float, lines.split()))
            return list(numbers) if factor == 1.0 else [number * factor for number in numbers]
        raise Unreadable(Reason.NOT_A_NUMBER, "A line among the voltages is no number.")


def is_named_so(name: str) -> bool:
    """Whether a file is where the phone puts ECGs, whatever is in it; not what a Mac notes beside one."""
    folder, _, own = name.rpartition("/")
    return folder.endswith("electrocardiograms") and not own.startswith(".")


def without_person(content: bytes) -> bytes:
    """Return a file from the recording's date on; name and date of birth stand before it."""
    found = _DATE_SENT.search(content)
    return content[found.start() :] if found else b""


def _parts(text: str) -> tuple[list[tuple[str, str]], str]:
    """Return the header's lines as key and value, and the text from the first voltage on."""
    header: list[tuple[str, str]] = []
    place = 0
    for _ in range(MOST_HEADER_LINES):
        end = text.find("\n", place)
        line = text[place : end if end >= 0 else len(text)].strip().lstrip("\ufeff")[:LONGEST_LINE]
        if _VOLTAGE.fullmatch(line):
            return header, text[place:]
        if line:
            cells = next(csv.reader([line]), [])
            header.append((cells[0], ",".join(cells[1:]).strip()[:TEXT_LENGTH]))
        if end < 0:
            break
        place = end + 1
    return header, ""
