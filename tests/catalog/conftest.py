"""The shipped catalogue, and copies of its data that a test may break."""

from __future__ import annotations

import csv
import shutil
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import pytest

from appliance.catalog.load import Catalogue, CatalogueError, load_catalogue, read_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class BreakableData:
    """A copy of the data files with single cells changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self, file: str) -> list[dict[str, str]]:
        with (self.folder / file).open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def write(self, file: str, rows: list[dict[str, str]]) -> None:
        with (self.folder / file).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def change(self, file: str, row: dict[str, str], **cells: str) -> None:
        """Change cells of the one row whose cells contain `row`."""
        rows = self.rows(file)
        (found,) = [candidate for candidate in rows if row.items() <= candidate.items()]
        found.update(cells)
        self.write(file, rows)

    def add(self, file: str, like: dict[str, str], **cells: str) -> None:
        """Append a copy of the one row whose cells contain `like`, with cells changed."""
        rows = self.rows(file)
        (found,) = [candidate for candidate in rows if like.items() <= candidate.items()]
        self.write(file, [*rows, found | cells])

    def read(self) -> Catalogue:
        return read_catalogue(self.folder)

    def refusal(self) -> str:
        with pytest.raises(CatalogueError) as caught:
            self.read()
        return str(caught.value)


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture
def data(tmp_path: Path) -> BreakableData:
    with as_file(files("appliance.catalog") / "data") as shipped:
        shutil.copytree(shipped, tmp_path / "data")
    return BreakableData(tmp_path / "data")


@pytest.fixture
def shipped_rows(data: BreakableData) -> Callable[[str], list[dict[str, str]]]:
    return data.rows
