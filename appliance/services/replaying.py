"""Reading kept uploads again, after the catalogue or a reader has improved.

Each upload is read in the order it came and stored under its own id, so that the ordinary rules hold: what a newer
upload has told stays. What the upload brought before and no longer says (an unknown metric that has become known) is
taken back. A dry run does all of it and rolls it back, so its numbers are those of the real one. In one program one
replay is under way at a time: each holds a person's lock, and phones wait for that.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import structlog
from sqlalchemy import Connection

from appliance.catalog.load import Catalogue
from appliance.domain.record import Kind
from appliance.domain.upload import IMPORTED, Upload, UploadState
from appliance.domain.verdict import Verdict
from appliance.foundation.clock import Clock
from appliance.foundation.errors import Conflict, NotFound, RequestError
from appliance.foundation.steps import Trace, tracing
from appliance.services.resolving import resolve_days, rewrite
from appliance.services.rules import rules_of
from appliance.services.sleeping import Sleeping, is_derived
from appliance.services.space import Space
from appliance.services.understanding import Understanding, Understood
from appliance.storage import people, quarantine, removal, series, uploads
from appliance.storage.database import Database, lock_person

log = structlog.get_logger("hearthbeat.replay")


@dataclass(slots=True)
class Change:
    """What a replay did to one metric or kind of record, in samples or records."""

    added: int = 0
    changed: int = 0
    removed: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass(slots=True)
class Report:
    """What a replay did, or would do. `released` counts items that left quarantine, `unreadable` uploads that cannot be opened."""

    dry_run: bool
    uploads: int = 0
    unreadable: int = 0
    without_body: int = 0
    released: int = 0
    changes: dict[str, Change] = field(default_factory=lambda: defaultdict(Change))

    @property
    def changes_anything(self) -> bool:
        """Whether anything differs from before."""
        return bool(self.released) or any(self.changes.values())


class _Undone(Exception):
    pass


class Replaying:
    """Replays uploads."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        understanding: Understanding,
        space: Space,
        clock: Clock,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._clock = clock
        self._understanding = understanding
        self._space = space
        self._under_way = threading.Lock()

    def everything(
        self,
        *,
        since: date | None,
        dry_run: bool,
        on_progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Report:
        """Replay all kept uploads of everybody, those received since a day (UTC) if one is given.

        Raises `Conflict` while another replay is under way, and `StorageFull` without room for what comes of one.
        """
        report = Report(dry_run)
        with self._database.transaction() as connection:
            chosen = [
                (person.person_id, upload_id)
                for person in people.everyone(connection)
                for upload_id in uploads.ids_since(connection, person.person_id, since)
            ]
        self._replay(chosen, report, on_progress)
        return report

    def one(self, person_id: int, upload_id: int, *, dry_run: bool = False) -> Report:
        """Replay one upload. Raises `NotFound`, `Conflict` for one that was not read yet, and as `everything` does."""
        with self._database.transaction() as connection:
            found = uploads.find(connection, person_id, upload_id)
        if found is None:
            raise NotFound(f"There is no upload {upload_id}.")
        if found.upload.state is UploadState.RECEIVED:
            raise Conflict(f"Upload {upload_id} still waits to be read at all; look again in a moment.")
        report = Report(dry_run)
        self._replay([(person_id, upload_id)], report, lambda _done, _all: None)
        return report

    def retry_quarantine(self, person_id: int, *, dry_run: bool = False) -> Report:
        """Replay the uploads of a person that brought what is in quarantine. Raises as `everything` does."""
        with self._database.transaction() as connection:
            chosen = [
                (person_id, upload_id) for upload_id in quarantine.uploads_with_items(connection, person_id)
            ]
        report = Report(dry_run)
        self._replay(chosen, report, lambda _done, _all: None)
        return report

    def several(self, person_id: int, upload_ids: Sequence[int]) -> None:
        """Replay some uploads of a person, waiting for another replay to end. Raises `StorageFull` without room."""
        report = Report(dry_run=False)
        with self._alone(wait=True):
            chosen = [(person_id, upload_id) for upload_id in upload_ids]
            self._replay_all(chosen, report, lambda _done, _all: None)

    def _replay(
        self, chosen: Sequence[tuple[int, int]], report: Report, on_progress: Callable[[int, int], None]
    ) -> None:
        with self._alone():
            self._replay_all(chosen, report, on_progress)

    @contextmanager
    def _alone(self, *, wait: bool = False) -> Iterator[None]:
        if not self._under_way.acquire(blocking=wait):
            raise Conflict("Other uploads are being read again just now; try again when that is done.")
        try:
            yield
        finally:
            self._under_way.release()

    def _replay_all(
        self, chosen: Sequence[tuple[int, int]], report: Report, on_progress: Callable[[int, int], None]
    ) -> None:
        if report.dry_run:
            try:
                # One transaction for all, so that two uploads telling the same are not both counted as new.
                with self._database.transaction() as connection:
                    for done, (person_id, upload_id) in enumerate(chosen):
                        self._replay_one(connection, person_id, upload_id, report)
                        on_progress(done + 1, len(chosen))
                    raise _Undone
            except _Undone:
                return
        for done, (person_id, upload_id) in enumerate(chosen):
            with (
                tracing(Trace("replay")) as trace,
                structlog.contextvars.bound_contextvars(upload_id=upload_id),
                self._database.transaction() as connection,
            ):
                self._replay_one(connection, person_id, upload_id, report)
                attempt = trace.as_json().items()
                uploads.add_attempts(
                    connection, {(person_id, upload_id, name): told for name, told in attempt}
                )
            on_progress(done + 1, len(chosen))
        log.info(
            "replayed", uploads=report.uploads, released=report.released, changed=report.changes_anything
        )

    def _replay_one(self, connection: Connection, person_id: int, upload_id: int, report: Report) -> None:
        lock_person(connection, person_id)  # before the look: another replay may be writing its receipt
        settled = uploads.find(connection, person_id, upload_id)
        body = uploads.body_of(connection, person_id, upload_id)
        if settled is None or body is None or settled.upload.content_type == IMPORTED:
            report.without_body += 1
            return
        packed = settled.upload.content_encoding not in ("", "identity")
        self._space.refuse_unless_room(len(body), packed=packed)
        try:
            understood = self._understanding.understand(connection, settled.upload, body)
        except RequestError:
            report.unreadable += 1
            return
        report.uploads += 1
        if settled.upload.state in (UploadState.REFUSED, UploadState.FAILED):
            receipt = understood.receipt(settled.upload, (), 0)
            uploads.settle(connection, receipt, person_id, self._clock.now(), understood.metrics)
        uploads.add_metrics(connection, person_id, upload_id, understood.metrics)
        self._count(understood, report)
        self._take_back(connection, settled.upload, understood, report)
        report.released += quarantine.release(
            connection, person_id, upload_id, understood.reading.quarantined
        )

    def _count(self, understood: Understood, report: Report) -> None:
        for batch, judgement in understood.samples:
            change = report.changes[batch.key.metric]
            change.added += len(judgement.insert)
            change.changed += len(judgement.update)
        for kind, verdicts in understood.records.items():
            change = report.changes[kind]
            change.added += verdicts.count(Verdict.STORED)
            change.changed += verdicts.count(Verdict.REVISED)

    def _take_back(
        self, connection: Connection, upload: Upload, understood: Understood, report: Report
    ) -> None:
        person_id, upload_id = upload.person_id, upload.upload_id
        states = series.of_person(connection, person_id, None)
        keys = {state.series_id: key for key, state in states.items()}
        told = {
            (states[batch.key].series_id, start) for batch, _ in understood.samples for start in batch.start
        }
        gone = [
            place
            for place in removal.samples_of(connection, person_id, upload_id)
            if (place.series_id, place.start) not in told
            and not is_derived(keys[place.series_id], self._catalogue)
        ]
        if gone:
            removal.take_back_samples(connection, person_id, upload_id, gone)
            removal.refresh_series(connection, person_id, sorted({place.series_id for place in gone}))
            days: dict[str, set[int]] = defaultdict(set)
            for place in gone:
                metric = keys[place.series_id].metric
                report.changes[metric].removed += 1
                days[metric].add(place.day)
            rule_of = rules_of(connection, person_id, self._catalogue)
            fresh = series.of_person(connection, person_id, list(days))
            rewrite(connection, person_id, resolve_days(connection, person_id, rule_of, fresh, days), days)
        held = removal.records_of(connection, person_id, upload_id)
        still = {
            (each.kind.value, each.identity)
            for found in understood.reading.records.values()
            for each in found
        }
        lost = {
            place: record_id
            for place, record_id in held.items()
            if place not in still and place[0] != Kind.SLEEP
        }
        for kind, _ in lost:
            report.changes[kind].removed += 1
        removal.remove_records(connection, person_id, list(lost.values()))
        sleeping = Sleeping(
            connection, upload, self._catalogue, rules_of(connection, person_id, self._catalogue)
        )
        report.changes[Kind.SLEEP].removed += sleeping.take_back(understood.reading.sleep)
