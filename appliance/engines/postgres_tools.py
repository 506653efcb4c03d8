"""Postgres' own programs for taking a database out and putting it back, and a throw-away server to try it on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from appliance.engines.lock import FolderLock
from appliance.engines.places import run_folder
from appliance.engines.postgres import EmbeddedPostgres
from appliance.engines.processes import ENVIRONMENT
from appliance.engines.programs import SUFFIX, postgres_bin_folder
from appliance.foundation.errors import AlreadyRunning, BackupFailed

CHUNK = 1024 * 1024
SCRATCH_WAIT_S = 600.0
# What lets libpq find its files, as it does in our own process.
_PASSED_ON = ("HOME", "USERPROFILE", "APPDATA", "SYSTEMROOT", "TEMP", "TMP")
_QUOTED = re.compile(r'"[^"]*"')

# Everything in the scratch server is thrown away; a restore there is not to wait for the disk.
_NOTHING_LASTS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "maintenance_work_mem": "64MB",
}


class PostgresTools:
    """pg_dump, pg_restore and a scratch server, for any Postgres we can reach.

    `bin_folder` as the setting postgres_bin; `scratch` is where the throw-away server lives for a while, run as
    `account` when we are root.
    """

    def __init__(self, scratch: Path, *, account: str, bin_folder: Path | None = None) -> None:
        self._scratch = scratch
        self._account = account
        self._bin_folder = bin_folder

    def dump(self, url: str, snapshot: str, write: Callable[[bytes], object]) -> None:
        """Write the whole database as this exported snapshot shows it, in pg_dump's custom format.

        Raises `BackupFailed` with what pg_dump says; an error of `write` ends the program and goes through.
        """
        conninfo, secrets = _address(url)
        # Schema public only: what a server's owner keeps beside us is none of our business. gzip, because every
        # build can read it.
        words = ["--format=custom", "--compress=gzip:1", "--schema=public", f"--snapshot={snapshot}"]
        words += ["--no-owner", "--no-privileges", "--no-password"]
        with (
            tempfile.TemporaryFile() as said,
            self._running("pg_dump", [*words, f"--dbname={conninfo}"], secrets, said, read=True) as process,
        ):
            while chunk := _pipe(process.stdout).read(CHUNK):
                write(chunk)
            if process.wait() != 0:
                raise BackupFailed(
                    f"The database could not be read: {_told(said)}. If the server is newer than our pg_dump or "
                    "wants TLS, set postgres_bin to the folder of its own programs."
                )

    def restore(self, url: str, dump: Iterable[bytes]) -> None:
        """Put a dump into an empty database, all of it or nothing. Raises `BackupFailed` with what the programs say.

        pg_restore turns it into SQL and psql carries that out: pg_restore itself would set `transaction_timeout`,
        which servers before 17 do not know and it does not forgive.
        """
        conninfo, secrets = _address(url)
        to_sql = ["--file=-", "--schema=public", "--no-owner", "--no-privileges"]
        carry_out = [
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            "--no-password",
        ]
        failure = "The backup could not be restored"
        with (
            tempfile.TemporaryFile() as said,
            tempfile.TemporaryFile() as said_then,
            self._running("pg_restore", to_sql, {}, said, fed=True, read=True) as reading,
            self._running(
                "psql", [*carry_out, f"--dbname={conninfo}"], secrets, said_then, fed=True
            ) as filling,
            ThreadPoolExecutor(1) as feeder,
        ):
            fed = feeder.submit(_pour, dump, reading.stdin)
            if not _pour(_known_everywhere(reading.stdout), filling.stdin, close=False):
                reading.kill()  # or it would wait for a reader, and we for it
                fed.cancel()
                filling.wait()
                raise BackupFailed(f"{failure}: {_told(said_then)}.")
            fed.result()
            if reading.wait() != 0:
                filling.kill()  # the end of its input would be the end of a good transaction
                raise BackupFailed(f"{failure}: {_told(said)}.")
            with suppress(BrokenPipeError):
                _pipe(filling.stdin).close()
            if filling.wait() != 0:
                raise BackupFailed(f"{failure}: {_told(said_then)}.")

    def check(self, dump: Iterable[bytes]) -> None:
        """Look whether a dump has a readable table of contents. Raises `BackupFailed`."""
        with (
            tempfile.TemporaryFile() as said,
            self._running("pg_restore", ["--list"], {}, said, fed=True) as process,
        ):
            _pour(dump, process.stdin)
            if process.wait() != 0:
                raise BackupFailed(f"The backup cannot be read: {_told(said)}.")

    @contextmanager
    def scratch(self) -> Iterator[str]:
        """Have a throw-away server and yield the address of an empty database in it.

        What an earlier, killed run left of one is removed first. One program at a time; the others wait up to ten
        minutes. Raises `HostError` when it cannot be started.
        """
        self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FolderLock(self._scratch, name="scratch")
        try:
            lock.acquire("scratch", wait_s=SCRATCH_WAIT_S)
        except AlreadyRunning as error:
            raise BackupFailed(
                "Another backup is being checked just now; try again when it is done."
            ) from error
        engines = self._scratch / "engines"
        server = EmbeddedPostgres(
            engines, account=self._account, bin_folder=self._bin_folder, options=_NOTHING_LASTS
        )
        try:
            server.clear()
            server.start()
            yield server.url
        finally:
            server.stop()
            _remove(engines)
            lock.release()
            _remove(self._scratch)

    @contextmanager
    def _running(
        self,
        program: str,
        words: list[str],
        secrets: dict[str, str],
        said: IO[bytes],
        *,
        fed: bool = False,
        read: bool = False,
    ) -> Iterator[subprocess.Popen[bytes]]:
        path = postgres_bin_folder(self._bin_folder) / f"{program}{SUFFIX}"
        try:
            process = subprocess.Popen(  # noqa: S603  our own program; the address is a setting
                [path, *words],
                env=_environment() | secrets,
                stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
                stdout=subprocess.PIPE if read else subprocess.DEVNULL,
                stderr=said,
            )
        except OSError as error:
            raise BackupFailed(
                f"{path} cannot be started: {error}; install Hearthbeat again or set postgres_bin."
            ) from error
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
            process.wait()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101  asked for
    return pipe


def _pour(chunks: Iterable[bytes], pipe: IO[bytes] | None, *, close: bool = True) -> bool:
    """Feed a program and return whether it took everything; why it did not, its exit status says."""
    try:
        for chunk in chunks:
            _pipe(pipe).write(chunk)
    except BrokenPipeError:
        return False
    finally:
        if close:
            with suppress(BrokenPipeError):
                _pipe(pipe).close()
    return True


def _known_everywhere(script: IO[bytes] | None) -> Iterator[bytes]:
    """Yield a script without the one setting in its head that a server before 17 does not know."""
    head = _pipe(script).read(CHUNK)
    yield head.replace(b"\nSET transaction_timeout = 0;\n", b"\n", 1)
    while chunk := _pipe(script).read(CHUNK):
        yield chunk


def _address(url: str) -> tuple[str, dict[str, str]]:
    """Return an address as libpq takes it, and its password apart: a command line is everybody's to see."""
    parts = conninfo_to_dict(re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url))
    password = parts.pop("password", None)
    return make_conninfo("", **parts), {"PGPASSWORD": str(password)} if password else {}


def _environment() -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if name.startswith("PG") or name in _PASSED_ON}
    return ENVIRONMENT | mine


def _told(said: IO[bytes]) -> str:
    """Return the program's complaint in one line, without the values that Postgres quotes in its errors."""
    said.seek(0)
    lines = said.read().decode("utf-8", "replace").splitlines()
    telling = [line for line in lines if "error:" in line.lower()] or lines
    before, error, after = (telling[0] if telling else "it ended without a word").partition("ERROR:")
    return " ".join((before + error + _QUOTED.sub("…", after)).split())[:400].rstrip(".")


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    elsewhere = run_folder(folder)
    if elsewhere.parent != folder:
        shutil.rmtree(elsewhere, ignore_errors=True)
