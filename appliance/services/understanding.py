"""From kept bytes to rows: the part of an upload's way that a replay walks again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from appliance.catalog.load import Catalogue
from appliance.domain.record import Kind
from appliance.domain.sample import Batch
from appliance.domain.upload import IMPORTED, Advice, Counts, ItemError, Receipt, Upload, UploadState
from appliance.domain.verdict import Judgement, Verdict
from appliance.foundation.steps import passed
from appliance.intake.document import open_document
from appliance.intake.read import read_document
from appliance.intake.reading import SAMPLES, Reading
from appliance.services.rules import rules_of
from appliance.services.sleeping import Sleeping
from appliance.services.storing import Storing, count_records, count_samples
from appliance.storage import people, quarantine, records
from appliance.storage.database import lock_person

ERRORS_TOLD = 50


@dataclass(frozen=True, slots=True)
class Understood:
    """What a body said and what became of it. `newly_kept` counts items that are new in quarantine."""

    reading: Reading
    samples: Sequence[tuple[Batch, Judgement]]
    records: dict[Kind, list[Verdict]]
    newly_kept: int

    def counts(self) -> dict[str, Counts]:
        """Return what became of the items, by kind."""
        set_aside = Counter(item.kind for item in self.reading.quarantined)
        return {
            kind: count_samples(received, set_aside[kind], self.samples)
            if kind == SAMPLES
            else count_records(
                received, set_aside[kind], self.records.get(Kind(kind), ()) if kind in set(Kind) else ()
            )
            for kind, received in self.reading.received.items()
        }

    @property
    def metrics(self) -> set[str]:
        """The metrics of which it told samples."""
        return {key.metric for key in self.reading.batches}

    def receipt(self, upload: Upload, advice: Sequence[Advice], processing_ms: int) -> Receipt:
        """Return the answer to the upload."""
        kinds = self.counts()
        counts = sum(kinds.values(), Counts())
        told_nothing_new = counts.received > 0 and not (counts.stored or counts.revised or self.newly_kept)
        return Receipt(
            request_id=upload.request_id,
            upload_id=upload.upload_id,
            status=UploadState.UNCHANGED if told_nothing_new else UploadState.PROCESSED,
            counts=counts,
            kinds=kinds,
            errors=tuple(
                ItemError(item.path, item.reason, item.detail)
                for item in self.reading.quarantined[:ERRORS_TOLD]
            ),
            advice=tuple(advice),
            processing_ms=processing_ms,
        )


class Understanding:
    """Reads bodies and stores what they say, inside the caller's transaction."""

    def __init__(self, catalogue: Catalogue, limit_bytes: int) -> None:
        self._catalogue = catalogue
        self._limit_bytes = limit_bytes

    def understand(self, connection: Connection, upload: Upload, body: bytes) -> Understood:
        """Read a body and store everything it says. Raises `RequestError` when it cannot be opened.

        Takes the person's lock, after the reading, until the transaction ends.
        """
        document = open_document(body, upload.content_encoding, self._limit_bytes, upload.content_type)
        passed("opened")
        person = people.find(connection, upload.person_id)
        reading = read_document(document, self._catalogue, upload.automation, person.zone)
        passed("read", items=sum(reading.received.values()))
        return self.store(connection, upload, reading)

    def store(self, connection: Connection, upload: Upload, reading: Reading) -> Understood:
        """Store what was read, and keep what was set aside. Takes the person's lock until the transaction ends."""
        lock_person(connection, upload.person_id)
        passed("locked")
        rule_of = rules_of(connection, upload.person_id, self._catalogue)
        judged = Storing(connection, upload, rule_of).store(reading.batches)
        passed("samples_stored")
        verdicts = {
            kind: records.store(
                connection,
                upload.person_id,
                upload.upload_id,
                upload.received_at,
                found,
                adds_only=upload.content_type == IMPORTED,
            )
            for kind, found in reading.records.items()
        }
        verdicts[Kind.SLEEP] = Sleeping(connection, upload, self._catalogue, rule_of).store(reading.sleep)
        passed("records_stored")
        newly_kept = quarantine.keep(
            connection, upload.person_id, upload.upload_id, reading.quarantined, upload.received_at
        )
        passed("set_aside", items=len(reading.quarantined))
        return Understood(reading, judged, verdicts, newly_kept)
