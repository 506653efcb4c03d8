"""What is not kept for ever, and what is kept although it is old."""

from __future__ import annotations

import time
from datetime import timedelta

from appliance.catalog.load import Catalogue
from appliance.domain.job import JobResult
from appliance.foundation.clock import Clock
from appliance.foundation.settings import Settings
from appliance.storage import jobs, upkeep
from appliance.storage.database import Database

NOTES_KEPT = timedelta(days=90)
# Of a refused body nothing was stored; a person gets a season to look at it, however short the retention.
REFUSED_KEPT = timedelta(days=90)
AT_ONCE = 200
LONGEST_S = 120.0


class Retention:
    """Removes what has been kept long enough."""

    def __init__(self, database: Database, catalogue: Catalogue, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._catalogue = catalogue
        self._days = settings.raw_retention_days
        self._clock = clock

    def prune_bodies(self) -> JobResult:
        """Remove the exact bytes of uploads older than `raw_retention_days`; 0 keeps them for ever.

        What was understood of them stays: samples with their revisions, records, receipts and traces. What is given up
        is to read them again, and values that lost against better ones when they came. So that nothing is lost that is
        held nowhere else, bytes stay whatever their age while

        - the upload is not settled, or was given up after several attempts;
        - it told a metric the catalogue does not know, which a later version may read better;
        - an item of it is in quarantine, or a record's earlier version has its tracks there only;
        - it was refused (nothing of it is stored at all) less than 90 days ago.
        """
        if not self._days:
            return JobResult(
                "Bodies are kept for ever (raw_retention_days is 0).", {"removed": 0, "bytes": 0}
            )
        now = self._clock.now()
        deadline = time.monotonic() + LONGEST_S
        removed, size = 0, 0
        while time.monotonic() < deadline:
            with self._database.transaction() as connection:
                count, freed = upkeep.remove_bodies(
                    connection,
                    received_before=now - timedelta(days=self._days),
                    refused_before=now - REFUSED_KEPT,
                    known_metrics=self._catalogue.metrics.keys(),
                    limit=AT_ONCE,
                )
            removed, size = removed + count, size + freed
            if count < AT_ONCE:
                break
        return JobResult(
            f"{removed:,} bodies older than {self._days} days are removed.",
            {"removed": removed, "bytes": size},
        )

    def trim(self) -> JobResult:
        """Remove log-ins that are over, and notes about the appliance itself after 90 days."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            removed = upkeep.trim(connection, now, now - NOTES_KEPT)
            removed["job_run"] = jobs.trim(connection, now - NOTES_KEPT)
        return JobResult(f"{sum(removed.values()):,} old notes are removed.", dict(removed))
