"""Advice on how the phone is set up, drawn from what an upload shows. It never costs the upload anything.

Each rule names the uploads it can judge; such an upload either raises the advice or clears it. So it goes away by
itself once a corrected automation sends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from appliance.catalog.automations import AUTOMATIONS
from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind
from appliance.domain.sample import Grain
from appliance.domain.upload import Advice, Upload
from appliance.intake.reading import Reading
from appliance.storage import advice, uploads
from appliance.storage.database import Database

RECENTLY = timedelta(days=7)
_SUMS = AUTOMATIONS["totals"].parameters
_NAMES_TOLD = 3


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a rule may look at. `elsewhere` names the metrics another automation sends too, with its name."""

    reading: Reading
    upload: Upload
    elsewhere: dict[str, str]

    @property
    def sums(self) -> list[Grain]:
        """The grains of the cumulative metrics told."""
        return [key.grain for key, batch in self.reading.batches.items() if batch.cumulative]

    @property
    def is_csv(self) -> bool:
        """Whether the body was CSV."""
        return self.upload.content_type.lower().startswith(("multipart/", "text/csv"))


@dataclass(frozen=True, slots=True)
class AdviceRule:
    """One thing that could be better. `judges` says whether an upload can show it, `raised` whether it does."""

    advice: Advice
    judges: Callable[[Evidence], bool]
    raised: Callable[[Evidence], bool]


RULES = (
    AdviceRule(
        Advice(
            "minute_grouping",
            "Sums such as steps come grouped by the minute, which counts 20 to 30 % too much.",
            "Set Time Grouping to Hours in the automation that sends daily sums.",
            _SUMS,
        ),
        judges=lambda told: bool(told.sums),
        raised=lambda told: any(grain in (Grain.MINUTE, Grain.SECOND) for grain in told.sums),
    ),
    AdviceRule(
        Advice(
            "since_last_sync_on_sums",
            "Sums come for the window “Since Last Sync”, which cuts hours and nights and misses what is written late.",
            "Set Date Range to Default (yesterday and today) in the automation that sends daily sums.",
            _SUMS,
        ),
        judges=lambda told: bool(told.sums) and bool(told.upload.automation.period),
        raised=lambda told: (
            "since last sync" in told.upload.automation.period.lower()
            and any(grain in (Grain.HOUR, Grain.DAY) for grain in told.sums)
        ),
    ),
    AdviceRule(
        Advice(
            "workouts_version_1",
            "Workouts come in the old export version 1, which has no ids and less detail.",
            "Set Export Version to Version 2 in the automation that sends workouts.",
            AUTOMATIONS["workouts"].parameters,
        ),
        judges=lambda told: bool(told.reading.records.get(Kind.WORKOUT)),
        raised=lambda told: any(
            "version_1" in record.flags for record in told.reading.records.get(Kind.WORKOUT, ())
        ),
    ),
    AdviceRule(
        Advice(
            "csv",
            "The automation sends CSV, which loses time zones and most detail.",
            "Set Export Format to JSON, Version 2.",
            _SUMS,
        ),
        judges=lambda _told: True,
        raised=lambda told: told.is_csv,
    ),
    AdviceRule(
        Advice(
            "localised_units",
            "Some values come in units we do not know, so they wait in quarantine.",
            "Turn off Use Localized Units in the app's settings; then try the quarantine again.",
        ),
        judges=lambda told: (
            bool(told.reading.batches)
            or any(item.reason is Reason.UNKNOWN_UNIT for item in told.reading.quarantined)
        ),
        raised=lambda told: any(item.reason is Reason.UNKNOWN_UNIT for item in told.reading.quarantined),
    ),
    AdviceRule(
        Advice(
            "sleep_summarised_alone",
            "Sleep comes summarised while everything else comes as single readings; this mix makes the app drop stages.",
            "Make the automation anew with sleep summarised as the rest is; the app hides that switch.",
            {
                "datatype": "healthMetrics",
                "period": "none",
                "aggregatedata": "false",
                "aggregatesleep": "false",
            },
        ),
        judges=lambda told: bool(told.reading.records.get(Kind.SLEEP)) and bool(told.reading.batches),
        raised=lambda told: (
            bool(told.reading.records.get(Kind.SLEEP))
            and all(key.grain is Grain.RAW for key in told.reading.batches)
        ),
    ),
    AdviceRule(
        Advice(
            "two_automations",
            "Two automations send the same metrics; they are not added up, but one of them is work for nothing.",
            "Take the metrics out of one of the automations.",
        ),
        judges=lambda told: bool(told.upload.automation.automation_id) and bool(told.reading.batches),
        raised=lambda told: bool(told.elsewhere),
    ),
)


def advise(connection: Connection, upload: Upload, reading: Reading, now: datetime) -> list[Advice]:
    """Return the advice this upload gives rise to, and keep it until a corrected upload comes."""
    automation_id = upload.automation.automation_id
    metrics = {key.metric for key in reading.batches}
    elsewhere: dict[str, str] = {}
    if automation_id and metrics:
        elsewhere = uploads.sent_by_others(
            connection, upload.person_id, automation_id, metrics, now - RECENTLY
        )
    told = Evidence(reading, upload, elsewhere)
    judging = [rule for rule in RULES if rule.judges(told)]
    raised = [_worded(rule.advice, told) for rule in judging if rule.raised(told)]
    advice.renew(
        connection, upload.person_id, upload.upload_id, now, raised, [rule.advice.code for rule in judging]
    )
    return [*raised, *reading.advice.values()]


def _worded(given: Advice, told: Evidence) -> Advice:
    if given.code != "two_automations":
        return given
    names = sorted(told.elsewhere)
    listed = ", ".join(names[:_NAMES_TOLD]) + ("…" if len(names) > _NAMES_TOLD else "")
    other = next(iter(told.elsewhere.values())) or "another automation"
    return Advice(given.code, f"“{other}” sends these too: {listed}. {given.message}", given.fix)


class Advising:
    """Shows the advice in force."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_person(self, person_id: int) -> list[Row[Any]]:
        """Return what holds now, the newest first."""
        with self._database.transaction() as connection:
            return advice.of_person(connection, person_id)
