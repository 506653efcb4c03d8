"""Imports as pages show them: each file with its state in words, how far it is, and what became of what it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from appliance.catalog.load import Catalogue
from appliance.domain.delivery import Delivery, DeliveryState
from appliance.domain.importing import ImportRun, ImportState
from appliance.domain.upload import Counts
from web.frame import Visit
from web.receipts import Share, shares_of
from web.units import size_text

# What became of an item, as the summary of an import names it; as `hearthbeat import` does.
COLUMNS = {
    "received": "Read",
    "stored": "New",
    "revised": "Changed",
    "unchanged": "Known",
    "superseded": "Superseded",
    "quarantined": "Set aside",
}
SAMPLES = "samples"

_RUNS = {
    ImportState.RUNNING: ("Broken off", "warn"),
    ImportState.STOPPED: ("Stopped", "warn"),
    ImportState.DONE: ("Done", "good"),
    ImportState.CUT: ("Incomplete", "warn"),
    ImportState.UNDONE: ("Undone", ""),
}
_DELIVERIES = {
    DeliveryState.ARRIVING: ("Arriving", ""),
    DeliveryState.WAITING: ("Waiting", ""),
    DeliveryState.RUNNING: ("Beginning", ""),
    DeliveryState.STOPPED: ("Stopped", "warn"),
    DeliveryState.FAILED: ("Failed", "bad"),
    DeliveryState.UNREADABLE: ("Not readable", "bad"),
    DeliveryState.ENDED: ("Done", "good"),
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is. `share` is in per cent; words are empty where nothing can be said yet."""

    share: float
    sizes: str
    records: str
    rate: str
    left: str


@dataclass(frozen=True, slots=True)
class Line:
    """One file: its import, or what there is before one. `delivery_id` while its bytes are here."""

    name: str
    url: str
    at: datetime
    size: str
    state: str
    state_words: str
    mark: str
    told: str
    progress: Progress | None
    counts: Counts
    shares: list[Share]
    upload_id: int | None
    delivery_id: str | None

    @property
    def is_live(self) -> bool:
        """Whether it goes on by itself."""
        return self.state in {"waiting", "running", "undoing"}


@dataclass(frozen=True, slots=True)
class CountsRow:
    """What became of one kind or metric; `url` leads to it where there is a page of it."""

    name: str
    counts: Counts
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of everything in a file. The rows of each table add up to its last."""

    kinds: list[CountsRow]
    metrics: list[CountsRow]
    whole: Counts
    readings: Counts
    shares: list[Share]


def lines_of(visit: Visit) -> list[Line]:
    """Return all files of the person shown, the newest first."""
    deliveries = visit.services.deliveries.listed(visit.person_id)
    of_import = {each.upload_id: each for each in deliveries if each.upload_id is not None}
    runs = visit.services.importing.listed(visit.person_id)
    lines = [line_of_run(visit, run, of_import.get(run.upload_id)) for run in runs]
    known = {run.upload_id for run in runs}
    lines += [line_of_delivery(visit, each) for each in deliveries if each.upload_id not in known]
    return sorted(lines, key=lambda line: line.at, reverse=True)


def line_of_run(visit: Visit, run: ImportRun, delivery: Delivery | None) -> Line:
    """Return an import as a line, with its file where that is still here."""
    state, (words, mark), told = run.state.value, _RUNS[run.state], ""
    if run.state not in (ImportState.RUNNING, ImportState.STOPPED):
        delivery = None  # it goes in a moment
    if visit.services.deliveries.is_being_undone(run.upload_id):
        state, words, mark = "undoing", "Undoing", ""
    elif visit.services.importing.is_at_work(run):
        words, mark = "Stopping" if run.stop_asked else "Importing", ""
    elif delivery is not None and delivery.state in (DeliveryState.WAITING, DeliveryState.RUNNING):
        state, (words, mark) = "waiting", _DELIVERIES[delivery.state]
    elif delivery is not None and delivery.state is DeliveryState.FAILED:
        state, (words, mark), told = "failed", _DELIVERIES[delivery.state], delivery.told
    elif run.state is ImportState.RUNNING:
        state = "stopped"
    if run.state is ImportState.CUT:
        told = str(run.content.get("cut") or "")
    return Line(
        run.name,
        f"/history/{run.upload_id}",
        run.started_at.astimezone(visit.person.zone),
        size_text(run.total) if run.total else "",
        state,
        words,
        mark,
        told,
        progress_of(run) if state not in {"done", "cut", "undone", "undoing"} else None,
        run.counts,
        shares_of(run.counts),
        run.upload_id,
        delivery.delivery_id if delivery else None,
    )


def line_of_delivery(visit: Visit, delivery: Delivery) -> Line:
    """Return a file that has no import yet."""
    words, mark = _DELIVERIES[delivery.state]
    progress = None
    if delivery.state is DeliveryState.ARRIVING:
        sizes = f"{size_text(delivery.have)} of {size_text(delivery.size)} are here"
        progress = Progress(100 * delivery.have / delivery.size, sizes, "", "", "")
    return Line(
        delivery.name,
        f"/history/files/{delivery.delivery_id}",
        delivery.begun_at.astimezone(visit.person.zone),
        size_text(delivery.size),
        delivery.state.value,
        words,
        mark,
        delivery.told,
        progress,
        Counts(),
        [],
        None,
        delivery.delivery_id,
    )


def progress_of(run: ImportRun) -> Progress:
    """Return how far an import is, in the words of its page."""
    if not run.total:
        return Progress(0, "", "", "", "")
    records = run.counts.received
    rate, left = "", ""
    if run.done >= run.total:
        left = "putting days together"
    elif run.bytes_per_s and run.done:
        a_second = records * run.bytes_per_s / run.done
        rate = f"{size_text(run.bytes_per_s)} and {a_second:,.0f} records a second"
        left = time_left(timedelta(seconds=(run.total - run.done) / run.bytes_per_s))
    share = min(100 * run.done / run.total, 100)
    return Progress(
        share, f"{size_text(run.done)} of {size_text(run.total)}", f"{records:,} records", rate, left
    )


def time_left(span: timedelta) -> str:
    """Return how long something will still take, no more exactly than can be known."""
    seconds = span.total_seconds()
    if seconds < 10:
        return "a few seconds left"
    if seconds < 90:
        return f"about {round(seconds / 10) * 10} seconds left"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} minutes left"
    return f"about {round(seconds / 3600)} hours left"


def summary_of(run: ImportRun, catalogue: Catalogue, kind_names: Mapping[str, str]) -> Summary:
    """Return what became of a file's items; `kind_names` are those of its kinds."""
    kinds = sorted(run.kinds.items(), key=lambda each: (-each[1].received, each[0]))
    metrics = [
        CountsRow(catalogue.metrics[key].display_name, counts, f"/browse/{key}")
        if key in catalogue.metrics
        else CountsRow(key, counts)
        for key, counts in run.metrics.items()
    ]
    return Summary(
        [CountsRow(kind_names.get(kind, kind), counts) for kind, counts in kinds],
        sorted(metrics, key=lambda row: row.name.casefold()),
        run.counts,
        sum(run.metrics.values(), Counts()),
        shares_of(run.counts),
    )


def mark_of(shown: Any) -> str:
    """Return what changes whenever anything that is shown does."""
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]
