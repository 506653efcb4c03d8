"""The embedded Postgres on Linux and macOS: a direct child behind a Unix socket, without TCP.

As root it runs under an account of its own, which cannot pass through the folders above the data. So it is
started *in* its data folder and names everything from there; clients use absolute paths.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import psycopg
import structlog
from psycopg.conninfo import make_conninfo

from appliance.engines.account import Account, engine_account, own_name
from appliance.engines.engine import cause, start_and_wait
from appliance.engines.lock import FolderLock
from appliance.engines.places import (
    hand_over,
    own_folder,
    prepare_engines_folder,
    prepare_run_folder,
    run_folder,
    settled,
    sync_folder,
    unusable,
    write_owned,
)
from appliance.engines.postgres_common import (
    NAME,
    PORT,
    READY_WITHIN_S,
    can_connect,
    check_format,
    configuration,
    create_database,
    creation_options,
    read_pid_file,
)
from appliance.engines.processes import end, rotate, spawn, started_at, tail, wait_until_gone, working_in
from appliance.engines.programs import postgres_bin_folder, postgres_version, postgres_within_reach
from appliance.foundation.errors import EngineFailed, HostError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path

log = structlog.get_logger("hearthbeat.engines")

ORPHAN_PATIENCE_S = 300.0
CREATION_PATIENCE_S = 600.0  # initdb on the slowest of cards
REFUSAL_PATIENCE_S = 10.0
# Fast, then immediate (safe, the next start recovers), then without asking.
STOPPING = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))


class PosixPostgres:
    """A Postgres of our own in `folder`, with the role and the database `hearthbeat`.

    `account` is used as root only; `options` are server settings that go before ours.
    """

    name = "postgres"
    patience_s = READY_WITHIN_S

    def __init__(
        self,
        folder: Path,
        *,
        account: str = NAME,
        bin_folder: Path | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = settled(folder)
        self.process: subprocess.Popen[bytes] | None = None
        self._account = account
        self._bin_folder = bin_folder
        self._options = dict(options or {})
        self._data = self.folder / "postgres"
        self._unfinished = self.folder / "postgres.new"
        self._log = self.folder / "postgres.log"
        self._lock = FolderLock(self.folder, name="postgres")
        self._refused_since: float | None = None

    @property
    def url(self) -> str:
        """The address of our database as SQLAlchemy takes it."""
        # The port is said, because PGPORT in somebody's environment would change it.
        return f"postgresql+psycopg://{NAME}@/{NAME}?host={quote(str(run_folder(self.folder)))}&port={PORT}"

    @property
    def bin_folder(self) -> Path:
        """The folder with pg_dump and the like. Raises `HostError` when there is none."""
        return postgres_bin_folder(self._bin_folder)

    def start(self) -> None:
        """Run, and return when the database can be used.

        Raises `AlreadyRunning`, `DataFolderNewer`, `EngineFailed` or another `HostError`.
        """
        start_and_wait(self)

    def launch(self) -> None:
        """Begin to run, creating the data folder at first and stopping what an earlier run left behind.

        Raises as `start`.
        """
        account = engine_account(self._account)
        prepare_engines_folder(self.folder, account)
        self._lock.acquire("postgres")
        try:
            self._launch(account)
        except OSError as error:
            self._lock.release()
            raise unusable(self.folder, error) from error
        except BaseException:
            self._lock.release()
            raise

    def ready(self) -> bool:
        """Whether our database can be used. Raises `EngineFailed` when the server stopped instead."""
        if self.process is None or self.process.poll() is not None:
            raise EngineFailed(
                f"Postgres stopped while it was starting: {cause(self.last_lines())}; "
                f"free some space if the disk is full and start again, {self._log} has more."
            )
        # Asking this file, as pg_ctl does, leaves no refused connection in the log.
        said = read_pid_file(self._data)
        if said is None or said.pid != self.process.pid or not said.ready:
            return False
        try:
            create_database(self._conninfo("postgres"))
        except psycopg.Error as error:
            return self._not_let_in(error)
        self._refused_since = None
        return True

    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self.process is not None and self.process.poll() is None

    def answers(self) -> bool:
        """Whether the Postgres of this folder lets us into our database, whichever program started it."""
        return can_connect(self._conninfo(NAME))

    def stop(self) -> None:
        """End it as a clean stop, within 75 s; its sessions are cut. Nothing happens when it does not run."""
        if self.process is not None:
            end(self.process, STOPPING)
            self.process = None
        self._lock.release()

    def clear(self) -> None:
        """Remove the data, stopping what an earlier run left running on it; for a server that is thrown away.

        Raises `AlreadyRunning` while another program runs it, or another `HostError`.
        """
        account = engine_account(self._account)
        prepare_engines_folder(self.folder, account)
        self._lock.acquire("postgres")
        try:
            self._clear_the_way(account)
            shutil.rmtree(self._data, ignore_errors=True)
        finally:
            self._lock.release()

    def last_lines(self, n: int = 12) -> str:
        """Return the end of its log."""
        return tail(self._log, n)

    def _launch(self, account: Account) -> None:
        rotate(self._log)
        programs = postgres_within_reach(self.bin_folder, account)
        version = postgres_version(self.bin_folder)
        if account.borrowed and version.major < 16:
            # Its programs look for themselves by walking up from where they are, which this account cannot.
            raise HostError(
                f"As root the embedded Postgres must be 16 or newer and {self.bin_folder} has {version.text}; "
                "set postgres_bin to a newer one, or run Hearthbeat as an ordinary user."
            )
        run = prepare_run_folder(self.folder, account)
        self._clear_the_way(account)
        if not self._data.exists():
            self._create(programs, account)
        check_format(self._data, version)
        hand_over(self._data, account)
        self._say_who_may_enter(account)
        for leftover in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (run / leftover).unlink(missing_ok=True)
        settings = configuration(version) | {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_permissions": "0700",
            "unix_socket_directories": self._socket_setting(run, account),
        }
        arguments = [f"--{name}={value}" for name, value in (settings | self._options).items()]
        self._refused_since = None
        self.process = spawn(
            [programs / "postgres", "-D", self._from_inside(self._data, account), *arguments],
            folder=self._data,
            account=account,
            log_file=self._log,
            death_signal=signal.SIGINT,
        )

    def _create(self, programs: Path, account: Account) -> None:
        """Make the data folder under a temporary name, so that a killed first start leaves nothing half made."""
        begin = time.monotonic()
        own_folder(self._unfinished, account)
        options = [
            "--auth-local=peer",
            "--auth-host=reject",
            *creation_options(postgres_version(self.bin_folder)),
        ]
        process = spawn(
            [programs / "initdb", "-D", self._from_inside(self._unfinished, account), *options],
            folder=self._unfinished,
            account=account,
            log_file=self._log,
            death_signal=signal.SIGTERM,
        )
        try:
            code = process.wait(CREATION_PATIENCE_S)
        except BaseException:
            end(process, ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)))
            raise
        if code != 0:
            raise EngineFailed(
                f"The database could not be created: {cause(self.last_lines())}; free some space and start again, "
                f"{self._log} has more."
            )
        self._unfinished.rename(self._data)  # initdb has synced all that is in it
        sync_folder(self.folder)
        log.info("database_created", folder=str(self._data), seconds=round(time.monotonic() - begin, 3))

    def _clear_the_way(self, account: Account) -> None:
        """Stop what an earlier run left running here and remove what it left lying."""
        self._stop_orphan(account)
        self._stop_unfinished_creation()
        said = read_pid_file(self._data)
        if said is not None and psutil.pid_exists(said.pid):
            # The number went to somebody else, or to a dead child nobody has collected yet. Postgres would
            # refuse to start; when no process has that number it clears the file itself, and checks more.
            log.info("stale_pid_file_removed", pid=said.pid)
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _stop_orphan(self, account: Account) -> None:
        orphans = self._servers(account)
        if not orphans:
            return
        said = read_pid_file(self._data)
        for process in orphans:
            # To its parts the same signal means something else; they go when their server is gone.
            if said is not None and process.pid == said.pid:
                log.warning("stopping_earlier_engine", engine=self.name, pid=process.pid)
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGINT)
        wait_until_gone(lambda: self._servers(account), what="Postgres", patience_s=ORPHAN_PATIENCE_S)

    def _servers(self, account: Account) -> list[psutil.Process]:
        """Return the processes of a Postgres that works on our data."""
        found = working_in(self._data, {"postgres"})
        said = read_pid_file(self._data)
        if not found and said is not None:
            named = started_at(said.pid, said.started, {"postgres"}, account)
            return [named] if named and _hides_its_folder(named) else []
        return found

    def _stop_unfinished_creation(self) -> None:
        if not self._unfinished.exists():
            return

        def left() -> list[psutil.Process]:
            return working_in(self._unfinished, {"initdb", "postgres"})

        for process in left():
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        wait_until_gone(left, what="initdb", patience_s=60.0)
        shutil.rmtree(self._unfinished, ignore_errors=True)

    def _say_who_may_enter(self, account: Account) -> None:
        """Let exactly these accounts of the computer be the role: us and the one the server runs as."""
        write_owned(self._data / "pg_hba.conf", f"local all all peer map={NAME}\n", account)
        people = dict.fromkeys((own_name(), account.name))
        lines = [f'{NAME} "{person}" {NAME}\n' for person in people]
        write_owned(self._data / "pg_ident.conf", "".join(lines), account)

    def _socket_setting(self, run: Path, account: Account) -> str:
        path = "../run" if account.borrowed and run.parent == self.folder else str(run)
        return '"' + path.replace('"', '""') + '"'

    def _from_inside(self, folder: Path, account: Account) -> str:
        """Name a program's working folder in a way that its account can follow."""
        return "/proc/self/cwd" if account.borrowed and sys.platform == "linux" else str(folder)

    def _conninfo(self, database: str) -> str:
        return make_conninfo(
            host=str(run_folder(self.folder)), port=PORT, user=NAME, dbname=database, connect_timeout=3
        )

    def _not_let_in(self, error: psycopg.Error) -> bool:
        now = time.monotonic()
        self._refused_since = self._refused_since or now
        if now - self._refused_since > REFUSAL_PATIENCE_S:
            said = " ".join(str(error).split())
            raise EngineFailed(
                f"Postgres runs but does not let us in ({said}); see {self._log} and start again."
            ) from error
        return False


def _hides_its_folder(process: psutil.Process) -> bool:
    """Whether we may not see where a process works; one that works elsewhere is not ours."""
    try:
        process.cwd()
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False
    return False
