"""Uploads as pages show them: states, windows and counts in words, the bar of what became of the items, the way in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from appliance.domain.upload import Counts, ItemError, Receipt, Upload, UploadState
from appliance.services.tracing import STEPS, Attempt
from web.told import mend, reason_words
from web.units import size_text

# What became of an item, in the order of the bar, with what it means.
OUTCOMES = {
    "stored": "new and kept",
    "revised": "replaced an older value",
    "unchanged": "known already",
    "superseded": "older than what is held",
    "quarantined": "set aside, not understood",
}
STATES = {
    UploadState.RECEIVED: ("Waiting", "warn", "Its bytes are safe; it is worked on next."),
    UploadState.PROCESSED: ("Stored", "good", "Everything in it was read."),
    UploadState.UNCHANGED: ("Nothing new", "", "Everything in it was known already."),
    UploadState.REFUSED: ("Not readable", "bad", "Its bytes are kept, but could not be opened."),
    UploadState.FAILED: ("Given up", "bad", "Reading it failed several times; its bytes are kept."),
}
PARTLY_READ = "What was understood is stored; the rest was set aside, not lost."
CAUSES = {
    "request": "With the request",
    "worker": "Afterwards, in the background",
    "replay": "Read again",
}
_LEAST_WIDTH = 1.5  # per cent; so that one item in ten thousand is seen


@dataclass(frozen=True, slots=True)
class Share:
    """One part of the bar: place and width in per cent."""

    outcome: str
    count: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Line:
    """One upload in the feed."""

    upload_id: int
    at: datetime
    sender: str
    automation: str
    window: str
    size: str
    state: UploadState
    state_words: str
    mark: str
    counts: Counts
    shares: list[Share]
    processing_ms: int
    advice: int
    is_import: bool


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Items set aside for one reason: some of their places, and what to do."""

    title: str
    mend: str
    details: list[str]
    paths: list[str]
    more: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One step of an attempt: when it ended, and where its bar stands, in per cent."""

    words: str
    took_ms: float
    ended_ms: float
    counts: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Way:
    """One attempt, as a waterfall."""

    title: str
    began_at: datetime
    instance: str
    total_ms: float
    bars: list[Bar]


def line_of(upload: Upload, receipt: Receipt, senders: Mapping[int, str], now: datetime) -> Line:
    """Return an upload as a line of the feed. `senders` names the keys."""
    counts = receipt.counts
    words, mark, _ = STATES[upload.state]
    return Line(
        upload.upload_id,
        upload.received_at.astimezone(now.tzinfo),
        sender_of(upload.key_id, senders),
        upload.automation.name,
        window_words(upload.automation.period, upload.automation.aggregation),
        size_text(upload.size_bytes),
        upload.state,
        words,
        mark,
        counts,
        shares_of(counts),
        receipt.processing_ms,
        len(receipt.advice),
        upload.key_id is None,
    )


def sender_of(key_id: int | None, senders: Mapping[int, str]) -> str:
    """Return the name of the key that sent; what came without one was imported."""
    if key_id is None:
        return "Imported file"
    return senders.get(key_id) or f"Key {key_id}, no longer here"


def window_words(period: str, aggregation: str) -> str:
    """Return the window and grouping the phone told, in its own words."""
    return " · ".join(word for word in (period.strip(), aggregation.strip()) if word)


def shares_of(counts: Counts) -> list[Share]:
    """Return the bar of what became of the items; the smallest part is still seen."""
    told = {name: count for name in OUTCOMES if (count := getattr(counts, name))}
    whole = sum(told.values())
    widths = {name: max(100 * count / whole, _LEAST_WIDTH) for name, count in told.items()}
    scale = 100 / sum(widths.values()) if widths else 1
    shares, x = [], 0.0
    for name, width in widths.items():
        shares.append(Share(name, told[name], round(x, 3), round(width * scale, 3)))
        x += width * scale
    return shares


def grouped(errors: Sequence[ItemError]) -> list[ErrorGroup]:
    """Return what was set aside by reason, the most frequent first."""
    by_reason: dict[str, list[ItemError]] = {}
    for error in errors:
        by_reason.setdefault(error.reason, []).append(error)
    return [
        ErrorGroup(
            reason_words(reason),
            mend(reason),
            list(dict.fromkeys(error.detail for error in told))[:5],
            [error.path for error in told[:5]],
            max(len(told) - 5, 0),
        )
        for reason, told in sorted(by_reason.items(), key=lambda each: -len(each[1]))
    ]


def way_of(attempt: Attempt, now: datetime) -> Way:
    """Return an attempt as a waterfall."""
    total = max((step.ended_ms for step in attempt.steps), default=0.0)
    whole = total or 1.0
    bars = [
        Bar(
            STEPS.get(step.name, step.name.replace("_", " ")),
            step.took_ms,
            step.ended_ms,
            ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in step.counts.items()),
            round(100 * max(step.ended_ms - step.took_ms, 0.0) / whole, 3),
            round(100 * max(step.took_ms, 0.0) / whole, 3),
        )
        for step in attempt.steps
    ]
    return Way(
        CAUSES.get(attempt.cause, attempt.cause),
        attempt.began_at.astimezone(now.tzinfo),
        attempt.instance,
        total,
        bars,
    )
