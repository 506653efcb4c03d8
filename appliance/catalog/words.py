"""The words of `words.csv`: what the phone writes in its own language, and the one key it stands for. Imports foundation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.catalog.names import fold_name

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from appliance.catalog.table import Row

COLUMNS = ("kind", "field", "key", "words")

# Fields whose keys are those of `categories.csv`.
_NAMES = (("symptoms", "name"), ("cycle", "name"))

Place = tuple[str, str]  # kind of record, field


class WordTable:
    """Which key a word stands for. A word that is not listed stands for none; nothing is guessed."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Read the rows of `words.csv`. Raises `CatalogueError` for a word that would mean two keys."""
        self._keys: dict[Place, dict[str, str]] = {}
        self._rows: dict[tuple[Place, str], Row] = {}
        for row in rows:
            place = row.text("kind"), row.text("field")
            key = row.text("key")
            if (place, key) in self._rows:
                raise row.wrong("key", f"“{key}” is already on line {self._rows[place, key].line}")
            self._rows[place, key] = row
            self._claim(row, place, key)

    def key(self, kind: str, field: str, word: str) -> str | None:
        """Return the key of a word in any known language, regardless of capitals, spaces and punctuation."""
        return self._keys.get((kind, field), {}).get(fold_name(word))

    def check_categories(self, categories: Container[str]) -> None:
        """Raise `CatalogueError` unless every name of a symptom or of the cycle leads to a category."""
        for (place, key), row in self._rows.items():
            if place in _NAMES and key not in categories:
                raise row.wrong("key", f"there is no category “{key}”")

    def _claim(self, row: Row, place: Place, key: str) -> None:
        known = self._keys.setdefault(place, {})
        for column, words in (("key", (key,)), ("words", row.items("words"))):
            for word in words:
                folded = fold_name(word)
                if not folded:
                    raise row.wrong(column, f"“{word}” has no letter or digit to be known by, or is too long")
                if known.setdefault(folded, key) != key:
                    raise row.wrong(column, f"“{word}” already stands for “{known[folded]}”")
