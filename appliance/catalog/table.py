"""Reading one catalogue file: cells by column, and refusals that say where. Imports foundation only."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, TypeVar, cast

from appliance.catalog.rows import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.resources.abc import Traversable

Choice = TypeVar("Choice", bound=str)


class Row:
    """One row; every getter raises `CatalogueError` naming file, line and column when the cell is wrong."""

    __slots__ = ("_cells", "file", "line")

    def __init__(self, file: str, line: int, cells: dict[str, str]) -> None:
        self.file = file
        self.line = line
        self._cells = cells

    def wrong(self, column: str, sentence: str) -> CatalogueError:
        """Return the error for one cell of this row; `sentence` starts in lower case."""
        name = next(iter(self._cells.values()))
        return CatalogueError(f"{self.file}, line {self.line} ({name}), column “{column}”: {sentence}.")

    def optional(self, column: str) -> str:
        """Return the cell, which may be empty."""
        return self._cells[column]

    def text(self, column: str) -> str:
        """Return the cell, which must not be empty."""
        text = self._cells[column]
        if not text:
            raise self.wrong(column, "a value is needed here; there is no default")
        return text

    def choice(self, column: str, allowed: Sequence[Choice]) -> Choice:
        """Return the cell, which must be one of `allowed`; empty only when that is allowed."""
        text = self._cells[column] if "" in allowed else self.text(column)
        if text not in allowed:
            listed = ", ".join(item for item in allowed if item)
            raise self.wrong(column, f"“{text}” is not one of {listed}")
        return cast("Choice", text)

    def number(self, column: str) -> float:
        """Return the cell as a finite number."""
        text = self.text(column)
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self.wrong(column, f"“{text}” is not a number")
        return number

    def whole(self, column: str) -> int:
        """Return the cell as a whole number of at least 0."""
        text = self.text(column)
        if not (text.isascii() and text.isdigit()):
            raise self.wrong(column, f"“{text}” is not a whole number")
        return int(text)

    def items(self, column: str) -> tuple[str, ...]:
        """Return the parts of a cell that lists several, separated by `|`."""
        text = self._cells[column]
        if not text:
            return ()
        parts = tuple(text.split("|"))
        if not all(parts):
            raise self.wrong(column, "there is an empty part beside a “|”")
        return parts

    def numbered(self, column: str) -> tuple[tuple[int, str], ...]:
        """Return the parts of a cell that lists `number:label`."""
        pairs = []
        for part in self.items(column):
            number, _, label = part.partition(":")
            if not (number.isascii() and number.isdigit() and label):
                raise self.wrong(column, f"“{part}” is not a number, a colon and a label")
            pairs.append((int(number), label))
        return tuple(pairs)


def read_rows(folder: Traversable, file: str, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of `folder/file`, which has exactly `columns` in its header, in any order.

    Raises `CatalogueError` when the file cannot be read, a column is missing or unknown, or a row is ragged.
    """
    try:
        text = (folder / file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{file} cannot be read: {error}.") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader, [])
    for column in columns:
        if header.count(column) != 1:
            raise CatalogueError(f"{file}, line 1: the column “{column}” must be there once.")
    for column in header:
        if column not in columns:
            raise CatalogueError(f"{file}, line 1: there is no column “{column}” in this file's format.")
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            last = header[min(len(cells), len(header)) - 1]
            raise CatalogueError(
                f"{file}, line {reader.line_num} ({cells[0]}), column “{last}”: "
                f"the row has {len(cells)} cells instead of {len(header)}."
            )
        yield Row(file, reader.line_num, dict(zip(header, map(str.strip, cells), strict=True)))
