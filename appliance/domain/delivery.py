"""A file of a person's past that a browser brings in chunks, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# Where a browser sends the chunks to, followed by the delivery's id; the server takes larger bodies there than from
# forms.
CHUNKS_PATH = "/history/chunks/"
CHUNK_BYTES = 8 << 20


class DeliveryState(StrEnum):
    """How far a delivery has come.

    `arriving`: not all bytes are there. `waiting`: its import begins as soon as no other of this person runs.
    `running`: it has begun. `stopped` and `failed` ones go on when somebody says so, `unreadable` ones never: their
    bytes are gone. `ended`: it was imported, or had been before, and its bytes are gone.
    """

    ARRIVING = "arriving"
    WAITING = "waiting"
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    UNREADABLE = "unreadable"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One file on its way in.

    `name`, `size` (bytes) and `modified_ms` (Unix time) are what the browser tells of the file, by which it is known
    when it is given again. `have` is how many bytes are there. `digest` is the import's fingerprint of the bytes, in
    hex, once all are there; `upload_id` the import's, once it is known. `told` says why it failed. `pid` and `pid_since`
    (Unix time, s) name the program that imports it.
    """

    person_id: int
    delivery_id: str
    name: str
    size: int
    modified_ms: int
    state: DeliveryState
    begun_at: datetime
    seen_at: datetime
    have: int = 0
    digest: str = ""
    upload_id: int | None = None
    told: str = ""
    pid: int = 0
    pid_since: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are there."""
        return self.have == self.size
