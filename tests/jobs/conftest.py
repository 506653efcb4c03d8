"""Jobs made up for a test, on instances that share one database."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import CollectorRegistry

from appliance.domain.job import Every, JobResult, Trigger
from appliance.foundation.telemetry import Telemetry
from appliance.services.upkeep import Job, Upkeep

BERLIN = ZoneInfo("Europe/Berlin")


def a_job(
    work: Callable[[], JobResult | None],
    name: str = "made_up",
    trigger: Trigger | None = None,
    *,
    everywhere: bool = False,
) -> Job:
    """Make up a job."""
    return Job(
        name,
        "A test is true.",
        trigger or Every(3_600),
        lambda _services: work() or JobResult("Done."),
        on_every_instance=everywhere,
    )


@pytest.fixture
def instance(services, database, clock) -> Callable[..., Upkeep]:
    """Make an instance of the appliance that knows these jobs."""

    def make(*jobs: Job, name: str = "one") -> Upkeep:
        upkeep = Upkeep(database, clock, Telemetry(CollectorRegistry()), name, BERLIN)
        upkeep.take_on(jobs, services)
        return upkeep

    return make
