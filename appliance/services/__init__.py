"""What the appliance can do, in verbs. The only place that decides what belongs into one transaction.

Imports `intake`, `storage`, `cache`, `catalog`, `domain` and `foundation`; knows nothing of HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from appliance.foundation.clock import Clock
    from appliance.foundation.settings import Settings
    from appliance.foundation.telemetry import Telemetry
    from appliance.services.advising import Advising
    from appliance.services.announcing import Announcing
    from appliance.services.backups import Backups
    from appliance.services.care import Care
    from appliance.services.checking import Checking
    from appliance.services.control import Control
    from appliance.services.deliveries import Deliveries
    from appliance.services.explaining import Explaining
    from appliance.services.export import Export
    from appliance.services.glance import Glances
    from appliance.services.health import Health
    from appliance.services.holdings import Holdings
    from appliance.services.importing import Importing
    from appliance.services.keys import Keys
    from appliance.services.lookup import Lookup
    from appliance.services.own_metrics import OwnMetrics
    from appliance.services.pairing import Pairing
    from appliance.services.people import People
    from appliance.services.quarantine import Quarantine
    from appliance.services.records import Records
    from appliance.services.replaying import Replaying
    from appliance.services.retention import Retention
    from appliance.services.sessions import Sessions
    from appliance.services.silence import Silence
    from appliance.services.sleep import Sleep
    from appliance.services.sources import Sources
    from appliance.services.space import Space
    from appliance.services.tracing import Tracing
    from appliance.services.upkeep import Upkeep
    from appliance.services.uploads import Uploads
    from appliance.services.verifying import Verifying
    from appliance.services.workouts import Workouts


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the faces of the appliance may ask for; built once, in `appliance.bootstrap`."""

    settings: Settings
    shared_reading: Callable[[], AbstractContextManager[None]]  # `storage.database.Database.shared_reading`
    clock: Clock
    telemetry: Telemetry
    people: People
    keys: Keys
    pairing: Pairing
    uploads: Uploads
    tracing: Tracing
    sessions: Sessions
    lookup: Lookup
    glances: Glances
    explaining: Explaining
    sources: Sources
    sleep: Sleep
    replaying: Replaying
    importing: Importing
    deliveries: Deliveries
    checking: Checking
    advising: Advising
    workouts: Workouts
    records: Records
    quarantine: Quarantine
    export: Export
    health: Health
    holdings: Holdings
    space: Space
    backups: Backups
    upkeep: Upkeep
    verifying: Verifying
    retention: Retention
    own_metrics: OwnMetrics
    silence: Silence
    care: Care
    announcing: Announcing
    control: Control
