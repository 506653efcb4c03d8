"""What the database tells: keys and their use, uploads, silence, quarantine, upkeep, backups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry

from appliance.catalog.load import load_catalogue
from appliance.doctor.finding import Finding, Found, Patient, broken, fine, worth_knowing
from appliance.domain.key import KeyState, Scope
from appliance.engines.postgres_tools import PostgresTools
from appliance.foundation.clock import SystemClock
from appliance.foundation.telemetry import Telemetry
from appliance.services.backups import Backups
from appliance.storage import checkup, keys, near_misses, silence
from appliance.storage.database import Database

LATELY = timedelta(days=7)
MISSES_TOLD = 5
WAITS_LONG = timedelta(minutes=15)
DRIFT = timedelta(seconds=5)
BACKUP_OLD = timedelta(days=3)
USED_SOON = timedelta(days=1)


def check_schema(patient: Patient) -> Found:
    """Look whether this version and the database fit."""
    if patient.schema is None:
        return []
    if "newer" in patient.schema:
        return [broken(patient.schema, "Install that version again, or restore a backup.")]
    return [worth_knowing(patient.schema, "Start it with: hearthbeat serve")]


def check_drift(patient: Patient) -> Iterator[Finding]:
    """Compare this computer's clock with that of a database elsewhere."""
    with patient.rows() as connection:
        if connection is None or patient.embedded:
            return
        drift = abs(checkup.time_of_database(connection) - SystemClock().now())
    if drift > DRIFT:
        yield worth_knowing(
            f"The clocks of this computer and the database's differ by {drift.total_seconds():.0f} s.",
            "Let both set their clocks from the network (NTP).",
        )


def check_keys(patient: Patient) -> Iterator[Finding]:
    """Look whether a phone has a key and uses it."""
    with patient.rows() as connection:
        if connection is None:
            return
        every = [key for key, _ in keys.listed(connection)]
    states = {key.key_id: key.state(patient.now) for key in every}
    for key in every:
        if states[key.key_id] in (KeyState.EXPIRED, KeyState.DISABLED) and not (
            key.revoked_at and patient.now - key.revoked_at > LATELY
        ):
            word = states[key.key_id].value
            yield worth_knowing(
                f"Key {key.key_id} ({key.name}) is {word}, so what still presents it is refused.",
                f"hearthbeat key enable {key.key_id}"
                if word == KeyState.DISABLED
                else f"Make a new key and put it into the phone: hearthbeat key rotate {key.key_id} (an open key), or"
                f' hearthbeat key create "{key.name}"',
            )
    opening = [key for key in every if states[key.key_id] is KeyState.OPEN and Scope.INGEST in key.scopes]
    if not opening:
        yield worth_knowing(
            "No open key may send uploads, so no phone gets in."
            if every
            else "There is no key yet, so no phone gets in.",
            'Make one and put it into the phone: hearthbeat key create "My iPhone"',
        )
        return
    used = [key for key in opening if key.last_used_at]
    if not used:
        yield worth_knowing(
            f"{len(opening)} open key{'s' if len(opening) > 1 else ''} may send uploads and none was ever used.",
            "Run the automation on the phone by hand once; refused requests are told below.",
        )
    else:
        newest = max(used, key=lambda key: key.last_used_at or patient.now)
        yield fine(
            f"{len(opening)} open keys may send uploads; {newest.name} was used {_ago(newest.last_used_at, patient.now)}."
        )


def check_refused(patient: Patient) -> Iterator[Finding]:
    """Tell requests that were lately not let in, and how each is mended."""
    with patient.rows() as connection:
        if connection is None:
            return
        found = near_misses.page(connection, None, before=None, limit=50)
    lately = [miss for miss in found if patient.now - miss.last_at < LATELY]
    for miss in lately[:MISSES_TOLD]:
        who = miss.address or "many addresses"
        automation = f" (“{miss.automation_name}”)" if miss.automation_name else ""
        yield worth_knowing(
            f"{miss.count:,} requests from {who}{automation} were refused, last {_ago(miss.last_at, patient.now)}.",
            miss.mend,
        )
    if len(lately) > MISSES_TOLD:
        yield fine(f"{len(lately) - MISSES_TOLD} more kinds of requests were refused lately.")


def check_uploads(patient: Patient) -> Iterator[Finding]:
    """Look at what arrived and what waits."""
    with patient.rows() as connection:
        if connection is None:
            return
        states = checkup.upload_states(connection, patient.now - LATELY)
    if states.newest_at is None:
        yield worth_knowing(
            "Nothing was ever uploaded.",
            "Run the automation on the phone by hand once; the setup is told at /docs of the dashboard.",
        )
        return
    yield fine(f"The last upload came {_ago(states.newest_at, patient.now)}.")
    if states.waiting and states.waiting_since and patient.now - states.waiting_since > WAITS_LONG:
        yield worth_knowing(
            f"{states.waiting:,} uploads wait to be worked on, the oldest since {_ago(states.waiting_since, patient.now)}.",
            "Start Hearthbeat if it does not run; else see what its log says of them (hearthbeat trace '#ID').",
        )
    if states.failed:
        yield worth_knowing(
            f"{states.failed:,} uploads of the last days were given up after several attempts; their bytes are kept.",
            "Install the newest Hearthbeat and run: hearthbeat replay",
        )
    if states.refused:
        yield worth_knowing(
            f"{states.refused:,} uploads of the last days could not be read; their bytes are kept.",
            "The list of uploads says why; mostly the automation's format is not JSON, version 2.",
        )


def check_silence(patient: Patient) -> Iterator[Finding]:
    """Tell automations that have fallen silent against their own rhythm."""
    with patient.rows() as connection:
        if connection is None:
            return
        silent = [one for one in silence.rhythms(connection).values() if one.silent_since]
        names = {key.key_id: key.name for key, _ in keys.listed(connection)}
    for one in silent:
        automation = f", automation “{one.automation_name}”" if one.automation_name else ""
        yield worth_knowing(
            f"{names.get(one.key_id, f'Key {one.key_id}')}{automation} has brought nothing new for longer than usual"
            f" (last {_ago(one.last_new_at, patient.now)}).",
            "Open Health Auto Export on the phone; iOS sends only while it is unlocked now and then, and in this network.",
        )


def check_quarantine(patient: Patient) -> Iterator[Finding]:
    """Look whether much is not understood lately."""
    with patient.rows() as connection:
        if connection is None:
            return
        every, lately = checkup.quarantined(connection, patient.now - LATELY)
    if lately:
        yield worth_knowing(
            f"{lately:,} items of the last days were not understood and are kept in quarantine ({every:,} in all).",
            "The dashboard's quarantine says why; after an update run: hearthbeat replay",
        )
    elif every:
        yield fine(f"{every:,} older items are in quarantine.")


def check_jobs(patient: Patient) -> Iterator[Finding]:
    """Tell upkeep that fails."""
    with patient.rows() as connection:
        if connection is None:
            return
        failed = checkup.failed_jobs(connection)
    for job in failed:
        yield worth_knowing(
            f"The job “{job.name}” failed {_ago(job.at, patient.now)}: {job.told}",
            "Mend what it says; it runs again by itself.",
        )


def check_backups(patient: Patient) -> Found:
    """Look when the last backup was made and proved."""
    settings = patient.settings
    if not settings.data_dir.is_dir():
        return []
    tools = PostgresTools(
        patient.folder.scratch, account=settings.engine_user, bin_folder=settings.postgres_bin
    )
    database = patient.database or Database(
        "postgresql://"
    )  # listing asks no database, and no connection is made
    found = Backups(
        database, load_catalogue(), settings, tools, SystemClock(), Telemetry(CollectorRegistry())
    ).listed()
    where = settings.backup_dir or patient.folder.backups
    if not found:
        if patient.database is None:
            return []
        return [worth_knowing(f"There is no backup in {where}.", "Make one: hearthbeat backup")]
    newest = found[0]
    told = f"The last backup was made {_ago(newest.made_at, patient.now)}"
    if newest.problems:
        return [broken(f"{told} and is bad: {newest.problems[0]}", "Make another: hearthbeat backup")]
    if patient.now - newest.made_at > BACKUP_OLD:
        return [worth_knowing(f"{told}.", "Let Hearthbeat run at night, or make one: hearthbeat backup")]
    if newest.proved_at is None:
        return [worth_knowing(f"{told} and was not tried yet.", f'Try it: hearthbeat verify "{newest.path}"')]
    return [fine(f"{told} and proved by a trial restore.")]


def _ago(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "never"
    seconds = max(0.0, (now - at).total_seconds())
    for width, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= width:
            n = int(seconds // width)
            return f"{n} {unit}{'s' if n > 1 else ''} ago"
    return "just now"
