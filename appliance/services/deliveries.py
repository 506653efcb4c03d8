"""Files of a person's past that a browser brings: taken in chunk by chunk, imported one after the other, removed after.

Taking in a file that is given again goes on where it was; so does its import. Nothing here imports: the program that
does is started by `appliance.jobs.importer`, which asks what is due and tells how it ended.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import structlog

from appliance.domain.delivery import CHUNK_BYTES, Delivery, DeliveryState
from appliance.domain.importing import ImportRun, ImportState
from appliance.domain.job import JobResult
from appliance.domain.text import storable_text
from appliance.foundation.clock import Clock
from appliance.foundation.errors import (
    Conflict,
    HearthbeatError,
    NotFound,
    RequestError,
    StorageFull,
    UnreadableExport,
    UploadTooLarge,
)
from appliance.intake.apple.archive import content_hash
from appliance.services.delivery_folder import DeliveryFolder, ending_of
from appliance.services.importing import NAME_LENGTH, Importing
from appliance.services.space import Space
from appliance.storage import people
from appliance.storage.database import Database

KEPT = timedelta(days=7)
LARGEST = 64 << 30
MOST_OF_ONE = 200
UNDONE_WITHIN_S = 5.0

# In which a file can be gone on with.
_OPEN = {
    DeliveryState.ARRIVING,
    DeliveryState.WAITING,
    DeliveryState.RUNNING,
    DeliveryState.STOPPED,
    DeliveryState.FAILED,
}
_OVER = {ImportState.DONE, ImportState.CUT}

log = structlog.get_logger("hearthbeat.imports")


class Deliveries:
    """Takes in files and knows what becomes of them. What another person's id names does not exist."""

    def __init__(
        self, folder: DeliveryFolder, database: Database, importing: Importing, space: Space, clock: Clock
    ) -> None:
        self._folder = folder
        self._database = database
        self._importing = importing
        self._space = space
        self._clock = clock
        self.on_waiting: Callable[[], None] = lambda: None
        self._undoing: set[int] = set()

    def begin(self, person_id: int, name: str, size: int, modified_ms: int) -> Delivery:
        """Return the delivery of a file: the one there was, to be gone on with, or a new one.

        A file is known by its name, size and time of change. Raises `UnreadableExport` for what cannot be imported
        going by its name, `RequestError` or `UploadTooLarge` for an odd size, `Conflict` when too many files are on
        their way, and `StorageFull`.
        """
        name = storable_text(name)[-NAME_LENGTH:]
        if ending_of(name) is None:
            raise UnreadableExport(
                f"“{name}” is none of: Apple's export.zip or export.xml, a JSON or CSV file of Health Auto Export."
            )
        if size <= 0:
            raise RequestError(f"“{name}” is empty.")
        if size > LARGEST:
            raise UploadTooLarge(f"“{name}” is larger than any export.")
        with self._folder.held():
            mine = self._folder.of_person(person_id)
            same = [
                each for each in mine if (each.name, each.size, each.modified_ms) == (name, size, modified_ms)
            ]
            found = next((each for each in same if each.state in _OPEN), None)
            if found is None and sum(each.state in _OPEN for each in mine) >= MOST_OF_ONE:
                raise Conflict(f"{MOST_OF_ONE} files are on their way; wait for some, or remove some.")
            self._space.refuse_unless_room_for_file(size - (found.have if found else 0))
            for each in same:
                if each is not found:
                    self._folder.remove(each)
            now = self._clock.now()
            if found is None:
                found = Delivery(
                    person_id, secrets.token_hex(8), name, size, modified_ms, DeliveryState.ARRIVING, now, now
                )
            return self._folder.write(replace(found, seen_at=now))

    def put(self, person_id: int, delivery_id: str, at: int, chunk: bytes) -> Delivery:
        """Take a chunk that begins at byte `at`, which must be the next one.

        Raises `NotFound`, `Conflict` for any other place (look how many there are and go on there), `UploadTooLarge`
        for a chunk too long, and `StorageFull`.
        """
        if len(chunk) > CHUNK_BYTES:
            raise UploadTooLarge(f"A chunk has at most {CHUNK_BYTES:,} bytes.")
        with self._folder.held():
            delivery = self.find(person_id, delivery_id)
            if delivery.state is not DeliveryState.ARRIVING or at != delivery.have:
                raise Conflict(f"The next byte that is missing is {delivery.have}.")
            if at + len(chunk) > delivery.size:
                raise UploadTooLarge(f"The file was said to have {delivery.size:,} bytes; this is more.")
            self._space.refuse_unless_room_for_file(len(chunk))
            try:
                self._folder.append(delivery, at, chunk)
            except OSError as error:
                raise StorageFull(
                    f"The file cannot be kept ({error.strerror or error}); free some space, then go on."
                ) from error
            return self._folder.write(replace(delivery, have=at + len(chunk), seen_at=self._clock.now()))

    def finish(self, person_id: int, delivery_id: str) -> Delivery:
        """Have a file imported that is there whole; it waits for its turn then. One imported before has ended.

        Also goes on with one that was stopped or has failed. Raises `NotFound`, and `Conflict` while bytes are
        missing or when its bytes are gone.
        """
        delivery = self.find(person_id, delivery_id)
        if delivery.state in (DeliveryState.WAITING, DeliveryState.RUNNING):
            return delivery
        if delivery.state not in _OPEN:
            raise Conflict(f"“{delivery.name}” is not here any more; choose it again.")
        if not delivery.is_whole:
            raise Conflict(f"{delivery.size - delivery.have:,} bytes of “{delivery.name}” are missing.")
        digest = delivery.digest or content_hash(self._folder.path(delivery)).hex()
        waiting = replace(delivery, digest=digest, state=DeliveryState.WAITING, told="")
        with self._folder.held():
            if self.find(person_id, delivery_id).state is delivery.state:
                self._write(waiting)
        settled = self._settled(self.find(person_id, delivery_id))
        self.on_waiting()
        return settled

    def stop(self, person_id: int, delivery_id: str) -> Delivery:
        """Stop a file's import, or keep it from beginning. Raises `NotFound`, and `Conflict` when it does neither."""
        delivery = self.find(person_id, delivery_id)
        if delivery.state not in (DeliveryState.WAITING, DeliveryState.RUNNING):
            raise Conflict(f"“{delivery.name}” is not being imported.")
        run = self._run_of(delivery)
        if run is not None and run.state is ImportState.RUNNING:
            self._importing.stop(person_id, run.upload_id)  # it ends by itself, after its part
            return delivery
        return self._write(replace(delivery, state=DeliveryState.STOPPED))

    def remove(self, person_id: int, delivery_id: str) -> None:
        """Remove a file that is not being imported. Raises `NotFound` and `Conflict`."""
        with self._folder.held():
            delivery = self.find(person_id, delivery_id)
            if delivery.state is DeliveryState.RUNNING:
                raise Conflict(f"“{delivery.name}” is being imported; stop that first.")
            self._folder.remove(delivery)

    def undo(self, person_id: int, upload_id: int, within_s: float = UNDONE_WITHIN_S) -> bool:
        """Take back what an import brought, and its file where that is still here; return whether that is done.

        Years of data take minutes, so that after `within_s` it goes on by itself. Raises as `Importing.undo` does, and
        `Conflict` while it is being undone already. When this program ends meanwhile nothing is undone.
        """
        self._importing.find(person_id, upload_id)
        if upload_id in self._undoing:
            raise Conflict(f"Import {upload_id} is being undone already.")
        self._undoing.add(upload_id)
        over: Future[None] = Future()

        def work() -> None:
            error: BaseException | None = None
            try:
                self._importing.undo(person_id, upload_id)
                if (delivery := self.of_import(person_id, upload_id)) is not None:
                    self._folder.remove(delivery)
            except BaseException as stumble:  # handed to whoever waits for it
                error = stumble
                if not isinstance(error, HearthbeatError):
                    log.exception("import_not_undone", upload_id=upload_id)
            self._undoing.discard(upload_id)
            over.set_exception(error) if error else over.set_result(None)

        threading.Thread(target=work, name=f"undo {upload_id}", daemon=True).start()
        try:
            over.result(within_s)
        except TimeoutError:
            return over.done()
        return True

    def is_being_undone(self, upload_id: int) -> bool:
        """Whether an import is being taken back here."""
        return upload_id in self._undoing

    def find(self, person_id: int, delivery_id: str) -> Delivery:
        """Return one delivery. Raises `NotFound`."""
        delivery = self._folder.find(person_id, delivery_id)
        if delivery is None:
            raise NotFound("There is no such file on its way.")
        return delivery

    def listed(self, person_id: int) -> list[Delivery]:
        """Return a person's deliveries that have not ended, the newest first."""
        mine = self._folder.of_person(person_id)
        return [each for each in reversed(mine) if each.state is not DeliveryState.ENDED]

    def of_import(self, person_id: int, upload_id: int) -> Delivery | None:
        """Return the delivery of an import whose file is still here."""
        return next((each for each in self.listed(person_id) if each.upload_id == upload_id), None)

    def path(self, delivery: Delivery) -> Path:
        """Return where its bytes are."""
        return self._folder.path(delivery)

    def words_path(self, delivery: Delivery) -> Path:
        """Return where its import says what went wrong."""
        return self._folder.words_path(delivery)

    def running(self) -> list[Delivery]:
        """Return those that are being imported, or were when this server ended: nobody else uses its folder."""
        return [each for each in self._all() if each.state is DeliveryState.RUNNING]

    def due(self) -> list[Delivery]:
        """Return whose turn it is: of each person for whom none is being imported, the one that came first."""
        found = []
        for person_id in self._folder.people():
            mine = self._folder.of_person(person_id)
            if any(each.state is DeliveryState.RUNNING for each in mine):
                continue
            for each in mine:
                if each.state is DeliveryState.WAITING and self._is_due(each):
                    found.append(each)
                    break
        return found

    def begun(self, delivery: Delivery) -> None:
        """Note that its import has begun."""
        self._write(replace(delivery, state=DeliveryState.RUNNING, seen_at=self._clock.now()))

    def runs_as(self, delivery: Delivery, pid: int, since: float) -> None:
        """Note which program imports it, so that a later server can tell whether it still does."""
        now = self._folder.find(delivery.person_id, delivery.delivery_id)
        if now is not None:
            self._write(replace(now, pid=pid, pid_since=since))

    def looked_at(self, delivery: Delivery) -> bool:
        """Note which import it is once that is known; return whether it is still wanted."""
        now = self._folder.find(delivery.person_id, delivery.delivery_id)
        if now is None or now.state is not DeliveryState.RUNNING:
            return False
        if now.upload_id is None and (run := self._run_of(now)) is not None:
            self._write(replace(now, upload_id=run.upload_id))
        return True

    def cut_off(self, delivery: Delivery) -> None:
        """Note that the program that imported it has ended before its time; it goes on with its next turn."""
        now = self._folder.find(delivery.person_id, delivery.delivery_id)
        if now is None or now.state is not DeliveryState.RUNNING:
            return
        run = self._run_of(now)
        if run is not None and now.pid:
            self._importing.abandoned(run.person_id, run.upload_id)
        self._settled(self._write(replace(now, state=DeliveryState.WAITING, pid=0)))

    def ended(self, delivery: Delivery, error: str, *, is_unreadable: bool) -> Delivery | None:
        """Note how its import ended; `error` is what went wrong, empty for nothing."""
        now = self._folder.find(delivery.person_id, delivery.delivery_id)
        if now is None:
            return None
        path = self._folder.path(now)
        told = error.replace(str(path), now.name).replace(path.name, now.name)
        if is_unreadable:
            self._folder.drop_bytes(now)
            return self._write(replace(now, state=DeliveryState.UNREADABLE, told=told))
        run = self._run_of(now)
        if run is not None and now.upload_id is None:
            now = self._write(replace(now, upload_id=run.upload_id))
        now = self._settled(now)
        if now.state is not DeliveryState.RUNNING:
            return now
        if run is not None and self._importing.is_at_work(run):  # somebody else imports the same file
            return self._write(replace(now, state=DeliveryState.WAITING))
        if run is not None and run.state is ImportState.STOPPED and not error:
            return self._write(replace(now, state=DeliveryState.STOPPED))
        log.warning("import_failed", person_id=now.person_id, upload_id=now.upload_id)
        return self._write(
            replace(now, state=DeliveryState.FAILED, told=told or "It ended before it was done.")
        )

    def prune(self) -> JobResult:
        """Remove files that were left half-way, or over, for a week, and those of people who are not here any more."""
        with self._database.transaction() as connection:
            known = {person.person_id for person in people.everyone(connection)}
        oldest, removed = self._clock.now() - KEPT, 0
        for delivery in self._all():
            is_busy = delivery.state in (DeliveryState.WAITING, DeliveryState.RUNNING)
            if delivery.person_id not in known or (delivery.seen_at < oldest and not is_busy):
                self._folder.remove(delivery)
                removed += 1
            else:
                self._settled(delivery)
        for person_id in self._folder.people():
            self._folder.sweep(person_id)
        return JobResult(f"{removed:,} files are removed that were brought and left.", {"removed": removed})

    def _all(self) -> Iterator[Delivery]:
        for person_id in self._folder.people():
            yield from self._folder.of_person(person_id)

    def _run_of(self, delivery: Delivery) -> ImportRun | None:
        if not delivery.digest:
            return None
        return self._importing.of_file(delivery.person_id, bytes.fromhex(delivery.digest))

    def _is_due(self, delivery: Delivery) -> bool:
        if self._settled(delivery).state is not DeliveryState.WAITING:
            return False
        run = self._run_of(delivery)
        return run is None or not self._importing.is_at_work(run)  # a terminal may import the same file

    def _settled(self, delivery: Delivery) -> Delivery:
        """Return the delivery; one whose import is over has ended, and its bytes go."""
        run = self._run_of(delivery)
        undone = False
        if run is None and delivery.upload_id is not None:
            try:
                undone = (
                    self._importing.find(delivery.person_id, delivery.upload_id).state is ImportState.UNDONE
                )
            except HearthbeatError:
                undone = True
        if delivery.state is DeliveryState.ENDED or not (undone or (run is not None and run.state in _OVER)):
            return delivery
        self._folder.drop_bytes(delivery)
        return self._write(
            replace(
                delivery, state=DeliveryState.ENDED, upload_id=run.upload_id if run else delivery.upload_id
            )
        )

    def _write(self, delivery: Delivery) -> Delivery:
        with self._folder.held():
            # One that was removed meanwhile stays so.
            is_there = self._folder.find(delivery.person_id, delivery.delivery_id) is not None
            return self._folder.write(delivery) if is_there else delivery
