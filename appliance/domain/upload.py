"""Uploads and the receipt that answers them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from appliance.domain.sample import Grain

# As the phone names its time groupings (header automation-aggregation). "Default" is absent on purpose: what it
# means differs by metric.
_GRAIN_WORDS = {
    "seconds": Grain.SECOND,
    "minutes": Grain.MINUTE,
    "hours": Grain.HOUR,
    "days": Grain.DAY,
    "weeks": Grain.WEEK,
    "months": Grain.MONTH,
    "years": Grain.YEAR,
}

# Windows that begin at a local midnight and so never cut a bucket in front.
_WHOLE_WINDOWS = {
    "default",
    "none",
    "today",
    "yesterday",
    "previous 7 days",
    "previous7days",
    "previous 14 days",
    "previous 30 days",
}


# What is kept of an imported file: not its bytes, which may be gigabytes, but what of it was set aside. It cannot be
# read again.
IMPORTED = "application/vnd.hearthbeat.import+json"


class UploadState(StrEnum):
    """How far an upload has come.

    `unchanged` is a processed upload that told nothing new. `refused` bodies could not be opened; their bytes are
    kept all the same. `failed` ones made us stumble several times and wait for a better version of us.
    """

    RECEIVED = "received"
    PROCESSED = "processed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Automation:
    """What the phone says of the automation that sends, from its headers; each may be empty."""

    name: str = ""
    automation_id: str = ""
    aggregation: str = ""
    period: str = ""
    session_id: str = ""

    def grain(self, *, is_heart_rate: bool) -> Grain | None:
        """Return the bucket width the header names, or None when it names none.

        "Default" means seconds for heart rate and minutes for everything else.
        """
        word = self.aggregation.strip().lower()
        if word == "default":
            return Grain.SECOND if is_heart_rate else Grain.MINUTE
        return _GRAIN_WORDS.get(word) or _GRAIN_WORDS.get(word + "s")

    @property
    def window_is_whole(self) -> bool | None:
        """Whether the export window starts at a midnight; None when the phone does not say."""
        word = " ".join(self.period.lower().split())
        if not word:
            return None
        return word in _WHOLE_WINDOWS


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the items; always received = the sum of the other five (the database checks it too)."""

    received: int = 0
    stored: int = 0
    revised: int = 0
    unchanged: int = 0
    superseded: int = 0
    quarantined: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def adds_up(self) -> bool:
        """Whether every received item is accounted for exactly once."""
        return self.received == (
            self.stored + self.revised + self.unchanged + self.superseded + self.quarantined
        )

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class Advice:
    """Something about the phone's set-up that could be better, with the mend in plain words.

    `automation` holds the parameters of a deep link that makes a corrected automation, where one can.
    """

    code: str
    message: str
    fix: str
    automation: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ItemError:
    """One quarantined item as the receipt tells it."""

    path: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Upload:
    """One HTTP request's bytes as kept, without the bytes themselves."""

    person_id: int
    upload_id: int
    key_id: int | None
    request_id: str
    received_at: datetime
    state: UploadState
    content_type: str
    content_encoding: str
    size_bytes: int
    automation: Automation


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to an upload. `status` is processed, accepted or unchanged (refused and failed when looked up)."""

    request_id: str
    upload_id: int
    status: str
    counts: Counts
    kinds: dict[str, Counts]
    errors: tuple[ItemError, ...]
    advice: tuple[Advice, ...]
    processing_ms: int

    def as_dict(self) -> dict[str, Any]:
        """Return the receipt as the API sends it."""
        return {
            "request_id": self.request_id,
            "upload_id": self.upload_id,
            "status": self.status,
            "counts": self.counts.as_dict(),
            "kinds": {kind: counts.as_dict() for kind, counts in self.kinds.items()},
            "errors": [{"path": e.path, "reason": e.reason, "detail": e.detail} for e in self.errors],
            "advice": [
                {"code": a.code, "message": a.message, "fix": a.fix, "automation": a.automation}
                for a in self.advice
            ],
            "processing_ms": self.processing_ms,
        }
