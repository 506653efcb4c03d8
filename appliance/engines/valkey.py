"""The embedded Valkey: counters, keys and answers in memory behind a Unix socket, kept nowhere.

Losing it loses nothing but speed, so it writes no file and is stopped without ceremony.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from appliance.engines.account import Account, engine_account
from appliance.engines.engine import cause, start_and_wait
from appliance.engines.lock import FolderLock
from appliance.engines.places import prepare_engines_folder, prepare_run_folder, run_folder, settled, unusable
from appliance.engines.processes import (
    end,
    remember,
    remembered,
    rotate,
    spawn,
    tail,
    wait_until_gone,
    working_in,
)
from appliance.engines.programs import valkey_program, valkey_within_reach
from appliance.foundation.errors import EngineFailed, HostError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path

log = structlog.get_logger("hearthbeat.engines")

PROGRAM_NAMES = frozenset({"valkey-server", "redis-server"})
SOCKET = "valkey.sock"
CONFIGURATION = {
    "port": "0",
    "unixsocket": SOCKET,
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    "maxmemory": "64mb",
    "maxmemory-policy": "allkeys-lru",
    "daemonize": "no",
}
STOPPING = ((signal.SIGTERM, 5.0), (getattr(signal, "SIGKILL", signal.SIGTERM), 5.0))


class EmbeddedValkey:
    """A Valkey of our own for `folder`.

    `account` is used as root only; `server` is a valkey-server or redis-server to run instead of the packaged
    one; `options` are server settings that go before ours.
    """

    name = "valkey"
    patience_s = 30.0

    def __init__(
        self,
        folder: Path,
        *,
        account: str = "hearthbeat",
        server: Path | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = settled(folder)
        self.process: subprocess.Popen[bytes] | None = None
        self._account = account
        self._server = server
        self._options = dict(options or {})
        self._log = self.folder / "valkey.log"
        self._note = self.folder / "valkey.pid.json"
        self._lock = FolderLock(self.folder, name="valkey")

    @staticmethod
    def available(server: Path | None = None) -> bool:
        """Whether there is a program to run; on Windows there is none."""
        return valkey_program(server) is not None

    @property
    def socket(self) -> Path:
        """The path of its socket."""
        return run_folder(self.folder) / SOCKET

    @property
    def url(self) -> str:
        """Its address as redis-py takes it."""
        return f"unix://{quote(str(self.socket))}"

    def start(self) -> None:
        """Run, and return when it answers. Raises `AlreadyRunning`, `EngineFailed` or another `HostError`."""
        start_and_wait(self)

    def launch(self) -> None:
        """Begin to run, stopping what an earlier run left behind. Raises as `start`."""
        program = valkey_program(self._server)
        if program is None:
            raise HostError(
                "There is no valkey-server for this system; set valkey_server to one, or redis_url to a "
                "running Valkey or Redis."
            )
        account = engine_account(self._account)
        prepare_engines_folder(self.folder, account)
        self._lock.acquire("valkey")
        try:
            self._launch(program, account)
        except OSError as error:
            self._lock.release()
            raise unusable(self.folder, error) from error
        except BaseException:
            self._lock.release()
            raise

    def ready(self) -> bool:
        """Whether it answers. Raises `EngineFailed` when it stopped instead."""
        if self.process is None or self.process.poll() is not None:
            raise EngineFailed(
                f"Valkey stopped while it was starting: {cause(self.last_lines())}; "
                f"start again, {self._log} has more."
            )
        return self.answers()

    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self.process is not None and self.process.poll() is None

    def answers(self) -> bool:
        """Whether the Valkey of this folder answers, whichever program started it."""
        client = redis.Redis(
            unix_socket_path=str(self.socket),
            socket_timeout=0.25,
            socket_connect_timeout=0.25,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            return bool(client.ping())
        except (redis.RedisError, OSError):
            return False
        finally:
            client.close()

    def stop(self) -> None:
        """End it within 10 s. Nothing happens when it does not run."""
        if self.process is not None:
            end(self.process, STOPPING)
            self.process = None
            self._note.unlink(missing_ok=True)
        self._lock.release()

    def last_lines(self, n: int = 12) -> str:
        """Return the end of its log."""
        return tail(self._log, n)

    def _launch(self, program: Path, account: Account) -> None:
        rotate(self._log)
        run = prepare_run_folder(self.folder, account)
        self._stop_orphan(run, account)
        (run / SOCKET).unlink(missing_ok=True)
        arguments: list[str] = []
        for name, value in (CONFIGURATION | self._options).items():
            arguments += [f"--{name}", value]
        self.process = spawn(
            [valkey_within_reach(program, account), *arguments],
            folder=run,
            account=account,
            log_file=self._log,
            death_signal=signal.SIGTERM,
        )
        remember(self.process, self._note)

    def _stop_orphan(self, run: Path, account: Account) -> None:
        def left() -> list[psutil.Process]:
            found = working_in(run, PROGRAM_NAMES)
            noted = remembered(self._note, PROGRAM_NAMES, account)
            return found or ([noted] if noted else [])

        for process in left():
            log.warning("stopping_earlier_engine", engine=self.name, pid=process.pid)
            with suppress(psutil.NoSuchProcess):
                # A second server on the same socket would take it over silently; and there is nothing to save.
                process.kill()
        wait_until_gone(left, what="Valkey", patience_s=30.0)
