"""All upkeep on one screen: a row a job. Add a row and it is run, recorded, shown and measured.

The work is a service's verb; this table only says when it is due and what it keeps true.
"""

from __future__ import annotations

from datetime import time

from appliance.domain.job import Daily, Every, JobResult
from appliance.services import Services
from appliance.services.care import TABLES_JOB
from appliance.services.upkeep import Job
from appliance.services.verifying import JOB as VERIFY_JOB


def _write_notes(services: Services) -> JobResult:
    written = services.keys.write_notes()
    return JobResult(f"{written} notes are written.", {"written": written})


def _expire_keys(services: Services) -> JobResult:
    closed = services.keys.close_expired()
    return JobResult(f"{closed} keys have expired and are closed.", {"closed": closed})


JOBS: tuple[Job, ...] = (
    Job(
        "write_notes",
        "When a key was last used, and which requests nearly had one, is written down within seconds.",
        Every(5),
        _write_notes,
        on_every_instance=True,
    ),
    Job(
        "check_space",
        "Uploads are refused before the disk is so full that the database stops.",
        Every(60),
        lambda services: services.space.check(),
        on_every_instance=True,
    ),
    Job(
        "note_awake",
        "It is known when this computer was awake, so that its sleep is not taken for a phone's silence.",
        Every(60),
        lambda services: services.silence.note_awake(),
        on_every_instance=True,
    ),
    Job(
        "pick_up_uploads",
        "Every upload that was accepted is worked on, whoever accepted it.",
        Every(60),
        lambda services: services.care.pick_up_uploads(),
        on_every_instance=True,
    ),
    Job(
        "snapshot_own_metrics",
        "How the appliance was doing can be seen for 90 days.",
        Every(3_600),
        lambda services: services.own_metrics.snapshot(),
        on_every_instance=True,
    ),
    Job(
        "check_silence",
        "A phone that stopped telling anything new is noticed, by its own rhythm.",
        Every(900),
        lambda services: services.silence.check(),
    ),
    Job(
        "expire_keys",
        "A key whose time is over is closed, and its history says when.",
        Every(900),
        _expire_keys,
    ),
    Job(
        "trim_caches",
        "The cache holds no answer that nobody can find any more.",
        Every(3_600),
        lambda services: services.care.trim_caches(),
    ),
    Job(
        VERIFY_JOB,
        "Every day's number is what its samples tell.",
        Daily(time(2, 10)),
        lambda services: services.verifying.verify_rollups(),
    ),
    Job(
        "backup",
        "There is a backup of last night, and it has been restored on trial.",
        Daily(time(3, 30)),
        lambda services: services.backups.nightly(),
    ),
    Job(
        "prune_bodies",
        "The bytes of uploads are kept as long as the setting raw_retention_days says, and as long as they are needed.",
        Daily(time(4, 30)),
        lambda services: services.retention.prune_bodies(),
    ),
    Job(
        TABLES_JOB,
        "The database plans its work by what its tables really hold.",
        Daily(time(4, 50)),
        lambda services: services.care.check_tables(),
    ),
    Job(
        "remove_deliveries",
        "Files that were brought to be imported and left half-way do not lie about for longer than a week.",
        Every(3_600),
        lambda services: services.deliveries.prune(),
        on_every_instance=True,
    ),
    Job(
        "trim",
        "Log-ins that are over and old notes about the appliance itself do not pile up.",
        Daily(time(5, 10)),
        lambda services: services.retention.trim(),
    ),
)
