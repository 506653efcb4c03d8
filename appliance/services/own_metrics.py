"""How the appliance itself was doing, kept by the hour, so that its history shows without another server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psutil
from prometheus_client import Metric
from sqlalchemy import Row

from appliance.domain.job import JobResult
from appliance.domain.measure import Measure
from appliance.foundation.clock import Clock
from appliance.foundation.telemetry import Telemetry
from appliance.storage import upkeep
from appliance.storage.database import Database

ACTIVE_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """Snapshots in order of time, and the place to go on from (None at the end)."""

    rows: Sequence[Row[Any]]
    following: tuple[datetime, str] | None


class OwnMetrics:
    """Keeps and shows the appliance's own numbers."""

    def __init__(self, database: Database, clock: Clock, telemetry: Telemetry, instance: str) -> None:
        self._database = database
        self._clock = clock
        self._telemetry = telemetry
        self._instance = instance

    def snapshot(self) -> JobResult:
        """Keep the present numbers of this instance, and count who was heard in the last 24 hours.

        Counters count from the start of the instance on; a smaller number than the one before is a new start.
        """
        now = self._clock.now()
        with self._database.transaction() as connection:
            active = upkeep.people_heard_since(connection, now - ACTIVE_WITHIN)
            self._telemetry.active_people.set(active)
            content = {
                **_numbers(list(self._telemetry.registry.collect())),
                "hearthbeat_memory_bytes": float(psutil.Process().memory_info().rss),
                "hearthbeat_database_bytes": float(upkeep.database_bytes(connection)),
            }
            upkeep.keep_metrics(connection, now, self._instance, content)
        return JobResult(
            f"{len(content)} numbers are kept.", {"numbers": len(content), "active_people": active}
        )

    def history(
        self,
        start: datetime | None,
        end: datetime | None,
        *,
        after: tuple[datetime, str] | None = None,
        limit: int = 500,
    ) -> MetricsPage:
        """Return the snapshots kept in [start, end), oldest first."""
        with self._database.transaction() as connection:
            rows = upkeep.metrics_between(connection, start, end, after=after, limit=limit + 1)
        following = (rows[limit - 1].at, rows[limit - 1].instance) if len(rows) > limit else None
        return MetricsPage(rows[:limit], following)

    def course(self, measure: Measure, start: datetime, end: datetime) -> list[tuple[datetime, float]]:
        """Return how one thing went in [start, end), in order of time, over all instances together."""
        names = sorted({each.partition("{")[0] for each in (*measure.over, *measure.under)})
        with self._database.transaction() as connection:
            rows = upkeep.numbers_between(connection, names, start, end)
        snapshots: dict[str, dict[datetime, dict[str, float]]] = {}
        for row in rows:
            numbers = snapshots.setdefault(row.instance, {}).setdefault(row.at, {})
            if row.name is not None:
                numbers[row.name] = row.number
        return measure.course(snapshots)


def named(content: dict[str, float], name: str | None) -> dict[str, float]:
    """Return the numbers of one metric, whatever their labels; all without a name."""
    if name is None:
        return content
    return {full: number for full, number in content.items() if full.partition("{")[0] == name}


def _numbers(metrics: Sequence[Metric]) -> dict[str, float]:
    """Return every number by its name and labels as Prometheus writes them; of histograms sum and count."""
    return {
        sample.name + _labels(sample.labels): sample.value
        for metric in metrics
        for sample in metric.samples
        if not sample.name.endswith(("_bucket", "_created"))
    }


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"
