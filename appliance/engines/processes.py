"""Child processes: started so that they die with us, found again when they did not, read by their logs."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import structlog

from appliance.foundation.errors import EngineFailed, HostError

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from appliance.engines.account import Account

log = structlog.get_logger("hearthbeat.engines")

PR_SET_PDEATHSIG = 1
LARGEST_LOG = 10 * 1024 * 1024
TAIL = 64 * 1024
REPORT_EVERY_S = 5.0
# Our own environment holds settings and secrets that are no engine's business, and variables (PG*, LD_*)
# that would change what it does.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def spawn(
    command: Sequence[str | Path],
    *,
    folder: Path,
    account: Account,
    log_file: Path,
    death_signal: signal.Signals,
) -> subprocess.Popen[bytes]:
    """Start a program in `folder` as `account`, its output appended to `log_file`.

    On Linux it gets `death_signal` when the *thread* that called this ends. It has its own session, so that
    a terminal's Ctrl-C reaches us alone. Raises `HostError` when it cannot be started.
    """
    try:
        log_file.touch(mode=0o600)
        with log_file.open("ab") as output:
            return subprocess.Popen(  # noqa: S603  our own programs
                [os.fspath(part) for part in command],
                cwd=folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
                user=account.uid if account.borrowed else None,
                group=account.gid if account.borrowed else None,
                extra_groups=[] if account.borrowed else None,
                preexec_fn=_die_with_parent(death_signal),  # noqa: PLW1509  two system calls, prepared before the fork
            )
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError(
            f"{os.fspath(command[0])} cannot be started: {error}. "
            "Check that it exists, may be run by "
            f"{account.name}, and is not on a file system mounted noexec."
        ) from error


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()
    number = int(death_signal)

    def before_exec() -> None:
        # Runs after the change of user, which would clear the setting.
        prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def end(process: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn, with the seconds to wait after it, until the process has ended."""
    for number, patience_s in steps:
        if process.poll() is not None:
            return
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
            return
    log.error("engine_does_not_stop", pid=process.pid)


def working_in(folder: Path, names: Collection[str]) -> list[psutil.Process]:
    """Return the live processes of these names whose working folder is `folder`."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            here = process.name() in names and process.cwd() == str(folder)
            if here and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def started_at(pid: int, moment: float, names: Collection[str], account: Account) -> psutil.Process | None:
    """Return the process of this id if name, account and start time (to 3 s) say that it is the one meant.

    For where root may not read a working folder, as in a container without CAP_SYS_PTRACE.
    """
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if (
            process.name() in names
            and process.status() != psutil.STATUS_ZOMBIE
            and process.uids().effective == account.uid
            and abs(process.create_time() - moment) <= 3
        ):
            return process
    return None


def wait_until_gone(find: Callable[[], Collection[psutil.Process]], *, what: str, patience_s: float) -> None:
    """Wait until `find` finds nothing, saying every 5 s that we still do.

    Raises `EngineFailed` with the ids of what is left when patience ends.
    """
    begin = said = time.monotonic()
    while left := find():
        now = time.monotonic()
        if now - begin > patience_s:
            pids = ", ".join(str(process.pid) for process in left)
            raise EngineFailed(
                f"{what} from an earlier run does not stop; end its process {pids} and start again."
            )
        if now - said >= REPORT_EVERY_S:
            said = now
            log.info("waiting_for_earlier_engine", engine=what, seconds=round(now - begin))
        time.sleep(0.02)


def remember(process: subprocess.Popen[bytes], file: Path) -> None:
    """Note a process we started, so that a later program can recognise it."""
    with suppress(psutil.Error):
        moment = psutil.Process(process.pid).create_time()
        file.write_text(json.dumps({"pid": process.pid, "started": moment}), encoding="utf-8")


def remembered(file: Path, names: Collection[str], account: Account) -> psutil.Process | None:
    """Return the process noted in `file` if it still lives; a number reused by another one is not it."""
    try:
        note = json.loads(file.read_text(encoding="utf-8"))
        return started_at(int(note["pid"]), float(note["started"]), names, account)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def rotate(log_file: Path) -> None:
    """Keep one earlier log when this one has grown past 10 MiB."""
    with suppress(FileNotFoundError):
        if log_file.stat().st_size > LARGEST_LOG:
            log_file.replace(log_file.with_name(log_file.name + ".1"))


def tail(log_file: Path, count: int) -> str:
    """Return the last lines of a log, or nothing when there is none."""
    try:
        with log_file.open("rb") as file:
            file.seek(max(0, log_file.stat().st_size - TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-count:])
