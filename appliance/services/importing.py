"""A person's past out of files: Apple's export, or what the phone app has exported, each file taken over as one upload.

Apple's export is read part by part, and each part is stored in a transaction of its own together with how far the import has
come, so that memory stays flat, uploads go on beside it, and one that was stopped or killed goes on where it was when
the same file is given again. What is stored goes the way of every upload, under the rules of truth. The file's bytes
are not kept; what of it was set aside is, where the bytes of an upload are. A file of the phone app is an upload like
those the phone sends: its bytes are kept and can be replayed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import structlog
from sqlalchemy import Connection

from appliance.catalog.load import Catalogue
from appliance.domain.importing import ImportRun, ImportState
from appliance.domain.record import Kind
from appliance.domain.upload import IMPORTED, Automation, Counts, Upload, UploadState
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
from appliance.services.import_work import ImportWork, Transaction, settle_import
from appliance.services.replaying import Replaying
from appliance.services.space import Space
from appliance.services.taking_back import take_back
from appliance.services.understanding import ERRORS_TOLD, Understanding
from appliance.storage import imports, people, quarantine, removal, uploads
from appliance.storage.database import Database, lock_person

# An import that has not been seen for longer than any part takes is not at work any more.
LOST_AFTER = timedelta(minutes=2)
NAME_LENGTH = 200

log = structlog.get_logger("hearthbeat.imports")

Tell = Callable[[ImportRun], None]


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
        on_unreadable: Callable[[UnreadableExport], None] | None = None,
    ) -> list[ImportRun]:
        """Import files the phone app has written, JSON or CSV: one, or all of a folder by name.

        Each is an upload of its own. `name` is what people call a single one, where it is not the path's. Raises
        `UnreadableExport` where there is none, and for one that cannot be read unless `on_unreadable` takes it: then
        the others are imported all the same.
        """
        chosen = sorted(filter(_is_ours, path.rglob("*"))) if path.is_dir() else [path]
        if not chosen or not all(map(_type_of, chosen)) or not all(each.is_file() for each in chosen):
            archives = sorted(path.rglob("*.zip")) if path.is_dir() else []
            instead = f"; give “{archives[0].relative_to(path)}” in it by itself" if archives else ""
            raise UnreadableExport(
                f"There is nothing in “{path}” that the phone app or Apple Health has exported{instead}."
            )
        runs = []
        for each in chosen:
            try:
                known_as = name if name and each is path else each.name
                runs.append(self._file(person_id, each, known_as, dry_run=dry_run))
            except (MalformedUpload, UploadTooLarge, UnsupportedFormat) as error:
                unreadable = UnreadableExport(f"“{each.name}” cannot be read: {error.detail}")
                if on_unreadable is None:
                    raise unreadable from error
                on_unreadable(unreadable)
            else:
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
            work = ImportWork(self._catalogue, self._understanding, self._clock, within, upload, run)
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
        zones, beside those that are kept of them, which they outdo. `stop` is asked after each part; what was stopped goes on when the same file is given again. A file
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
            home = self._whereabouts(transaction, person_id, stays)
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
            take_back(connection, settled.upload, self._catalogue)
            if settled.upload.state is UploadState.RECEIVED:  # it was stopped, and will not go on
                settle_import(connection, settled.upload, run, now)
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

    @contextmanager
    def _transactions(self, *, taken_back: bool) -> Iterator[Transaction]:
        """Yield how to have a transaction: one each time, or always the same, which is rolled back in the end."""
        if not taken_back:
            yield self._database.transaction
            return
        with suppress(_TakenBack), self._database.transaction() as connection:
            yield _always(connection)
            raise _TakenBack

    def _whereabouts(self, transaction: Transaction, person_id: int, stays: Sequence[Stay]) -> Whereabouts:
        with transaction() as connection:
            kept = [away.stay for away in people.days_away(connection, person_id)]
            return Whereabouts(people.find(connection, person_id).zone, [*kept, *stays])

    def _begin(self, transaction: Transaction, person_id: int, name: str, digest: bytes) -> ImportWork:
        with transaction() as connection:
            run, upload = self._run_of(connection, person_id, digest, _Kept(name, IMPORTED, b""))
            work = ImportWork(self._catalogue, self._understanding, self._clock, transaction, upload, run)
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
