"""What is held: of which days, how much of it, and what it takes of the disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row

from appliance.cache.answers import AnswerCache
from appliance.domain.coverage import Stretch
from appliance.storage import holdings, series, upkeep
from appliance.storage.database import Database


@dataclass(frozen=True, slots=True)
class DatabaseSize:
    """The size of the database (bytes on disk), and of its tables with their indexes, the largest first."""

    total_bytes: int
    tables: Sequence[Row[Any]]


class Holdings:
    """Counts what is held."""

    def __init__(self, database: Database, answers: AnswerCache) -> None:
        self._database = database
        self._answers = answers

    def coverage(self, person_id: int, first: date, last: date) -> Mapping[str, Sequence[Stretch]]:
        """Return by metric the days told of, from the first to the last local day, both included."""
        with self._database.transaction() as connection:
            generation = series.generation_of(connection, person_id)
        question = f"coverage:{first}:{last}"
        answer = self._answers.get(person_id, generation, question)
        if answer is None:
            with self._database.transaction() as connection:
                rows = holdings.told_stretches(connection, person_id, first, last)
            told = [(row.metric, row.first.isoformat(), row.last.isoformat()) for row in rows]
            answer = json.dumps(told, separators=(",", ":")).encode()
            self._answers.put(person_id, generation, question, answer)
        found: dict[str, list[Stretch]] = {}
        for metric, begin, end in json.loads(answer):
            found.setdefault(metric, []).append(Stretch(date.fromisoformat(begin), date.fromisoformat(end)))
        return found

    def uploads_by_month(self, person_id: int, zone: str) -> Sequence[Row[Any]]:
        """Return by month in a time zone the `uploads`, `sent_bytes` and `kept_bytes`, the newest month first."""
        with self._database.transaction() as connection:
            return holdings.uploads_by_month(connection, person_id, zone)

    def database_size(self) -> DatabaseSize:
        """Return what the database takes of its disk."""
        with self._database.transaction() as connection:
            states = upkeep.table_states(connection)
            return DatabaseSize(
                upkeep.database_bytes(connection), sorted(states, key=lambda state: -state.bytes)
            )
