"""The one place that builds things: settings → engines → database → cache → services → app.

Everything is taken down in reverse order. Nothing is built at import.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import structlog
import tzlocal
from prometheus_client import CollectorRegistry

from appliance.cache.answers import AnswerCache
from appliance.cache.connection import Cache
from appliance.cache.keys import KeyCache
from appliance.cache.limiter import Limiter
from appliance.catalog.load import Catalogue, load_catalogue
from appliance.engines.engine import Engine
from appliance.engines.keeper import EngineState, Keeper
from appliance.engines.lock import FolderLock
from appliance.engines.postgres import EmbeddedPostgres
from appliance.engines.postgres_tools import PostgresTools
from appliance.engines.valkey import EmbeddedValkey
from appliance.foundation.ballast import Ballast
from appliance.foundation.clock import Clock, SystemClock
from appliance.foundation.errors import AlreadyRunning, HearthbeatError
from appliance.foundation.paths import DataFolder
from appliance.foundation.settings import Settings
from appliance.foundation.steps import instance_name
from appliance.foundation.telemetry import Telemetry
from appliance.jobs.importer import ImportWorker
from appliance.jobs.scheduler import Scheduler
from appliance.jobs.table import JOBS
from appliance.jobs.worker import UploadWorker
from appliance.services import Services
from appliance.services.advising import Advising
from appliance.services.announcing import Announcing
from appliance.services.backup_file import BackupFile
from appliance.services.backups import Backups, verify
from appliance.services.care import Care
from appliance.services.checking import Checking
from appliance.services.control import Control
from appliance.services.deliveries import Deliveries
from appliance.services.delivery_folder import DeliveryFolder
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
from appliance.services.proving import Report
from appliance.services.quarantine import Quarantine
from appliance.services.records import Records
from appliance.services.replaying import Replaying
from appliance.services.restoring import Restoring
from appliance.services.retention import Retention
from appliance.services.sessions import Sessions
from appliance.services.silence import Silence
from appliance.services.sleep import Sleep
from appliance.services.sources import Sources
from appliance.services.space import Space
from appliance.services.tracing import Tracing
from appliance.services.understanding import Understanding
from appliance.services.upkeep import Upkeep
from appliance.services.uploads import Uploads
from appliance.services.verifying import Verifying
from appliance.services.workouts import Workouts
from appliance.storage.database import Database
from appliance.storage.migrate import migrate

if TYPE_CHECKING:
    from flask import Flask

# A short command may have the folder open just now; the server waits that long for it before it refuses.
FOLDER_WAIT_S = 5.0
ATTACH_WAIT_S = 15.0
LOG_LINES_TOLD = 3

log = structlog.get_logger("hearthbeat")


@dataclass(frozen=True, slots=True)
class Engines:
    """Where Postgres and Valkey are, embedded or not, and how our own are."""

    database_url: str
    cache_url: str | None
    keeper: Keeper | None

    def states(self) -> Mapping[str, str]:
        """Return the state of each embedded engine in the words of `services.health`."""
        if self.keeper is None:
            return {}
        words = {}
        for name, state in self.keeper.state().items():
            # Uploads can be kept without Valkey and not without Postgres.
            trouble = "away" if name == "postgres" else "degraded"
            words[f"embedded {name}"] = "ok" if state.status == "running" else f"{trouble}: {_why(state)}"
        return words


def _why(state: EngineState) -> str:
    """Tell in one line why an engine does not run; of one that was given up, how its log ends as well."""
    told = state.reason or state.status
    if state.status != "failed" or not state.log:
        return told
    ending = " | ".join(line.strip()[:200] for line in state.log.splitlines()[-LOG_LINES_TOLD:])
    return f"{told} Its log ends with: {ending}"


@contextmanager
def running_engines(settings: Settings, role: str, *, or_attach: bool = False) -> Iterator[Engines]:
    """Have the engines running for a while.

    `or_attach`: when another Hearthbeat has the data folder open, use its engines instead of refusing. Raises
    `AlreadyRunning`, `EngineFailed` or another `HostError`.
    """
    folder = DataFolder(settings.data_dir)
    folder.create()
    with ExitStack() as stack:
        lock = FolderLock(folder.root)
        postgres = EmbeddedPostgres(
            folder.engines, account=settings.engine_user, bin_folder=settings.postgres_bin
        )
        valkey = EmbeddedValkey(folder.engines, account=settings.engine_user, server=settings.valkey_server)
        database_url = settings.database_url.get_secret_value() or postgres.url
        cache_url: str | None = settings.redis_url.get_secret_value()
        if not cache_url:
            cache_url = valkey.url if EmbeddedValkey.available(settings.valkey_server) else None
        embedded = not settings.database_url.get_secret_value()
        may_attach = (postgres.answers if embedded else lambda: True) if or_attach else None
        if not _own_the_folder(lock, role, may_attach):
            yield Engines(database_url, cache_url, None)
            return
        stack.callback(lock.release)
        own: list[Engine] = []
        if embedded:
            own.append(postgres)
        if cache_url == valkey.url and not or_attach:
            own.append(valkey)
        ballast = Ballast(folder.root, settings.ballast_mb)
        # Valkey writes nothing but a few lines of its log.
        keeper = (
            Keeper(own, has_room=lambda name: name != postgres.name or ballast.make_room()) if own else None
        )
        if keeper is not None:
            stack.callback(keeper.stop)
            keeper.start()
        yield Engines(database_url, cache_url, keeper)


def _own_the_folder(lock: FolderLock, role: str, may_attach: Callable[[], bool] | None) -> bool:
    """Take the data folder, or return False when another Hearthbeat has it and its database may be used.

    One that is just starting, or a short command that is just ending, is waited for.
    """
    if may_attach is None:
        lock.acquire(role, wait_s=FOLDER_WAIT_S)
        return True
    deadline = time.monotonic() + ATTACH_WAIT_S
    while True:
        try:
            lock.acquire(role)
        except AlreadyRunning:
            if may_attach():
                return False
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return True


@contextmanager
def open_services(
    settings: Settings,
    engines: Engines,
    *,
    clock: Clock | None = None,
    registry: CollectorRegistry | None = None,
    catalogue: Catalogue | None = None,
) -> Iterator[Services]:
    """Build the services on running engines, bringing the schema to this version first."""
    with ExitStack() as stack:
        clock = clock or SystemClock()
        telemetry = Telemetry(registry or CollectorRegistry())
        database = Database(engines.database_url, pool_size=settings.threads + 2)
        stack.callback(database.close)
        catalogue = catalogue or load_catalogue()
        tools = _postgres_tools(settings)
        backups = Backups(database, catalogue, settings, tools, clock, telemetry)
        save = backups.make_before_migration if settings.backup_before_migration else None
        if (before := migrate(database, save=save)) is not None:
            log.info("schema_migrated", before=before or "nothing")
        cache = Cache(engines.cache_url)
        stack.callback(cache.close)
        limiter = Limiter(
            cache,
            requests_per_hour=settings.limit_requests_per_hour,
            upload_bytes_per_hour=settings.limit_upload_mb_per_hour * 1024 * 1024,
            failed_attempts=settings.limit_failed_attempts,
        )
        time_zone = settings.time_zone or tzlocal.get_localzone_name() or "UTC"

        def note_look(hit: bool) -> None:  # noqa: FBT001  the cache's own word
            telemetry.cached_answers.labels(outcome="hit" if hit else "miss").inc()

        understanding = Understanding(catalogue, settings.max_upload_bytes)
        space = Space(settings, telemetry)
        delivered = DeliveryFolder(DataFolder(settings.data_dir).imports)
        tracing = Tracing(database, telemetry)
        key_cache = KeyCache(cache)
        keys = Keys(database, key_cache, limiter, clock, telemetry, time_zone)
        stack.callback(_write_last_notes, keys)
        uploads = Uploads(database, keys, understanding, tracing, space, settings, clock, telemetry)
        answers = AnswerCache(cache, on_look=note_look)
        instance = instance_name()
        announcing = Announcing(settings)
        health = Health(database, cache, space, clock, telemetry, engines.states)
        upkeep = Upkeep(database, clock, telemetry, instance, ZoneInfo(time_zone))
        silence = Silence(database, clock, instance)
        sessions = Sessions(database, limiter, clock, time_zone, settings.limit_failed_logins)
        replaying = Replaying(database, catalogue, understanding, space, clock)
        importing = Importing(database, catalogue, understanding, replaying, space, clock)
        services = Services(
            settings=settings,
            shared_reading=database.shared_reading,
            clock=clock,
            telemetry=telemetry,
            people=People(database, key_cache, answers, clock, time_zone),
            keys=keys,
            pairing=Pairing(database, keys, clock),
            uploads=uploads,
            tracing=tracing,
            sessions=sessions,
            lookup=Lookup(database, answers, catalogue),
            glances=Glances(database, answers, catalogue),
            explaining=Explaining(database, catalogue),
            sources=Sources(database, catalogue),
            sleep=Sleep(database, catalogue),
            replaying=replaying,
            importing=importing,
            deliveries=Deliveries(delivered, database, importing, space, clock),
            checking=Checking(database),
            advising=Advising(database),
            workouts=Workouts(database, catalogue),
            records=Records(database),
            quarantine=Quarantine(database, settings),
            export=Export(database, catalogue),
            health=health,
            holdings=Holdings(database, answers),
            space=space,
            backups=backups,
            upkeep=upkeep,
            verifying=Verifying(database, catalogue),
            retention=Retention(database, catalogue, settings, clock),
            own_metrics=OwnMetrics(database, clock, telemetry, instance),
            silence=silence,
            care=Care(database, answers, clock, uploads),
            announcing=announcing,
            control=Control(health, silence, space, upkeep, sessions, announcing),
        )
        services.upkeep.take_on(JOBS, services)
        yield services


def _write_last_notes(keys: Keys) -> None:
    """Write what is still noted in memory; losing a last use is no reason not to come down."""
    try:
        keys.write_notes()
    except HearthbeatError as error:
        log.warning("notes_lost", reason=error.code)


@contextmanager
def running_appliance(settings: Settings, role: str = "serve") -> Iterator[tuple[Flask, Services]]:
    """Have the whole appliance built and its worker at work; serving HTTP is the caller's part."""
    # Here, because short commands need neither: they start in two thirds of the time.
    from appliance.api.app import create_app  # noqa: PLC0415
    from web.pages import create_blueprint  # noqa: PLC0415

    with running_engines(settings, role) as engines, open_services(settings, engines) as services:
        worker = UploadWorker(services.uploads, services.tracing)
        importer = ImportWorker(services.deliveries, settings)
        services.space.check()
        scheduler = Scheduler(services.upkeep, JOBS, services.upkeep.zone)
        worker.start()
        importer.start()
        scheduler.start()
        try:
            yield create_app(services, create_blueprint(services)), services
        finally:
            scheduler.stop()
            importer.stop()
            worker.stop()


@contextmanager
def services_at_hand(settings: Settings, role: str) -> Iterator[Services]:
    """Have the services for a short command, whether the server runs or not."""
    with (
        running_engines(settings, role, or_attach=True) as engines,
        open_services(settings, engines) as services,
    ):
        yield services


@contextmanager
def restoring(settings: Settings, file: Path) -> Iterator[Restoring]:
    """Have what restoring this file takes.

    Raises `AlreadyRunning` when a Hearthbeat has the data folder open, and `BackupDamaged` before anything is started.
    """
    BackupFile(file)
    with running_engines(settings, "restore") as engines:
        database = Database(engines.database_url, pool_size=1)
        tools = _postgres_tools(settings)
        telemetry = Telemetry(CollectorRegistry())
        copies = Backups(database, load_catalogue(), settings, tools, SystemClock(), telemetry)
        try:
            yield Restoring(database, settings, tools, copies)
        finally:
            database.close()


def verify_backup(settings: Settings, file: Path) -> Report:
    """Prove a backup by a trial restore; needs no running database. Raises as `services.backups.verify` does."""
    folder = DataFolder(settings.data_dir)
    folder.create()
    return verify(file, _postgres_tools(settings), load_catalogue(), folder.root, SystemClock())


def _postgres_tools(settings: Settings) -> PostgresTools:
    folder = DataFolder(settings.data_dir)
    return PostgresTools(folder.scratch, account=settings.engine_user, bin_folder=settings.postgres_bin)
