"""The way of one upload through the house.

    request → key → limit → receive (bytes durable) → read → store (one transaction) → receipt

Cached answers are forgotten by the store step itself: it draws a new generation for every series it changes, and
a cached answer is only ever found under the generation it was made for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from appliance.domain.key import ApiKey, Scope
from appliance.domain.upload import Automation, Counts, Receipt, Upload, UploadState
from appliance.foundation.clock import Clock
from appliance.foundation.errors import (
    DependencyError,
    NotFound,
    RequestError,
    UnsupportedFormat,
    UploadTooLarge,
)
from appliance.foundation.settings import Settings
from appliance.foundation.steps import passed
from appliance.foundation.telemetry import Telemetry
from appliance.intake.document import is_readable
from appliance.services.advising import advise
from appliance.services.keys import Admission, Keys
from appliance.services.understanding import Understanding
from appliance.storage import uploads
from appliance.storage.database import Database
from appliance.storage.uploads import Settled

# A request that dies on its way leaves its upload to the worker after this time.
LEASE = timedelta(minutes=2)
RETRY_AFTER = timedelta(minutes=1)
ATTEMPTS = 3

log = structlog.get_logger("hearthbeat.uploads")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request to keep and understand a body, before anything is known to be true of it.

    `read_body` returns all bytes; it is only called once the key has been let in.
    """

    presented_key: str | None
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
        settings: Settings,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._database = database
        self._keys = keys
        self._understanding = understanding
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
        upload, body = self._receive(admission.key, arrival)
        if upload.size_bytes > self._settings.sync_upload_bytes:
            self.on_deferred()
            return _accepted(upload), admission
        try:
            return self._work_on(upload, body), admission
        except DependencyError as away:
            # The bytes are durable already: the phone need not send them again, a worker goes on when it can.
            log.warning("upload_waits", reason=away.code)
            return _accepted(upload), admission

    def work_on_due(self) -> bool:
        """Work on the oldest upload that waits for a worker; return whether there was one."""
        with self._database.transaction() as connection:
            upload = uploads.claim_due(connection, self._clock.now())
            if upload is None:
                return False
            structlog.contextvars.bind_contextvars(request_id=upload.request_id, upload_id=upload.upload_id)
        try:
            self._work_on(upload, None)
        except RequestError:
            pass  # noted with the upload, where it can be read
        finally:
            structlog.contextvars.unbind_contextvars("request_id", "upload_id")
        return True

    def find(self, person_id: int, upload_id: int) -> Settled:
        """Return one upload with its receipt. Raises `NotFound`."""
        with self._database.transaction() as connection:
            settled = uploads.find(connection, person_id, upload_id)
        if settled is None:
            raise NotFound(f"There is no upload {upload_id}.")
        return settled

    def listed(self, person_id: int, *, before: int | None, limit: int) -> list[Settled]:
        """Return uploads, newest first."""
        with self._database.transaction() as connection:
            return uploads.listed(connection, person_id, before=before, limit=limit)

    def body(self, person_id: int, upload_id: int) -> tuple[Upload, bytes]:
        """Return the exact bytes as they came. Raises `NotFound`."""
        upload = self.find(person_id, upload_id).upload
        with self._database.transaction() as connection:
            body = uploads.body_of(connection, person_id, upload_id)
        if body is None:
            raise NotFound(f"The bytes of upload {upload_id} are no longer kept.")
        return upload, body

    def _receive(self, key: ApiKey, arrival: Arrival) -> tuple[Upload, bytes]:
        self._refuse_unless_readable(arrival)
        body = arrival.read_body()
        passed("body_read", bytes=len(body))
        if len(body) > self._settings.max_upload_bytes:
            raise self._too_large()
        deferred = len(body) > self._settings.sync_upload_bytes
        now = self._clock.now()
        with self._database.transaction() as connection:
            upload = uploads.receive(
                connection,
                person_id=key.person_id,
                key_id=key.key_id,
                request_id=arrival.request_id,
                received_at=now,
                due_at=now if deferred else now + LEASE,
                content_type=arrival.content_type[:200],
                content_encoding=arrival.content_encoding[:40],
                automation=arrival.automation,
                body=body,
            )
        passed("received")
        self._telemetry.received_bytes.inc(len(body))
        structlog.contextvars.bind_contextvars(upload_id=upload.upload_id)
        log.info("upload_received", size_bytes=len(body), deferred=deferred)
        return upload, body

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

    def _work_on(self, upload: Upload, body: bytes | None) -> Receipt:
        """Read and store one received upload, or say why it cannot be read."""
        started = time.perf_counter()
        refusal: RequestError | None = None
        receipt: Receipt | None = None
        try:
            with self._database.transaction() as connection:
                if uploads.claim(connection, upload.person_id, upload.upload_id) is not None:
                    if body is None:
                        body = uploads.body_of(connection, upload.person_id, upload.upload_id)
                    try:
                        receipt = self._read_and_store(connection, upload, body or b"", started)
                    except RequestError as error:
                        refusal = error
                        uploads.refuse(
                            connection, upload.person_id, upload.upload_id, error.detail, self._clock.now()
                        )
        except DependencyError:
            raise
        except Exception as stumble:
            # The bytes are durable, so the phone has done its part; the worker tries again, and a person sees it.
            log.exception("upload_failed")
            self._telemetry.stumbles.inc()
            with self._database.transaction() as connection:
                uploads.postpone(
                    connection,
                    upload.person_id,
                    upload.upload_id,
                    f"{type(stumble).__name__} while reading it",
                    self._clock.now() + RETRY_AFTER,
                    ATTEMPTS,
                )
            return _accepted(upload)
        passed("committed")
        if refusal is not None:
            self._telemetry.uploads.labels(state=UploadState.REFUSED).inc()
            log.warning("upload_refused", reason=refusal.code)
            raise refusal
        if receipt is None:  # another worker had it
            return self.find(upload.person_id, upload.upload_id).receipt
        self._tell(receipt, started)
        return receipt

    def _read_and_store(self, connection: Connection, upload: Upload, body: bytes, started: float) -> Receipt:
        understood = self._understanding.understand(connection, upload, body)
        advice = advise(connection, upload, understood.reading, upload.received_at)
        receipt = understood.receipt(upload, advice, round((time.perf_counter() - started) * 1000))
        uploads.settle(connection, receipt, upload.person_id, self._clock.now(), understood.metrics)
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


def _accepted(upload: Upload) -> Receipt:
    return Receipt(upload.request_id, upload.upload_id, "accepted", Counts(), {}, (), (), 0)
