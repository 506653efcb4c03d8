"""What runs: the server, Postgres and Valkey."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from appliance.cache.connection import Cache
from appliance.doctor.finding import Finding, Found, Patient, broken, fine, worth_knowing
from appliance.engines.account import running_as_root
from appliance.engines.engine import cause
from appliance.engines.lock import FolderLock
from appliance.engines.postgres import EmbeddedPostgres
from appliance.engines.programs import postgres_bin_folder, postgres_version, valkey_program
from appliance.engines.valkey import EmbeddedValkey
from appliance.foundation.errors import HearthbeatError

if sys.platform != "win32":
    import pwd

_LAST_WORDS = ("FATAL", "PANIC")
_HARMLESS = ("terminating connection", "the database system is", "canceling")


def check_server(patient: Patient) -> Iterator[Finding]:
    """Look whether the server runs and what it says of its parts."""
    if patient.serving is None:
        root = patient.settings.data_dir
        holder = FolderLock(root).holder() if root.is_dir() else None
        if holder is not None:
            yield worth_knowing(
                f"Hearthbeat has the folder open ({holder.role}, process {holder.pid}) and does not serve, or does not answer.",
                "Wait until it has started; if that lasts, stop that process and start with: hearthbeat serve",
            )
        else:
            yield worth_knowing(
                "Hearthbeat does not run, so nothing takes what the phone sends.",
                "Start it with: hearthbeat serve",
            )
        return
    parts = dict((patient.ready or {}).get("parts", {}))
    troubles = {part: str(state) for part, state in parts.items() if state != "ok"}
    if not troubles:
        yield fine(f"Hearthbeat runs at {patient.serving.url} (process {patient.serving.pid}).")
    for part, state in troubles.items():
        told = f"The server says of its part “{part}”: {state}."
        if state.startswith("away"):
            yield broken(told, "What is told of it below says more; if nothing does, restart Hearthbeat.")
        else:
            yield worth_knowing(told, "The work goes on without it; restart Hearthbeat if that lasts.")


def check_postgres(patient: Patient) -> Iterator[Finding]:
    """Look whether Postgres can run, and whether it does."""
    settings = patient.settings
    if not patient.embedded:
        if patient.database is None or (trouble := patient.database.trouble):
            said = trouble if patient.database else "its address is not valid"
            yield broken(
                f"The database elsewhere cannot be used: {said}",
                "Look after that server, or correct the setting database_url.",
            )
        else:
            yield fine("The database elsewhere answers.")
        return
    try:
        yield fine(f"Postgres {postgres_version(postgres_bin_folder(settings.postgres_bin)).text} is here.")
    except HearthbeatError as error:
        yield broken("The programs of Postgres cannot be used.", error.detail)
    yield from _account(settings.engine_user)
    engine = EmbeddedPostgres(
        patient.folder.engines, account=settings.engine_user, bin_folder=settings.postgres_bin
    )
    log = patient.folder.engines / "postgres.log"
    if patient.database is not None:
        yield fine("Our Postgres runs and lets us in.")
    elif patient.serving is not None:
        yield broken(
            f"Our Postgres does not let us in although Hearthbeat runs; its log ends: {cause(engine.last_lines())}",
            f"Run this as the account that runs Hearthbeat; if you did, restart Hearthbeat and look into {log}.",
        )
    elif last := [line for line in engine.last_lines(30).splitlines() if _is_last_word(line)]:
        yield worth_knowing(
            f"Postgres does not run now, and said when it last did: {last[-1].strip()}",
            f"Start Hearthbeat; if it says this again, look into {log}.",
        )


def _is_last_word(line: str) -> bool:
    return any(word in line for word in _LAST_WORDS) and not any(word in line for word in _HARMLESS)


def _account(wanted: str) -> Iterator[Finding]:
    if sys.platform == "win32" or not running_as_root():
        return
    try:
        if pwd.getpwnam(wanted).pw_uid == 0:
            yield broken(
                f"The account {wanted} for the engines is root, and Postgres refuses to run as root.",
                "Set engine_user to an ordinary account.",
            )
    except KeyError:
        yield fine(f"The account {wanted} for the engines will be made at the first start.")


def check_valkey(patient: Patient) -> Found:
    """Look whether Valkey can run, and whether it does."""
    settings = patient.settings
    alone = "Limits and keys are kept in memory meanwhile."
    elsewhere = settings.redis_url.get_secret_value()
    if elsewhere:
        cache = Cache(elsewhere)
        try:
            if cache.answers():
                return [fine("The Valkey or Redis elsewhere answers.")]
        finally:
            cache.close()
        return [
            worth_knowing(
                f"The Valkey or Redis elsewhere does not answer. {alone}",
                "Look after that server, or correct the setting redis_url.",
            )
        ]
    program = valkey_program(settings.valkey_server)
    if program is None:
        if settings.valkey_server is not None:
            return [
                broken(
                    f"There is no program {settings.valkey_server}.",
                    "Correct or remove the setting valkey_server.",
                )
            ]
        return [fine(f"There is no Valkey for this system. {alone.removesuffix(' meanwhile.')}.")]
    try:
        subprocess.run([program, "--version"], capture_output=True, timeout=20, check=True)  # noqa: S603  ours
    except (OSError, subprocess.SubprocessError) as error:
        return [
            worth_knowing(
                f"{program} does not run on this computer ({error}). {alone}",
                "Set valkey_server to one that does.",
            )
        ]
    if patient.serving is None:
        return [fine("Valkey is here.")]
    if EmbeddedValkey(
        patient.folder.engines, account=settings.engine_user, server=settings.valkey_server
    ).answers():
        return [fine("Our Valkey runs and answers.")]
    return [
        worth_knowing(
            f"Our Valkey does not answer. {alone}",
            f"Restart Hearthbeat; {patient.folder.engines / 'valkey.log'} has more.",
        )
    ]
