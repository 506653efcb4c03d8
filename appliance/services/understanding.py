"""From kept bytes to rows: the part of an upload's way that a replay walks again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from appliance.catalog.load import Catalogue
from appliance.domain.record import Kind
from appliance.domain.sample import Batch
from appliance.domain.upload import Counts, Upload
from appliance.domain.verdict import Judgement, Verdict
from appliance.intake.document import open_document
from appliance.intake.read import read_document
from appliance.intake.reading import SAMPLES, Reading
from appliance.services.rules import rules_of
from appliance.services.sleeping import Sleeping, Slept
from appliance.services.storing import Storing, count_records, count_samples
from appliance.storage import people, quarantine, records
from appliance.storage.database import lock_person


@dataclass(frozen=True, slots=True)
class Understood:
    """What a body said and what became of it. `newly_kept` counts items that are new in quarantine.

    `slept` has what was derived of its sleep, which is in no receipt.
    """

    reading: Reading
    samples: Sequence[tuple[Batch, Judgement]]
    records: dict[Kind, list[Verdict]]
    newly_kept: int
    slept: Slept

    def counts(self) -> dict[str, Counts]:
        """Return what became of the items, by kind."""
        set_aside = Counter(item.kind for item in self.reading.quarantined)
        return {
            kind: count_samples(received, set_aside[kind], self.samples)
            if kind == SAMPLES
            else count_records(received, set_aside[kind], self.records.get(Kind(kind), ()) if kind in set(Kind) else ())
            for kind, received in self.reading.received.items()
        }


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
        person = people.find(connection, upload.person_id)
        reading = read_document(document, self._catalogue, upload.automation, person.zone)
        lock_person(connection, upload.person_id)
        rule_of = rules_of(connection, upload.person_id, self._catalogue)
        judged = Storing(connection, upload, rule_of).store(reading.batches)
        verdicts = {
            kind: records.store(connection, upload.person_id, upload.upload_id, upload.received_at, found)
            for kind, found in reading.records.items()
        }
        slept = Sleeping(connection, upload, self._catalogue, rule_of).store(reading.sleep)
        if slept.verdicts:
            verdicts[Kind.SLEEP] = slept.verdicts
        newly_kept = quarantine.keep(
            connection, upload.person_id, upload.upload_id, reading.quarantined, upload.received_at
        )
        return Understood(reading, judged, verdicts, newly_kept, slept)
