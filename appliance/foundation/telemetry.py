"""Prometheus metrics, declared once on a registry that is passed in.

Labels come from closed sets: never a person, a key or a value. Names beginning with `health_export_` keep the
meaning they have in an earlier program of the same job, so that existing dashboards go on working.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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
        self.degraded = Gauge(
            "hearthbeat_degraded", "1 while a part works by its fallback", ["part"], registry=registry
        )
