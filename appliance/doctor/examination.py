"""The whole examination: every check once, none of which can spoil another."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.doctor import computer, contents, naming, reach, running
from appliance.doctor.finding import Finding, Found, Patient, worth_knowing
from appliance.engines.postgres import EmbeddedPostgres
from appliance.foundation.clock import SystemClock
from appliance.foundation.errors import HearthbeatError, SettingsError
from appliance.foundation.presence import find_serving
from appliance.foundation.settings import PREFIX, Settings, load_settings
from appliance.storage import checkup
from appliance.storage.database import Database

ANSWERS_WITHIN_S = 5

Check = Callable[[Patient], Found]

CHECKS: tuple[tuple[str, tuple[Check, ...]], ...] = (
    (
        "This computer",
        (computer.check_program, computer.check_settings, computer.check_clock, computer.check_memory),
    ),
    ("Data folder", (computer.check_folder, computer.check_disk)),
    (
        "What runs",
        (
            running.check_server,
            running.check_postgres,
            running.check_valkey,
            contents.check_schema,
            contents.check_drift,
        ),
    ),
    (
        "Network",
        (reach.check_port, reach.check_address, reach.check_answer, reach.check_firewall, naming.check_name),
    ),
    ("Phones", (contents.check_keys, contents.check_refused, contents.check_uploads, contents.check_silence)),
    ("Upkeep", (contents.check_quarantine, contents.check_jobs, contents.check_backups)),
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A finding with its group and the name of the check that made it."""

    group: str
    check: str
    finding: Finding


def examine(given: dict[str, Any]) -> list[Diagnosis]:
    """Look at everything and return what was found. `given` are settings of the command line. Changes nothing."""
    with _patient(given) as patient:
        return [
            Diagnosis(group, check.__name__.removeprefix("check_"), finding)
            for group, checks in CHECKS
            for check in checks
            for finding in _found(check, patient)
        ]


def _found(check: Check, patient: Patient) -> Iterator[Finding]:
    try:
        yield from check(patient)
    except HearthbeatError as error:
        yield worth_knowing(
            f"This could not be looked at: {error.detail}", "Mend what is told above, and look again."
        )
    except Exception as error:  # noqa: BLE001  the others have to be told all the same
        yield worth_knowing(
            f"The check “{check.__name__}” itself failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}",
            "Please report this sentence; the other checks are not touched by it.",
        )


@contextmanager
def _patient(given: dict[str, Any]) -> Iterator[Patient]:
    settings, trouble = _settings(given)
    serving = find_serving(settings.data_dir)
    ready = _ask(f"{serving.url}readyz") if serving else None
    database = _database(settings)
    schema: str | None = None
    try:
        if database is not None:
            try:
                with database.transaction() as connection:
                    schema = checkup.schema_gap(connection)
            except Exception:  # noqa: BLE001  the check of Postgres says why
                schema = "The database could not be asked for its schema."
        yield Patient(
            settings,
            trouble,
            serving if ready is not None else None,
            ready,
            SystemClock().now(),
            database,
            schema,
        )
    finally:
        if database is not None:
            database.close()


def _settings(given: dict[str, Any]) -> tuple[Settings, str | None]:
    try:
        return load_settings(given), None
    except SettingsError as error:
        trouble = error.detail
    folder = given.get("data_dir") or os.environ.get(f"{PREFIX}DATA_DIR")
    try:
        only_folder = {"data_dir": Path.cwd() / Path(str(folder)).expanduser()} if folder else {}
        return Settings(**only_folder), trouble
    except (ValueError, RuntimeError):
        return Settings(), trouble


def _database(settings: Settings) -> Database | None:
    """Return the Postgres that can be asked, without starting one."""
    try:
        elsewhere = settings.database_url.get_secret_value()
        if elsewhere:
            return Database(elsewhere, pool_size=1)
        folder = settings.data_dir / "engines"
        if not folder.is_dir():
            return None
        engine = EmbeddedPostgres(folder, account=settings.engine_user, bin_folder=settings.postgres_bin)
        return Database(engine.url, pool_size=1) if engine.answers() else None
    except Exception:  # noqa: BLE001  the check of Postgres says why
        return None


def _ask(url: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(url, timeout=ANSWERS_WITHIN_S) as answer:  # noqa: S310  our own note names it
            return dict(json.load(answer))
    except urllib.error.HTTPError as refused:
        with refused:
            try:
                return dict(json.load(refused))
            except ValueError:
                return None
    except (OSError, ValueError):
        return None
