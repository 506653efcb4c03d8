"""The embedded Postgres on Windows: loopback TCP with a generated password, started through pg_ctl.

Untested: written from the programs' documentation and never run on Windows. pg_ctl, because it drops an
administrator's rights, which Postgres refuses to run with. TCP, because Windows has no peer authentication.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import psycopg
import structlog
from psycopg.conninfo import make_conninfo

from appliance.engines.engine import cause, start_and_wait
from appliance.engines.lock import FolderLock
from appliance.engines.places import settled, unusable
from appliance.engines.postgres_common import (
    NAME,
    READY_WITHIN_S,
    can_connect,
    check_format,
    configuration,
    create_database,
    creation_options,
    read_pid_file,
)
from appliance.engines.processes import rotate, tail
from appliance.engines.programs import postgres_bin_folder, postgres_version
from appliance.foundation.errors import EngineFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

log = structlog.get_logger("hearthbeat.engines")

LOOPBACK = "127.0.0.1"
OWN_CONFIGURATION = "hearthbeat.conf"


class WindowsPostgres:
    """A Postgres of our own in `folder`, with the role and the database `hearthbeat`.

    `account` is ignored; `options` are server settings that go before ours. `process` stays empty: pg_ctl's
    server is nobody's child, and an earlier one still running is stopped at the next start.
    """

    name = "postgres"
    patience_s = READY_WITHIN_S

    def __init__(
        self,
        folder: Path,
        *,
        account: str = NAME,  # noqa: ARG002  the same shape on every system
        bin_folder: Path | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = settled(folder)
        self.process: subprocess.Popen[bytes] | None = None
        self._bin_folder = bin_folder
        self._options = dict(options or {})
        self._data = self.folder / "postgres"
        self._unfinished = self.folder / "postgres.new"
        self._log = self.folder / "postgres.log"
        self._password_file = self.folder / "postgres.password"
        self._port_file = self.folder / "postgres.port"
        self._lock = FolderLock(self.folder, name="postgres")
        self._gone_since: float | None = None

    @property
    def url(self) -> str:
        """The address of our database as SQLAlchemy takes it. Raises `EngineFailed` before the first start."""
        port, password = self._address()
        return f"postgresql+psycopg://{NAME}:{quote(password, safe='')}@{LOOPBACK}:{port}/{NAME}"

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
        """Begin to run, creating the data folder at first and stopping what an earlier run left. Raises as `start`."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire("postgres")
            self._launch()
        except OSError as error:
            self._lock.release()
            raise unusable(self.folder, error) from error
        except BaseException:
            self._lock.release()
            raise

    def ready(self) -> bool:
        """Whether our database can be used. Raises `EngineFailed` when the server stopped instead."""
        said = read_pid_file(self._data)
        if said is None:
            # pg_ctl returns before the server has written its file.
            self._gone_since = self._gone_since or time.monotonic()
            if time.monotonic() - self._gone_since > 10:
                raise EngineFailed(
                    f"Postgres stopped while it was starting: {cause(self.last_lines())}; {self._log} has more."
                )
            return False
        self._gone_since = None
        if not said.ready:
            return False
        try:
            create_database(self._conninfo("postgres"))
        except psycopg.Error:
            return False
        return True

    def alive(self) -> bool:
        """Whether the server's process runs."""
        said = read_pid_file(self._data)
        return said is not None and psutil.pid_exists(said.pid)

    def answers(self) -> bool:
        """Whether the Postgres of this folder lets us into our database, whichever program started it."""
        try:
            return can_connect(self._conninfo(NAME))
        except EngineFailed:
            return False

    def stop(self) -> None:
        """End it as a clean stop; its sessions are cut. Nothing happens when it does not run."""
        if self._lock.held and self.alive():
            self._run_program("pg_ctl", ["stop", "-D", str(self._data), "-m", "fast", "-w", "-t", "60"])
        self._lock.release()

    def clear(self) -> None:
        """Remove the data, stopping what an earlier run left running on it; for a server that is thrown away.

        Raises `AlreadyRunning` while another program runs it, or another `HostError`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock.acquire("postgres")
        try:
            self._stop_orphan()
            shutil.rmtree(self._data, ignore_errors=True)
        finally:
            self._lock.release()

    def last_lines(self, n: int = 12) -> str:
        """Return the end of its log."""
        return tail(self._log, n)

    def _launch(self) -> None:
        rotate(self._log)
        self._stop_orphan()
        if not self._data.exists():
            self._create()
        version = postgres_version(self.bin_folder)
        check_format(self._data, version)
        port = _free_port()
        settings = configuration(version) | {"listen_addresses": LOOPBACK, "port": str(port)} | self._options
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items()]
        (self._data / OWN_CONFIGURATION).write_text("".join(lines), encoding="utf-8")
        (self._data / "pg_hba.conf").write_text(
            f"host all all {LOOPBACK}/32 scram-sha-256\n", encoding="utf-8"
        )
        self._port_file.write_text(str(port), encoding="ascii")
        self._gone_since = None
        done = self._run_program("pg_ctl", ["start", "-D", str(self._data), "-l", str(self._log), "-W"])
        if done != 0:
            raise EngineFailed(
                f"Postgres could not be started: {cause(self.last_lines())}; {self._log} has more."
            )

    def _create(self) -> None:
        shutil.rmtree(self._unfinished, ignore_errors=True)
        descriptor = os.open(self._password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
        options = ["--auth=scram-sha-256", f"--pwfile={self._password_file}"]
        options += creation_options(postgres_version(self.bin_folder))
        if self._run_program("initdb", ["-D", str(self._unfinished), *options]) != 0:
            raise EngineFailed(
                f"The database could not be created: {cause(self.last_lines())}; free some space."
            )
        with (self._unfinished / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"\ninclude_if_exists '{OWN_CONFIGURATION}'\n")
        self._unfinished.rename(self._data)

    def _stop_orphan(self) -> None:
        said = read_pid_file(self._data)
        if said is None:
            return
        with suppress(psutil.Error):
            if psutil.Process(said.pid).name().lower() == "postgres.exe":
                log.warning("stopping_earlier_engine", engine=self.name, pid=said.pid)
                self._run_program("pg_ctl", ["stop", "-D", str(self._data), "-m", "fast", "-w", "-t", "300"])
                return
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _run_program(self, program: str, arguments: Sequence[str]) -> int:
        with self._log.open("ab") as output:
            return subprocess.run(  # noqa: S603  our own programs
                [self.bin_folder / f"{program}.exe", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode

    def _address(self) -> tuple[int, str]:
        try:
            port = int(self._port_file.read_text(encoding="ascii"))
            return port, self._password_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise EngineFailed(
                f"The database in {self.folder} has not been started yet; start Hearthbeat."
            ) from error

    def _conninfo(self, database: str) -> str:
        port, password = self._address()
        return make_conninfo(
            host=LOOPBACK, port=port, user=NAME, password=password, dbname=database, connect_timeout=3
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
