"""The way of one upload through the house.

    request → key → limit → receive (bytes durable) → read → store (one transaction) → receipt

Cached answers are forgotten by the store step itself: it draws a new generation for every series it changes, and
a cached answer is only ever found under the generation it was made for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from appliance.domain.key import ApiKey, Scope
from appliance.domain.presented import Presented
from appliance.domain.upload import Automation, Counts, Receipt, Upload, UploadState
from appliance.foundation.clock import Clock
from appliance.foundation.errors import (
    DependencyError,
    NotFound,
    RequestError,
    StatementTimedOut,
    StorageFull,
    UnsupportedFormat,
    UploadTooLarge,
)
from appliance.foundation.settings import Settings
from appliance.foundation.steps import Trace, passed, trace_under_way, tracing
from appliance.foundation.telemetry import Telemetry
from appliance.intake.document import is_readable, unpack_beginning, unpacked_size
from appliance.services.advising import advise
from appliance.services.keys import Admission, Keys
from appliance.services.space import Space
from appliance.services.tracing import Tracing
from appliance.services.understanding import Understanding
from appliance.storage import arrivals, uploads
from appliance.storage.database import Database
from appliance.storage.uploads import Attempts, Chosen, Settled

# How often a worker takes an upload up before it is given up, over some eleven hours. Taking it up is what counts,
# so that one which brings the program or the database down each time is given up too. While the database is away
# nothing can be taken up, so an outage costs one attempt at most, however long it lasts.
ATTEMPTS = 8
FIRST_PAUSE_S = 2
PAUSE_GROWS_BY = 6
LONGEST_PAUSE = timedelta(hours=6)
NO_ROOM_PAUSE = timedelta(minutes=1)

# Who sends is told from this many of the newest uploads.
SENDERS_SOUGHT_IN = 2_000

log = structlog.get_logger("hearthbeat.uploads")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request to keep and understand a body, before anything is known to be true of it.

    `read_body` returns all bytes; it is only called once the key has been let in.
    """

    presented_key: Presented
    address: str
    request_id: str
    content_type: str
    content_encoding: str
    automation: Automation
    size_bytes: int
    read_body: Callable[[], bytes]


class Uploads:
    """Accepts uploads, works on them and looks them up."""

    def __init__(
        self,
        database: Database,
        keys: Keys,
        understanding: Understanding,
        traces: Tracing,
        space: Space,
        settings: Settings,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._database = database
        self._keys = keys
        self._understanding = understanding
        self._traces = traces
        self._space = space
        self._settings = settings
        self._clock = clock
        self._telemetry = telemetry
        self.on_deferred: Callable[[], None] = lambda: None

    def accept(self, arrival: Arrival) -> tuple[Receipt, Admission]:
        """Take one upload all the way; a large body is only kept here and worked on afterwards.

        Raises `AccessError` before anything is kept, `MalformedUpload` after the bytes are, and `DependencyError`
        when they cannot be.
        """
        admission = self._keys.admit(arrival.presented_key, Scope.INGEST, arrival.address, arrival.size_bytes)
        passed("admitted")
        upload, body, deferred = self._receive(admission.key, arrival)
        if deferred:
            self.on_deferred()
            return _accepted(upload), admission
        try:
            return self._work_on(upload, body), admission
        except DependencyError as away:
            # The bytes are durable already: the phone need not send them again, a worker goes on when it can.
            log.warning("upload_waits", reason=away.code)
            self.on_deferred()
            return _accepted(upload), admission

    def work_on_due(self) -> bool:
        """Work on the upload that has been due for longest; return whether there was one.

        Raises `DependencyError` when the database is away or full; the upload is due again then.
        """
        self._space.refuse_unless_room()
        with tracing(Trace("worker")) as trace:
            taken = self._take_up()
            if taken is None:
                return False
            upload, attempts = taken
            if attempts > ATTEMPTS:
                return True
            trace.subject = (upload.person_id, upload.upload_id)
            passed("claimed")
            try:
                self._work_on(upload, None, attempts)
            except RequestError:
                pass  # noted with the upload, where it can be read
            except StorageFull:
                self._count_attempts(upload, attempts - 1, NO_ROOM_PAUSE)
                raise
            finally:
                log.info("attempt_ended", **trace.for_log())
                self._traces.ended(trace)
        # Only here: what goes wrong is told by our caller, and belongs to this upload.
        structlog.contextvars.unbind_contextvars("request_id", "upload_id")
        return True

    def _take_up(self) -> tuple[Upload, int] | None:
        """Take up the upload that has been due for longest, and say how often that has happened to it by now.

        It is due again after a pause, should nothing come of this attempt; so a troublesome one steps aside.
        """
        with self._database.transaction() as connection:
            due = uploads.claim_due(connection, self._clock.now())
            if due is None:
                return None
            upload, before = due
            structlog.contextvars.bind_contextvars(request_id=upload.request_id, upload_id=upload.upload_id)
            if before < ATTEMPTS:
                again_at = self._clock.now() + _pause_after(before + 1)
                uploads.count_attempts(connection, upload.person_id, upload.upload_id, before + 1, again_at)
            else:
                log.error("upload_given_up", attempts=before)
                uploads.postpone(connection, upload.person_id, upload.upload_id, "broken off each time", None)
        return upload, before + 1

    def _count_attempts(self, upload: Upload, attempts: int, pause: timedelta) -> None:
        with suppress(DependencyError), self._database.transaction() as connection:
            again_at = self._clock.now() + pause
            uploads.count_attempts(connection, upload.person_id, upload.upload_id, attempts, again_at)

    def find(self, person_id: int, upload_id: int) -> Settled:
        """Return one upload with its receipt. Raises `NotFound`."""
        with self._database.transaction() as connection:
            settled = uploads.find(connection, person_id, upload_id)
        if settled is None:
            raise NotFound(f"There is no upload {upload_id}.")
        return settled

    def listed(
        self,
        person_id: int,
        *,
        before: int | None,
        limit: int,
        key_id: int | None = None,
        state: UploadState | None = None,
        automation_name: str | None = None,
    ) -> list[Settled]:
        """Return uploads, newest first; those of a key, in a state or of an automation where one is named."""
        chosen = Chosen(key_id, state, automation_name)
        with self._database.transaction() as connection:
            return uploads.listed(connection, person_id, before=before, limit=limit, chosen=chosen)

    def senders(self, person_id: int) -> list[tuple[int | None, str]]:
        """Return which keys and automations (by name) sent lately."""
        with self._database.transaction() as connection:
            return uploads.senders(connection, person_id, SENDERS_SOUGHT_IN)

    def counted_by_key(self) -> dict[int, int]:
        """Return how many uploads came with each key, by its id; a key without any is not in it."""
        with self._database.transaction() as connection:
            return arrivals.counted(connection)

    def body(self, person_id: int, upload_id: int) -> tuple[Upload, bytes]:
        """Return the exact bytes as they came. Raises `NotFound`."""
        upload = self.find(person_id, upload_id).upload
        with self._database.transaction() as connection:
            body = uploads.body_of(connection, person_id, upload_id)
        if body is None:
            raise NotFound(f"The bytes of upload {upload_id} are no longer kept.")
        return upload, body

    def beginning(self, person_id: int, upload_id: int, size: int) -> tuple[Upload, bytes, bool]:
        """Return the first bytes of what was sent, unpacked, and whether that is all. Raises `NotFound`."""
        upload, body = self.body(person_id, upload_id)
        begun = unpack_beginning(body, size + 1)
        return upload, begun[:size], len(begun) <= size

    def _receive(self, key: ApiKey, arrival: Arrival) -> tuple[Upload, bytes, bool]:
        """Make the bytes durable; return them with the upload, and whether it is left to the worker."""
        self._refuse_unless_readable(arrival)
        body = arrival.read_body()
        passed("body_read", bytes=len(body))
        if len(body) > self._settings.max_upload_bytes:
            raise self._too_large()
        self._space.refuse_unless_room(len(body), packed=arrival.content_encoding not in ("", "identity"))
        # Of a packed body counts what it unpacks to: that is the work, and the memory many at once would take. Too
        # large a one is refused without unpacking it, so that the phone is told at once.
        most = self._settings.max_upload_bytes
        deferred = self._settings.sync_upload_bytes < unpacked_size(body, most) <= most
        now = self._clock.now()
        with self._database.transaction() as connection:
            upload = uploads.receive(
                connection,
                person_id=key.person_id,
                key_id=key.key_id,
                request_id=arrival.request_id,
                received_at=now,
                due_at=now,
                content_type=arrival.content_type[:200],
                content_encoding=arrival.content_encoding[:40],
                automation=arrival.automation,
                body=body,
            )
        passed("received")
        if trace := trace_under_way():
            trace.subject = (upload.person_id, upload.upload_id)
        self._telemetry.received_bytes.inc(len(body))
        structlog.contextvars.bind_contextvars(upload_id=upload.upload_id)
        log.info("upload_received", size_bytes=len(body), deferred=deferred)
        return upload, body, deferred

    def _refuse_unless_readable(self, arrival: Arrival) -> None:
        if arrival.size_bytes > self._settings.max_upload_bytes:
            raise self._too_large()
        if not is_readable(arrival.content_type):
            raise UnsupportedFormat(
                f"The content type “{arrival.content_type[:60]}” is not accepted; set the automation's format to JSON,"
                " version 2."
            )

    def _too_large(self) -> UploadTooLarge:
        return UploadTooLarge(
            f"The upload is larger than {self._settings.max_upload_mb} MB; turn on Batch Requests in the automation."
        )

    def _work_on(self, upload: Upload, body: bytes | None, attempts: int = 0) -> Receipt:
        """Read and store one received upload, or say why it cannot be read.

        Whoever works on an upload has its row locked, and the lock goes with the transaction however that ends. So
        an upload is due from the moment its bytes are durable: a worker passes over one that is in good hands. A
        request (without `attempts`) whose upload was taken by a worker in between waits for its receipt.
        """
        started = time.perf_counter()
        refusal: RequestError | None = None
        receipt: Receipt | None = None
        try:
            with self._database.transaction() as connection:
                if uploads.claim(connection, upload.person_id, upload.upload_id, wait=not attempts):
                    if body is None:
                        body = uploads.body_of(connection, upload.person_id, upload.upload_id)
                    try:
                        receipt = self._read_and_store(connection, upload, body or b"", started)
                    except RequestError as error:
                        refusal = error
                        uploads.refuse(
                            connection,
                            upload.person_id,
                            upload.upload_id,
                            error.detail,
                            self._clock.now(),
                            _way_so_far(),
                        )
        except StatementTimedOut as overdue:
            log.warning("upload_overdue", attempts=attempts)
            return self._try_later(upload, overdue.detail, attempts)
        except DependencyError:
            raise
        except Exception as stumble:
            # The bytes are durable, so the phone has done its part; the worker tries again, and a person sees it.
            log.exception("upload_failed")
            self._telemetry.stumbles.inc()
            return self._try_later(upload, f"{type(stumble).__name__} while reading it", attempts)
        passed("committed")
        if refusal is not None:
            self._telemetry.uploads.labels(state=UploadState.REFUSED).inc()
            log.warning("upload_refused", reason=refusal.code)
            raise refusal
        if receipt is None:  # another worker had it
            return self.find(upload.person_id, upload.upload_id).receipt
        self._tell(receipt, started)
        return receipt

    def _try_later(self, upload: Upload, why: str, attempts: int) -> Receipt:
        again_at = self._clock.now() + _pause_after(attempts) if attempts < ATTEMPTS else None
        with self._database.transaction() as connection:
            uploads.postpone(connection, upload.person_id, upload.upload_id, why, again_at, _way_so_far())
        return _accepted(upload)

    def _read_and_store(self, connection: Connection, upload: Upload, body: bytes, started: float) -> Receipt:
        understood = self._understanding.understand(connection, upload, body)
        advice = advise(connection, upload, understood.reading, upload.received_at)
        passed("advised")
        receipt = understood.receipt(upload, advice, round((time.perf_counter() - started) * 1000))
        uploads.settle(
            connection, receipt, upload.person_id, self._clock.now(), understood.metrics, _way_so_far()
        )
        passed("settled")
        return receipt

    def _tell(self, receipt: Receipt, started: float) -> None:
        counts = receipt.counts
        elapsed = time.perf_counter() - started
        self._telemetry.uploads.labels(state=receipt.status).inc()
        self._telemetry.processing_seconds.observe(elapsed)
        for outcome, count in counts.as_dict().items():
            if outcome != "received" and count:
                self._telemetry.items.labels(outcome=outcome).inc(count)
        for error in receipt.errors:
            self._telemetry.quarantined.labels(reason=error.reason).inc()
        log.info(
            "upload_processed", status=receipt.status, duration_ms=round(elapsed * 1000), **counts.as_dict()
        )


def _pause_after(attempts: int) -> timedelta:
    if attempts == 0:
        return timedelta()
    return min(timedelta(seconds=FIRST_PAUSE_S * PAUSE_GROWS_BY ** (attempts - 1)), LONGEST_PAUSE)


def _way_so_far() -> Attempts | None:
    trace = trace_under_way()
    return trace.as_json() if trace else None


def _accepted(upload: Upload) -> Receipt:
    return Receipt(upload.request_id, upload.upload_id, "accepted", Counts(), {}, (), (), 0)
