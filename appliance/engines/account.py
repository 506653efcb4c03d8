"""The account the engines run as: our own, or an unprivileged one when Hearthbeat runs as root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from appliance.foundation.errors import HostError

if sys.platform != "win32":
    import pwd

log = structlog.get_logger("hearthbeat.engines")

NO_LOGIN = (Path("/usr/sbin/nologin"), Path("/sbin/nologin"), Path("/usr/bin/nologin"))


@dataclass(frozen=True, slots=True)
class Account:
    """Who an engine runs as; `borrowed` when that is not who we are."""

    name: str
    uid: int
    gid: int
    borrowed: bool


def running_as_root() -> bool:
    """Whether we are root on a system that has one."""
    return sys.platform != "win32" and os.geteuid() == 0


def engine_account(wanted: str) -> Account:
    """Return the account to run engines as, creating `wanted` when we are root and it does not exist.

    Raises `HostError` when there is no such account and none can be made.
    """
    if not running_as_root():
        return Account(own_name(), os.geteuid(), os.getegid(), borrowed=False)
    if sys.platform == "darwin":
        raise HostError(
            "On macOS the embedded engines do not run as root; start Hearthbeat as an ordinary user."
        )
    account = _find(wanted) or _create(wanted)
    if account.uid == 0:
        raise HostError(
            f"The account {wanted} is root, and Postgres refuses to run as root; "
            "set engine_user to an ordinary account."
        )
    return account


def own_name() -> str:
    """Return the name of the account we run as, which Postgres' peer check asks for.

    Raises `HostError` when it has none, as in a container started under a bare number.
    """
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise HostError(
            f"The user id {os.geteuid()} has no name on this computer and Postgres needs one; "
            "run Hearthbeat as an account listed in /etc/passwd."
        ) from error


def _find(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, borrowed=True)


def _create(name: str) -> Account:
    mend = "create it yourself, set engine_user to one that exists, or run Hearthbeat as an ordinary user"
    command = _creation(name)
    if command is None:
        raise HostError(
            f"The account {name} for the engines does not exist and there is no useradd or adduser; {mend}."
        )
    try:
        done = subprocess.run(  # noqa: S603  fixed programs; the name is a setting of the administrator
            command, capture_output=True, text=True, timeout=30, check=False
        )
        said = " ".join((done.stderr or done.stdout).split())
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    account = _find(name)
    if account is None:
        raise HostError(f"The account {name} for the engines could not be created ({said}); {mend}.")
    log.info("engine_account_created", account=name, uid=account.uid)
    return account


def _creation(name: str) -> list[str] | None:
    shell = next((str(path) for path in NO_LOGIN if path.exists()), "/bin/false")
    if useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        return [
            useradd,
            "--system",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            shell,
            "--",
            name,
        ]
    if adduser := shutil.which("adduser", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        # BusyBox, where no long options exist.
        return [adduser, "-S", "-D", "-H", "-s", shell, name]
    return None
