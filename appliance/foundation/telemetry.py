"""Prometheus metrics, declared once on a registry that is passed in.

Labels come from closed sets: never a person, a key or a value. Names beginning with `health_export_` keep the
meaning they have in an earlier program of the same job, so that existing dashboards go on working.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary

_LATENCY_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Telemetry:
    """What the appliance counts and times."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.uploads = Counter(
            "health_export_ingest", "Uploads by what became of them", ["state"], registry=registry
        )
        self.stumbles = Counter(
            "health_export_ingest_errors", "Uploads that made the program itself stumble", registry=registry
        )
        self.processing_seconds = Histogram(
            "health_export_ingest_duration_seconds",
            "Time from a durable body to its committed receipt",
            buckets=_LATENCY_S,
            registry=registry,
        )
        self.items = Counter(
            "health_export_metrics_processed", "Items of uploads by outcome", ["outcome"], registry=registry
        )
        self.active_people = Gauge(
            "health_export_active_users", "People with an upload in the last 24 hours", registry=registry
        )
        self.received_bytes = Counter("hearthbeat_received_bytes", "Bytes of bodies kept", registry=registry)
        self.quarantined = Counter(
            "hearthbeat_quarantined",
            "Quarantined items told in receipts, by reason",
            ["reason"],
            registry=registry,
        )
        self.refused = Counter(
            "hearthbeat_requests_refused", "Requests not let in, by reason", ["reason"], registry=registry
        )
        self.requests = Counter(
            "hearthbeat_http_requests",
            "Requests by route and status class",
            ["route", "status"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "hearthbeat_http_request_duration_seconds",
            "Time to answer a request",
            ["route"],
            buckets=_LATENCY_S,
            registry=registry,
        )
        self.cached_answers = Counter(
            "hearthbeat_cached_answers", "Look-ups of the answer cache", ["outcome"], registry=registry
        )
        self.job_runs = Counter(
            "hearthbeat_job_runs", "Runs of upkeep jobs by outcome", ["job", "outcome"], registry=registry
        )
        self.job_seconds = Gauge(
            "hearthbeat_job_duration_seconds", "Time the job's last run took", ["job"], registry=registry
        )
        self.job_success = Gauge(
            "hearthbeat_job_last_success_timestamp_seconds",
            "When the job last did its work, seconds since 1970",
            ["job"],
            registry=registry,
        )
        self.step_seconds = Summary(
            "hearthbeat_upload_step_seconds", "Time each step of an upload took", ["step"], registry=registry
        )
        self.free_bytes = Gauge(
            "hearthbeat_disk_free_bytes", "Bytes free where the data folder lies", registry=registry
        )
        self.last_proved_backup = Gauge(
            "hearthbeat_last_proved_backup_timestamp_seconds",
            "When a trial restore of a backup in the folder last went well, seconds since 1970; 0 for never",
            registry=registry,
        )
        self.degraded = Gauge(
            "hearthbeat_degraded", "1 while a part works by its fallback", ["part"], registry=registry
        )
