"""The phone's CSV files, turned into the arrays its JSON would have held, so that the same readers read both.

A metrics file has one row per bucket: `Date/Time`, then one column per metric, `Display Name (unit)` or
`Display Name [Part] (unit)`; an empty cell is no value. A workouts file has one row per workout. A row of any other
file is kept as it came, under “csv”. They come as parts of a form, under names nobody has written down, or alone.

What a file does not settle is left as it was written, and the readers set it aside: a day and month that could be
the other way round, a number whose point may stand between thousands. The cells of one metric in one row are one
item, as they are in the JSON.

Source: the app's documented CSV export and header rows seen.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from appliance.catalog.names import fold_name
from appliance.foundation.errors import MalformedUpload, UploadTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MULTIPART_TYPE = "multipart/form-data"
CSV_TYPES = frozenset({MULTIPART_TYPE, "text/csv", "application/csv", "text/comma-separated-values"})
MAX_PARTS = 50
MAX_BOUNDARY = 70  # RFC 2046, section 5.1.1
MAX_COLUMNS = 2_000
MAX_LINE = 2**20
MAX_ROWS = 2_000_000
MAX_VALUES = 2_000_000
CELL_LENGTH = 500  # of what is kept of one cell; the exact bytes are kept with the upload

# Fields of the JSON, by the folded titles of the workouts file; titles beyond these keep their own name.
_WORKOUT_TEXTS = {
    "workouttype": "name",
    "start": "start",
    "end": "end",
    "location": "location",
    "swimstrokestyle": "strokeStyle",
    "watersalinity": "salinity",
}
_WORKOUT_QUANTITIES = {
    "activeenergy": "activeEnergyBurned",
    "restingenergy": "restingEnergy",
    "intensity": "intensity",
    "maxheartrate": "maxHeartRate",
    "avgheartrate": "avgHeartRate",
    "distance": "distance",
    "maxspeed": "maxSpeed",
    "avgspeed": "avgSpeed",
    "flightsclimbed": "flightsClimbed",
    "elevationascended": "elevationUp",
    "elevationdescended": "elevationDown",
    "stepcount": "stepCount",
    "stepcadence": "stepCadence",
    "swimmingstrokecount": "totalSwimmingStrokeCount",
    "swimcadence": "swimCadence",
    "laplength": "lapLength",
    "temperature": "temperature",
    "humidity": "humidity",
}
_COUNTED = {"flightsClimbed", "stepCount", "totalSwimmingStrokeCount"}  # their titles name no unit
_NIGHTS = "sleep_analysis"
# Parts of a night that the JSON spells otherwise than by its own word in lower case.
_NIGHT_PARTS = {"total": "totalSleep", "inbed": "inBed"}

_DATE_TITLES = {"datetime", "date"}
_SOURCE_TITLES = {"source", "sources"}
_TITLE_PART = re.compile(r"(.*?)\s*\[([^\[\]]*)\]\s*")
_DURATION = re.compile(r"\s*(\d{1,4}):([0-5]\d):([0-5]\d)\s*", re.ASCII)
_NUMERIC_DATE = re.compile(r"\s*(\d{1,2})([/.-])(\d{1,2})\2(\d{4})\b[,\s]*(.*?)\s*", re.ASCII | re.DOTALL)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?(?:[.,]\d+)?\s*([AaPp])?", re.ASCII)

_WHOLE = re.compile(r"[+-]?\d+([eE][+-]?\d{1,3})?", re.ASCII)
_ONE_MARK = re.compile(r"[+-]?(?:\d+[.,]\d*|[.,]\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_LIKE_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_SEVERAL_MARKS = re.compile(r"[+-]?\d+(?:[.,'’\s]\d+){2,}", re.ASCII)


class Arrays(NamedTuple):
    """What the files hold: the arrays as the JSON has them, and the grouping their times show, empty for none."""

    arrays: Mapping[str, list[Any]]
    grouping: str


def read_files(body: bytes, content_type: str) -> Arrays:
    """Read a form with CSV files, or one CSV file alone.

    Raises `MalformedUpload` when there is no file we know in it, and `UploadTooLarge` past the limits.
    """
    if not body.strip():
        raise MalformedUpload("The body is empty.")
    media_type, options = parse_options_header(content_type)
    files = _parts(body, options.get("boundary", "")) if media_type.lower() == MULTIPART_TYPE else [body]
    gathering = _Gathering()
    for content in files:
        gathering.take(_Table(_text(content)))
    if not gathering.recognised:
        raise MalformedUpload(
            "There is no CSV in it that begins with a Date/Time column or lists workouts;"
            " set the automation's format to JSON, version 2."
        )
    return Arrays(gathering.arrays, gathering.grouping)


def _parts(body: bytes, boundary: str) -> Iterator[bytes]:
    """Yield the content of each part that has one. Raises `MalformedUpload` or `UploadTooLarge`."""
    if not boundary or len(boundary) > MAX_BOUNDARY or not boundary.isascii():
        raise MalformedUpload("The form names no boundary between its parts; its content type is cut.")
    decoder = MultipartDecoder(boundary.encode(), max_parts=MAX_PARTS)
    content: list[bytes] = []
    try:
        decoder.receive_data(body)
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
            if isinstance(event, Field | File):
                content = []
            elif isinstance(event, Data):
                content.append(event.data)
                if not event.more_data and b"".join(content).strip():
                    yield b"".join(content)
    except RequestEntityTooLarge as error:
        raise UploadTooLarge(
            f"The form has more than {MAX_PARTS} parts; send fewer files at a time."
        ) from error
    except (ValueError, LookupError, AttributeError) as error:
        # The last two are how the library stumbles over headers that are no headers.
        raise MalformedUpload("The form is damaged or was cut on the way.") from error


def _text(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise MalformedUpload("A CSV file is not UTF-8 text.") from error


class _Table:
    """One CSV file: its titles, and its rows as often as they are asked for (a list of them would not be small)."""

    def __init__(self, text: str) -> None:
        first, _, rest = text.partition("\n")
        declared = re.fullmatch(
            r"sep=(.)\s*", first.strip("\r"), re.IGNORECASE
        )  # as a spreadsheet is told it
        self._text = rest if declared else text
        self._delimiter = declared[1] if declared and declared[1] in ",;\t" else _delimiter(self._text)
        self.titles = [title.strip() for title in next(self._read(), [])]
        if len(self.titles) > MAX_COLUMNS:
            raise MalformedUpload(f"A CSV file has more than {MAX_COLUMNS} columns.")
        self.folded = [fold_name(_Title.of(title).name) for title in self.titles]

    def rows(self) -> Iterator[list[str]]:
        """Yield each row with anything in it, its cells trimmed. Raises `MalformedUpload`."""
        reader = self._read()
        next(reader, None)
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield cells

    def fits(self, row: Sequence[str]) -> bool:
        """Whether every value stands under a title; where one does not, all may have moved."""
        return not any(row[len(self.titles) :]) and not any(
            cell and not title for cell, title in zip(row, self.titles, strict=False)
        )

    def _read(self) -> Iterator[list[str]]:
        try:
            yield from csv.reader(_lines(self._text), delimiter=self._delimiter)
        except csv.Error as error:
            raise MalformedUpload(f"A CSV file is damaged: {error}; a quote may not be closed.") from error


def _lines(text: str) -> Iterator[str]:
    """Yield the lines, within limits: the library would make a list of a line's cells however many there are."""
    for number, line in enumerate(StringIO(text, newline=None)):
        if len(line) > MAX_LINE:
            raise MalformedUpload("A CSV file has a line of more than a million characters.")
        if number > MAX_ROWS:
            raise UploadTooLarge(f"A CSV file has more than {MAX_ROWS:,} rows; send fewer days at a time.")
        yield line


def _delimiter(text: str) -> str:
    header = text.lstrip("\r\n").partition("\n")[0]
    outside_quotes = re.sub(r'"[^"]*"', "", header)
    return max(",;\t", key=outside_quotes.count)


class _Title(NamedTuple):
    name: str
    part: str
    unit: str

    @classmethod
    def of(cls, title: str) -> _Title:
        """Take `Name [Part] (unit)` apart; the unit may hold brackets itself, as in ml/(kg·min)."""
        name, unit = title, ""
        if title.endswith(")"):
            depth = 0
            for position in range(len(title) - 1, 0, -1):
                depth += {")": 1, "(": -1}.get(title[position], 0)
                if depth == 0:
                    name, unit = title[:position].rstrip(), title[position + 1 : -1].strip()
                    break
        found = _TITLE_PART.fullmatch(name)
        return cls(found[1], found[2].strip(), unit) if found else cls(name, "", unit)


@dataclass(slots=True)
class _Gathering:
    """The arrays while file after file is read."""

    arrays: dict[str, list[Any]] = field(default_factory=dict)
    recognised: bool = False
    values: int = 0
    _groupings: set[str] = field(default_factory=set)

    def take(self, table: _Table) -> None:
        folded = set(table.folded)
        if {"workouttype", "start"} <= folded:
            self.recognised = True
            self._extend("workouts", _workouts(table))
        elif table.folded[:1] and table.folded[0] in _DATE_TITLES and not {"min", "max", "avg"} & folded:
            self.recognised = True
            self._take_metrics(table)
        else:
            self.recognised |= table.folded[:1] == ["datetime"]
            self._extend(
                "csv", ({"row": row} if not table.fits(row) else _told(table, row) for row in table.rows())
            )

    @property
    def grouping(self) -> str:
        """The finest grouping of all metrics files, in the phone's word."""
        return next((word for word in ("", "Minutes", "Hours", "Days") if word in self._groupings), "")

    def _extend(self, name: str, items: Iterable[Any]) -> None:
        into = self.arrays.setdefault(name, [])
        for item in items:
            self._count(len(item))
            into.append(item)

    def _count(self, values: int) -> None:
        self.values += values
        if self.values > MAX_VALUES:
            raise UploadTooLarge(
                f"The CSV holds more than {MAX_VALUES:,} values; send fewer days at a time, or switch to JSON."
            )

    def _take_metrics(self, table: _Table) -> None:
        writing = _Writing.of(table, [0])
        sources = [position for position, title in enumerate(table.folded) if title in _SOURCE_TITLES]
        entries = [(entry, entry["data"], fields) for entry, fields in _metric_columns(table, sources)]
        strays: list[Any] = []
        for row in table.rows():
            if not table.fits(row):
                strays.append([cell[:CELL_LENGTH] for cell in row])
                continue
            told = {"date": writing.date(row[0])}
            if (source := next((row[position] for position in sources if position < len(row)), "")) != "":
                told["source"] = source[:CELL_LENGTH]
            for _, points, fields in entries:
                point = {
                    name: writing.number(row[position])
                    for position, name in fields
                    if position < len(row) and row[position]
                }
                if point:
                    self._count(len(point))
                    points.append(told | point)
        if (grouping := writing.grouping) is not None:
            self._groupings.add(grouping)
        into = self.arrays.setdefault("metrics", [])
        into += [entry for entry, points, _ in entries if points]
        into += strays  # no objects, so the reader sets each aside


def _metric_columns(
    table: _Table, sources: Sequence[int]
) -> Iterator[tuple[dict[str, Any], list[tuple[int, str]]]]:
    """Yield each metric of a file: an entry without points, and the columns its points' fields stand in."""
    groups: dict[tuple[str, str, int], dict[str, int]] = {}
    for position, title in enumerate(table.titles):
        if position == 0 or not title or position in sources:
            continue
        name, part, unit = _Title.of(title)
        field_name = _field(name, part)
        twice = 0
        while field_name in groups.get((name, unit, twice), {}):
            twice += 1
        groups.setdefault((name, unit, twice), {})[field_name] = position
    for (name, unit, _), positions in groups.items():
        entry = {
            "name": _NIGHTS if fold_name(name) == fold_name(_NIGHTS) else name,
            "units": unit,
            "data": [],
        }
        yield entry, [(position, field_name) for field_name, position in positions.items()]


def _field(name: str, part: str) -> str:
    if not part:
        return "qty"
    if fold_name(name) == fold_name(_NIGHTS):
        return _NIGHT_PARTS.get(fold_name(part), part.casefold())
    return part[:CELL_LENGTH]


def _workouts(table: _Table) -> Iterator[Any]:
    dates = [position for position, title in enumerate(table.folded) if title in ("start", "end")]
    writing = _Writing.of(table, dates)
    titles = [_Title.of(title) for title in table.titles]
    for row in table.rows():
        if not table.fits(row):
            yield [cell[:CELL_LENGTH] for cell in row]
            continue
        workout: dict[str, Any] = {}
        for position, cell in enumerate(row):
            if cell:
                name, told = _workout_field(titles[position], table.folded[position], cell, writing)
                workout.setdefault(name, told)
        yield workout


def _workout_field(title: _Title, folded: str, cell: str, writing: _Writing) -> tuple[str, Any]:
    if folded in ("start", "end"):
        return folded, writing.date(cell)
    if folded in _WORKOUT_TEXTS:
        return _WORKOUT_TEXTS[folded], cell[:CELL_LENGTH]
    if folded == "duration":
        return "duration", _seconds(cell)
    if folded == "swolfscore":
        return "swolfScore", writing.number(cell)
    if folded in _WORKOUT_QUANTITIES:
        name = _WORKOUT_QUANTITIES[folded]
        unit = title.unit or ("count" if name in _COUNTED else "")
        return name, {"qty": writing.number(cell), "units": unit}
    return title.name[:CELL_LENGTH], cell[:CELL_LENGTH]


def _seconds(cell: str) -> int | str:
    found = _DURATION.fullmatch(cell)
    if not found:
        return cell[:CELL_LENGTH]
    hours, minutes, seconds = map(int, found.groups())
    return hours * 3_600 + minutes * 60 + seconds


def _told(table: _Table, row: Sequence[str]) -> dict[str, str]:
    return {
        title[:CELL_LENGTH]: cell[:CELL_LENGTH]
        for title, cell in zip(table.titles, row, strict=False)
        if cell
    }


@dataclass(slots=True)
class _Writing:
    """How one file writes dates and numbers, as far as the file itself shows it."""

    day_first: bool = False
    month_first: bool = False
    decimal_point: bool = False
    decimal_comma: bool = False
    groups_thousands: bool = False
    clocks: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, table: _Table, date_columns: Sequence[int]) -> _Writing:
        """Look at every cell of the file once."""
        writing = cls()
        for row in table.rows():
            if table.fits(row):
                for position, cell in enumerate(row):
                    if position in date_columns:
                        writing._look_at_date(cell)
                    elif cell:
                        writing._look_at_number(cell)
        return writing

    def _look_at_date(self, cell: str) -> None:
        if found := _NUMERIC_DATE.fullmatch(cell):
            self.day_first |= int(found[1]) > 12
            self.month_first |= int(found[3]) > 12
        if cell:
            self.clocks.add(_width(cell))

    def _look_at_number(self, cell: str) -> None:
        if _ONE_MARK.fullmatch(cell) and not _LIKE_THOUSANDS.fullmatch(cell):
            self.decimal_comma |= "," in cell
            self.decimal_point |= "." in cell
        elif _SEVERAL_MARKS.fullmatch(cell):
            self.groups_thousands = True

    @property
    def grouping(self) -> str | None:
        """The grouping that the times of day show, in the phone's word; None without any row."""
        return next((word for word in ("", "Minutes", "Hours", "Days") if word in self.clocks), None)

    def date(self, cell: str) -> str:
        """Return a date the way the JSON has it, or as it is where day and month could be the other way round."""
        found = _NUMERIC_DATE.fullmatch(cell) if len(cell) <= CELL_LENGTH else None
        if not found:
            return cell[:CELL_LENGTH]
        first, second = int(found[1]), int(found[3])
        if first == second or second > 12 >= first:
            month, day = first, second
        elif first > 12 or (self.day_first and not self.month_first):
            day, month = first, second
        elif self.month_first and not self.day_first:
            month, day = first, second
        else:
            return cell
        return f"{found[4]}-{month:02}-{day:02} {found[5]}".rstrip()

    def number(self, cell: str) -> float | dict[str, str]:
        """Return a number, or an object that says how it was written where that is no number for certain."""
        written = {"written": cell[:CELL_LENGTH]}
        if _WHOLE.fullmatch(cell):
            return float(cell)
        if not _ONE_MARK.fullmatch(cell):
            return written
        if _LIKE_THOUSANDS.fullmatch(cell):
            # 1.234 is a decimal as a program prints it, unless something in the file shows a person's spelling.
            is_point = "." in cell and not self.decimal_comma
            is_comma = "," in cell and self.decimal_comma and not self.decimal_point
            if self.groups_thousands or not (is_point or is_comma):
                return written
        return float(cell.replace(",", "."))


def _width(cell: str) -> str:
    """Return the widest grouping that begins at this time of day, in the phone's word."""
    found = _CLOCK.search(cell)
    if not found:
        return "Days"
    hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3] or 0)
    if found[4]:
        hours = hours % 12 + (12 if found[4] in "Pp" else 0)
    if seconds:
        return ""
    if minutes:
        return "Minutes"
    return "Hours" if hours else "Days"
