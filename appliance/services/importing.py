"""A person's past out of files: Apple's export, or what the phone app has exported, each file taken over as one upload.

Apple's export is read part by part, and each part is stored in a transaction of its own together with how far the import has
come, so that memory stays flat, uploads go on beside it, and one that was stopped or killed goes on where it was when
the same file is given again. What is stored goes the way of every upload, under the rules of truth. The file's bytes
are not kept; what of it was set aside is, where the bytes of an upload are. A file of the phone app is an upload like
those the phone sends: its bytes are kept and can be replayed.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection

from appliance.catalog.load import Catalogue
from appliance.domain.importing import ImportRun, ImportState
from appliance.domain.record import Kind
from appliance.domain.sample import SeriesKey
from appliance.domain.upload import IMPORTED, Automation, Counts, ItemError, Receipt, Upload, UploadState
from appliance.domain.whereabouts import Stay, Whereabouts
from appliance.foundation.clock import Clock
from appliance.foundation.errors import (
    Conflict,
    HearthbeatError,
    MalformedUpload,
    NotFound,
    UnreadableExport,
    UnsupportedFormat,
    UploadTooLarge,
)
from appliance.intake.apple.archive import content_hash, open_archive
from appliance.intake.apple.aside import reading
from appliance.intake.apple.elements import NoElement
from appliance.intake.apple.export import About
from appliance.intake.reading import SAMPLES, Reading
from appliance.services.replaying import Replaying
from appliance.services.resolving import DAYS_AT_ONCE, resolve_days, rewrite
from appliance.services.rules import RuleOf, rules_of
from appliance.services.sleeping import Sleeping, is_derived
from appliance.services.space import Space
from appliance.services.understanding import ERRORS_TOLD, Understanding, Understood
from appliance.storage import imports, people, quarantine, removal, series, uploads
from appliance.storage.database import Database, lock_person
from appliance.storage.series import SeriesState

# An import that has not been seen for longer than any part takes is not at work any more.
LOST_AFTER = timedelta(minutes=2)
MOST_ITEMS_KEPT = 20_000
MOST_BYTES_KEPT = 32 << 20
NAME_LENGTH = 200

log = structlog.get_logger("hearthbeat.imports")

Tell = Callable[[ImportRun], None]
Transaction = Callable[[], AbstractContextManager[Connection]]


class _TakenBack(Exception):
    pass


# What the phone app writes, by the end of the name.
_TYPES = {".json": "application/json", ".csv": "text/csv"}


def _type_of(path: Path) -> str:
    """Return the content type of a file of the phone app, empty for any other."""
    return _TYPES.get(path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix.lower(), "")


def _is_ours(path: Path) -> bool:
    """Whether something in a folder is a file of the phone app, and no pipe, and no note of a system beside one."""
    return bool(_type_of(path)) and path.is_file() and not path.name.startswith(".")


def _never() -> bool:
    return False


def _tell_nobody(_run: ImportRun) -> None:
    pass


class Importing:
    """Imports files, lists imports and takes them back."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        understanding: Understanding,
        replaying: Replaying,
        space: Space,
        clock: Clock,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._understanding = understanding
        self._replaying = replaying
        self._space = space
        self._clock = clock

    def files(
        self,
        person_id: int,
        path: Path,
        *,
        name: str = "",
        dry_run: bool = False,
        on_progress: Tell = _tell_nobody,
    ) -> list[ImportRun]:
        """Import files the phone app has written, JSON or CSV: one, or all of a folder by name.

        Each is an upload of its own. `name` is what people call a single one, where it is not the path's. Raises `UnreadableExport` where there is none, and for one that cannot be
        opened, with those before it imported.
        """
        chosen = sorted(filter(_is_ours, path.rglob("*"))) if path.is_dir() else [path]
        if not chosen or not all(map(_type_of, chosen)) or not all(each.is_file() for each in chosen):
            raise UnreadableExport(
                f"There is nothing in “{path}” that the phone app or Apple Health has exported."
            )
        runs = []
        for each in chosen:
            try:
                known_as = name if name and each is path else each.name
                runs.append(self._file(person_id, each, known_as, dry_run=dry_run))
            except (MalformedUpload, UploadTooLarge, UnsupportedFormat) as error:
                raise UnreadableExport(f"“{each.name}” cannot be read: {error.detail}") from error
            on_progress(runs[-1])
        return runs

    def _file(self, person_id: int, path: Path, name: str, *, dry_run: bool) -> ImportRun:
        size = path.stat().st_size
        self._space.refuse_unless_room(size, packed=path.suffix == ".gz")
        body = path.read_bytes()
        with self._transactions(taken_back=dry_run) as transaction, transaction() as connection:
            kept = _Kept(name[:NAME_LENGTH], _type_of(path), body)
            run, upload = self._run_of(connection, person_id, content_hash(path), kept)
            if run.known:
                return run
            within = _always(connection)
            work = _Work(self._catalogue, self._understanding, self._clock, within, upload, run)
            work.take(self._understanding.understand(connection, upload, body), size)
            return work.run

    def export(
        self,
        person_id: int,
        path: Path,
        *,
        name: str = "",
        stays: Sequence[Stay] = (),
        dry_run: bool = False,
        on_progress: Tell = _tell_nobody,
        stop: Callable[[], bool] = _never,
    ) -> ImportRun:
        """Import Apple's export: its zip, its folder or its main file.

        `name` is what people call the file, where it is not the path's. `stays` are times the person spent in other
        zones. `stop` is asked after each part; what was stopped goes on when the same file is given again. A file
        that was imported before is known at once. A dry run does everything and takes it back. Raises
        `UnreadableExport` before anything is stored, and `Conflict` while the same file is being imported.
        """
        with open_archive(path) as archive:  # looks whether it is one
            self._space.refuse_unless_room(archive.size)
        digest = content_hash(path)
        with self._transactions(taken_back=dry_run) as transaction:
            work = self._begin(transaction, person_id, (name or path.name)[:NAME_LENGTH], digest)
            if work.run.known:
                return work.run
            home = Whereabouts(self._person_zone(transaction, person_id), stays)
            try:
                with reading(path, self._catalogue, home, skip=work.run.done) as parts:
                    for part in parts:
                        self._space.refuse_unless_room()
                        work.store(part.reading, done=part.done, total=part.total, elements=part.elements)
                        on_progress(work.run)
                        if stop() or work.stop_asked:
                            work.stop()
                            return work.run
                work.finish(parts.about)
            except NoElement as error:
                work.give_up()
                raise UnreadableExport(f"“{path.name}” is no export of Apple Health: {error}.") from error
            except BaseException:
                if not dry_run:
                    with suppress(HearthbeatError):
                        work.stop()
                raise
        log.info("imported", upload_id=work.run.upload_id, dry_run=dry_run, **work.run.counts.as_dict())
        return work.run

    def listed(self, person_id: int) -> Sequence[ImportRun]:
        """Return a person's imports, newest first."""
        with self._database.transaction() as connection:
            return imports.listed(connection, person_id)

    def find(self, person_id: int, upload_id: int) -> ImportRun:
        """Return one import. Raises `NotFound`."""
        with self._database.transaction() as connection:
            run = imports.find(connection, person_id, upload_id)
        if run is None:
            raise NotFound(f"There is no import {upload_id}.")
        return run

    def of_file(self, person_id: int, digest: bytes) -> ImportRun | None:
        """Return the import of the file with this fingerprint, None where there is none that still counts."""
        with self._database.transaction() as connection:
            return imports.of_file(connection, person_id, digest)

    def stop(self, person_id: int, upload_id: int) -> ImportRun:
        """Let an import stop after the part it is at, whoever runs it; one that nobody runs any more is stopped at once.

        Raises `NotFound`, and `Conflict` when it is not at work.
        """
        run = self.find(person_id, upload_id)
        if run.state is not ImportState.RUNNING:
            raise Conflict(f"Import {upload_id} is not at work.")
        with self._database.transaction() as connection:
            if self.is_at_work(run):
                imports.ask_to_stop(connection, run)
            else:
                lock_person(connection, person_id)
                run = replace(
                    imports.find(connection, person_id, upload_id) or run, state=ImportState.STOPPED
                )
                imports.note(connection, run)
        return run

    def abandoned(self, person_id: int, upload_id: int) -> None:
        """Note of an import that whoever ran it is known to be gone, so that it can go on at once."""
        with self._database.transaction() as connection:
            lock_person(connection, person_id)
            run = imports.find(connection, person_id, upload_id)
            if run is not None and run.state is ImportState.RUNNING:
                imports.note(connection, replace(run, state=ImportState.STOPPED))

    def is_at_work(self, run: ImportRun) -> bool:
        """Whether somebody runs an import: it says so, and was seen lately."""
        return run.state is ImportState.RUNNING and self._clock.now() - run.seen_at < LOST_AFTER

    def undo(self, person_id: int, upload_id: int) -> ImportRun:
        """Take back everything an import brought, with what it had replaced put back.

        Uploads that told what was held by then, or what it replaced, are read again: they tell it now. So do other
        imported files when they are given again. Raises `NotFound`, and `Conflict` while it is at work or when it was
        undone before.
        """
        with self._database.transaction() as connection:
            lock_person(connection, person_id)
            run = imports.find(connection, person_id, upload_id)
            settled = uploads.find(connection, person_id, upload_id)
            if run is None or settled is None:
                raise NotFound(f"There is no import {upload_id}.")
            now = self._clock.now()
            if run.state is ImportState.UNDONE:
                raise Conflict(f"Import {upload_id} has been undone already.")
            if self.is_at_work(run):
                raise Conflict(f"Import {upload_id} is still at work; stop it first.")
            outdone = self._outdone_by(connection, run)
            self._take_back(connection, settled.upload)
            if settled.upload.state is UploadState.RECEIVED:  # it was stopped, and will not go on
                _settle(connection, settled.upload, run, now)
            run = replace(run, state=ImportState.UNDONE, seen_at=now, finished_at=now)
            imports.note(connection, run)
        self._replaying.several(person_id, outdone)
        log.info("import_undone", upload_id=upload_id, read_again=len(outdone))
        return run

    def _outdone_by(self, connection: Connection, run: ImportRun) -> list[int]:
        """Return the uploads of the phone that an import left nothing to tell, or whose telling it replaced."""
        slept = run.kinds.get(Kind.SLEEP, Counts()).revised > 0
        found = uploads.outdone_since(connection, run.person_id, run.started_at, sleep_before=slept)
        return sorted({*found, *removal.records_replaced_by(connection, run.person_id, run.upload_id)})

    def _take_back(self, connection: Connection, upload: Upload) -> None:
        person_id, upload_id = upload.person_id, upload.upload_id
        rule_of = rules_of(connection, person_id, self._catalogue)
        states = series.of_person(connection, person_id, None)
        touched: dict[SeriesKey, set[int]] = {}
        for key, state in states.items():
            _, days = removal.take_back_everything(connection, person_id, upload_id, state.series_id)
            touched[key] = set(days)
        records_told = removal.records_of(connection, person_id, upload_id)
        but_sleep = [record_id for (kind, _), record_id in records_told.items() if kind != Kind.SLEEP]
        removal.remove_records(connection, person_id, but_sleep)
        removal.forget_earlier_records(connection, person_id, upload_id)
        Sleeping(connection, upload, self._catalogue, rule_of).take_back(())
        for key, state in states.items():
            if is_derived(key, self._catalogue):  # nights that nobody tells any more are told as nothing
                touched[key].update(removal.remove_empty(connection, person_id, upload_id, state.series_id))
        if not quarantine.take_back(connection, person_id, upload_id):
            uploads.drop_body(connection, person_id, upload_id)
        self._resolve_again(connection, person_id, rule_of, states, touched)

    def _resolve_again(
        self,
        connection: Connection,
        person_id: int,
        rule_of: RuleOf,
        states: Mapping[SeriesKey, SeriesState],
        touched: Mapping[SeriesKey, set[int]],
    ) -> None:
        changed: dict[str, set[int]] = defaultdict(set)
        for key, days in touched.items():
            if days:
                removal.refresh_series(connection, person_id, [states[key].series_id])
                changed[key.metric] |= days
        for metric, numbers in changed.items():
            fresh = series.of_person(connection, person_id, [metric])
            ordered = sorted(numbers)
            for begin in range(0, len(ordered), DAYS_AT_ONCE):
                days_of_metric = {metric: set(ordered[begin : begin + DAYS_AT_ONCE])}
                resolved = resolve_days(connection, person_id, rule_of, fresh, days_of_metric)
                rewrite(connection, person_id, resolved, days_of_metric)

    @contextmanager
    def _transactions(self, *, taken_back: bool) -> Iterator[Transaction]:
        """Yield how to have a transaction: one each time, or always the same, which is rolled back in the end."""
        if not taken_back:
            yield self._database.transaction
            return
        with suppress(_TakenBack), self._database.transaction() as connection:
            yield _always(connection)
            raise _TakenBack

    def _person_zone(self, transaction: Transaction, person_id: int) -> Any:
        with transaction() as connection:
            return people.find(connection, person_id).zone

    def _begin(self, transaction: Transaction, person_id: int, name: str, digest: bytes) -> _Work:
        with transaction() as connection:
            run, upload = self._run_of(connection, person_id, digest, _Kept(name, IMPORTED, b""))
            work = _Work(self._catalogue, self._understanding, self._clock, transaction, upload, run)
            if not run.known:
                work.remember(
                    uploads.body_of(connection, person_id, run.upload_id),
                    quarantine.first_of(connection, person_id, run.upload_id, ERRORS_TOLD),
                )
            return work

    def _run_of(
        self, connection: Connection, person_id: int, digest: bytes, kept: _Kept
    ) -> tuple[ImportRun, Upload]:
        """Return the import of a file with its upload: the one there was, to be gone on with or known, or a new one."""
        now = self._clock.now()
        lock_person(connection, person_id)
        run = imports.of_file(connection, person_id, digest)
        if run is None:
            upload = uploads.receive(
                connection,
                person_id=person_id,
                key_id=None,
                request_id=secrets.token_hex(8),
                received_at=now,
                due_at=None,
                content_type=kept.content_type,
                content_encoding="",
                automation=Automation(name=kept.name),
                body=kept.body,
            )
            run = ImportRun(person_id, upload.upload_id, kept.name, ImportState.RUNNING, now, now)
            imports.add(connection, run, digest)
            return run, upload
        if self.is_at_work(run):
            raise Conflict(
                f"“{run.name}” is being imported already; if that was broken off, try again in"
                f" {LOST_AFTER.seconds // 60} minutes."
            )
        settled = uploads.find(connection, person_id, run.upload_id)
        if settled is None:
            raise NotFound(f"The upload of import {run.upload_id} is gone.")
        if run.state in (ImportState.STOPPED, ImportState.RUNNING):
            run = replace(run, state=ImportState.RUNNING, seen_at=now, bytes_per_s=0)
            imports.ask_to_stop(connection, run, asked=False)
            imports.note(connection, run)
            return run, settled.upload
        return replace(run, known=True), settled.upload


def _always(connection: Connection) -> Transaction:
    """Return how to have this connection, within its one transaction."""

    @contextmanager
    def the_same() -> Iterator[Connection]:
        yield connection

    return the_same


class _Kept(NamedTuple):
    """What an upload begins with: the name people call it by, and its bytes where they are kept."""

    name: str
    content_type: str
    body: bytes


@dataclass(slots=True)
class _Work:
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
        _settle(connection, self.upload, self.run, now, self.errors, took_ms)
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


def _settle(
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
