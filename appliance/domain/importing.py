"""Imports: a file of a person's past, how far it has been taken over, and what became of what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from appliance.domain.upload import Counts


class ImportState(StrEnum):
    """How far an import has come.

    `stopped` ones go on where they were when the same file is given again. `cut`: everything that could be read was,
    and the file ends too early or is damaged. What `undone` ones brought has been taken back.
    """

    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"
    CUT = "cut"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One import. What it brought is of the upload `upload_id`.

    `done` and `total` are bytes of the file as it unpacks, `elements` what has been read of it,
    `bytes_per_s` how fast it went since it was last begun. `content` is what the
    file tells of itself: when it was made, why it was cut. `kinds` has the counts as a receipt has them, `metrics` those
    of the samples by metric. `known` says that the same file had been imported before, and nothing was done now;
    `stop_asked` that it is to stop after its part.
    """

    person_id: int
    upload_id: int
    name: str
    state: ImportState
    started_at: datetime
    seen_at: datetime
    done: int = 0
    total: int = 0
    elements: int = 0
    bytes_per_s: int = 0
    finished_at: datetime | None = None
    content: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, Counts] = field(default_factory=dict)
    metrics: Mapping[str, Counts] = field(default_factory=dict)
    known: bool = False
    stop_asked: bool = False

    @property
    def counts(self) -> Counts:
        """What became of everything it holds."""
        return sum(self.kinds.values(), Counts())
