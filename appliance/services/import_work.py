"""One import at work: what each part brings, how far it has come, what was set aside, and its receipt in the end."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from appliance.catalog.load import Catalogue
from appliance.domain.importing import ImportRun, ImportState
from appliance.domain.upload import Counts, ItemError, Receipt, Upload, UploadState
from appliance.foundation.clock import Clock
from appliance.foundation.errors import Conflict
from appliance.intake.apple.export import About
from appliance.intake.reading import SAMPLES, Reading
from appliance.services.understanding import ERRORS_TOLD, Understanding, Understood
from appliance.storage import imports, uploads

MOST_ITEMS_KEPT = 20_000
MOST_BYTES_KEPT = 32 << 20

Transaction = Callable[[], AbstractContextManager[Connection]]


@dataclass(slots=True)
class ImportWork:
    """One import at work: its upload, how far it is, and what of it was set aside."""

    catalogue: Catalogue
    understanding: Understanding
    clock: Clock
    transaction: Transaction
    upload: Upload
    run: ImportRun
    kept: list[Any] = field(default_factory=list)
    bytes_kept: int = 0
    errors: list[ItemError] = field(default_factory=list)
    begun: float = field(default_factory=time.perf_counter)
    first: tuple[float, int] | None = None  # when the first part was there, and how many bytes that made
    stop_asked: bool = False

    def remember(self, body: bytes | None, errors: Sequence[ItemError]) -> None:
        """Take over what was set aside before it was stopped, and the first errors."""
        self.errors.extend(errors)
        if body:
            self.kept = json.loads(body)["data"]["elements"]
            self.bytes_kept = len(body)

    def store(self, told: Reading, *, done: int, total: int, elements: int) -> None:
        """Store one part, and note with it how far the import has come."""
        new = self._keep(told)
        with self.transaction() as connection:
            understood = self.understanding.store(connection, self.upload, told)
            run = replace(
                self.run,
                done=done,
                total=total,
                elements=elements,
                bytes_per_s=self._rate(done),
                seen_at=self.clock.now(),
                kinds=_sum(self.run.kinds, understood.counts()),
                metrics=_sum(self.run.metrics, _by_metric(understood, self.catalogue)),
            )
            self._go_on(connection, run)
            if new:
                # What was set aside, as a document in which the paths of the quarantine lead to it.
                body = json.dumps({"data": {"elements": [*self.kept, *new]}}, ensure_ascii=False).encode()
                uploads.keep_instead(connection, self.upload.person_id, self.upload.upload_id, body)
        # Only now: what is not committed has not happened, and would be left out by whoever goes on.
        self.run = run
        self.kept += new

    def take(self, understood: Understood, size: int) -> None:
        """Settle a file that has been stored whole."""
        self.run = replace(
            self.run,
            done=size,
            total=size,
            elements=sum(understood.reading.received.values()),
            kinds=understood.counts(),
            metrics=_by_metric(understood, self.catalogue),
        )
        with self.transaction() as connection:
            run = self._settle(connection, ImportState.DONE)
        self.run = run

    def stop(self) -> None:
        """Note that it was stopped and may go on from its last part; nothing, where somebody else has it by now."""
        stopped = replace(self.run, state=ImportState.STOPPED, seen_at=self.clock.now())
        with self.transaction() as connection:
            if imports.go_on(connection, stopped, self.run.seen_at) is not None:
                self.run = stopped

    def give_up(self) -> None:
        """Note that there was nothing to take over."""
        with self.transaction() as connection:
            run = self._settle(connection, ImportState.UNDONE)
        self.run = run

    def finish(self, about: About) -> None:
        """Settle the upload, with its receipt."""
        self.run = replace(
            self.run,
            content={
                "exported_at": about.exported_at.isoformat() if about.exported_at else None,
                "elements": dict(about.elements),
                "mended": about.mended,
                "nested": about.nested,
                "cut": about.cut,
                "me": about.me,
                "not_kept": self.run.counts.quarantined - len(self.kept),
            },
        )
        with self.transaction() as connection:
            run = self._settle(connection, ImportState.CUT if about.cut else ImportState.DONE)
        self.run = run

    def _settle(self, connection: Connection, state: ImportState) -> ImportRun:
        now = self.clock.now()
        took_ms = round((time.perf_counter() - self.begun) * 1000)
        settle_import(connection, self.upload, self.run, now, self.errors, took_ms)
        run = replace(self.run, state=state, seen_at=now, finished_at=now)
        self._go_on(connection, run)
        return run

    def _go_on(self, connection: Connection, run: ImportRun) -> None:
        """Note how far it is. Raises `Conflict` where it is no longer ours: undone, or begun anew by another program."""
        asked = imports.go_on(connection, run, self.run.seen_at)
        if asked is None:
            raise Conflict(
                f"The import of “{run.name}” was taken back meanwhile, or is done by another program;"
                " see hearthbeat import --list."
            )
        self.stop_asked = asked

    def _rate(self, done: int) -> int:
        # From the first part on: what comes before it is a program that starts, or going over what was done before.
        now = time.perf_counter()
        if self.first is None:
            self.first = (now, done)
            return round(done / max(now - self.begun, 0.001)) if not self.run.done else 0
        return round((done - self.first[1]) / max(now - self.first[0], 0.001))

    def _keep(self, told: Reading) -> list[Any]:
        """Give what a part sets aside its places in the document that is kept; return what there is room for.

        Places are counted here and not by the reader, who begins anew when an import goes on.
        """
        place = len(self.kept)
        new: list[Any] = []
        for n, found in enumerate(told.quarantined):
            told.quarantined[n] = item = replace(found, path=f"data.elements[{place + len(new)}]")
            if len(self.errors) < ERRORS_TOLD:
                self.errors.append(ItemError(item.path, item.reason, item.detail))
            if place + len(new) < MOST_ITEMS_KEPT and self.bytes_kept < MOST_BYTES_KEPT:
                new.append(item.item)
                self.bytes_kept += len(json.dumps(item.item, ensure_ascii=False))
        return new


def settle_import(
    connection: Connection,
    upload: Upload,
    run: ImportRun,
    at: datetime,
    errors: Sequence[ItemError] = (),
    took_ms: int = 0,
) -> None:
    """Write the receipt of an import's upload."""
    counts = run.counts
    told_nothing_new = counts.received > 0 and not (counts.stored or counts.revised)
    receipt = Receipt(
        request_id=upload.request_id,
        upload_id=upload.upload_id,
        status=UploadState.UNCHANGED if told_nothing_new else UploadState.PROCESSED,
        counts=counts,
        kinds=dict(run.kinds),
        errors=tuple(errors),
        advice=(),
        processing_ms=took_ms,
    )
    uploads.settle(connection, receipt, upload.person_id, at, run.metrics)


def _by_metric(understood: Understood, catalogue: Catalogue) -> dict[str, Counts]:
    told: Counter[tuple[str, str]] = Counter()
    for batch, judgement in understood.samples:
        for verdict, count in Counter(judgement.verdicts).items():
            told[batch.key.metric, verdict.name.lower()] += count
    for item in understood.reading.quarantined:
        if item.kind == SAMPLES:
            metric = catalogue.metric(item.name)
            told[metric.key if metric else item.name or SAMPLES, "quarantined"] += 1
    found: dict[str, Counts] = {}
    for (metric_key, outcome), count in told.items():
        found[metric_key] = found.get(metric_key, Counts()) + Counts(**{"received": count, outcome: count})
    return found


def _sum(one: Any, other: Any) -> dict[str, Counts]:
    return {
        name: one.get(name, Counts()) + other.get(name, Counts())
        for name in [*one, *(other.keys() - one.keys())]
    }
