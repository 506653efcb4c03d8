"""The engines' folders: who owns them, who may enter them, and a socket path that is short enough."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.foundation.errors import HostError

if TYPE_CHECKING:
    from appliance.engines.account import Account

LONGEST_SOCKET_NAME = "/.s.PGSQL.5432"
LONGEST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107  # sun_path less its closing zero
SYSTEM_TEMP = Path("/tmp")  # noqa: S108  fixed, so that every program of ours derives the same path whatever TMPDIR says


def settled(folder: Path) -> Path:
    """Return the one spelling of a folder that every program derives the same names from."""
    return Path(os.path.realpath(folder))


def run_folder(folder: Path) -> Path:
    """Return where the sockets of the engines in `folder` lie.

    That is `run` inside it, unless a socket's path would not fit into its address or libpq would read the
    comma in it as a list of hosts; then it is a folder of ours in the system's temporary one.
    """
    folder = settled(folder)
    inside = folder / "run"
    if len(os.fsencode(inside)) + len(LONGEST_SOCKET_NAME) <= LONGEST_SOCKET_PATH and "," not in str(inside):
        return inside
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return SYSTEM_TEMP / f"hearthbeat-{os.geteuid()}-{digest}"


def prepare_engines_folder(folder: Path, account: Account) -> None:
    """Make the folder that holds the engines' own; a borrowed account may pass through it but not list it.

    It stays ours even then: what root writes and opens here must not be exchanged by the account.
    Raises `HostError` when it cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if account.borrowed:
            folder.chmod(0o711)
    except OSError as error:
        raise unusable(folder, error) from error


def prepare_run_folder(folder: Path, account: Account) -> Path:
    """Make the sockets' folder, open to `account` (and root) alone, and return it.

    Raises `HostError` when somebody else has put something in its place.
    """
    path = run_folder(folder)
    own_folder(path, account)
    return path


def own_folder(path: Path, account: Account) -> None:
    """Make `path` a folder of `account` with mode 0700.

    Raises `HostError` when it is something else, or belongs to somebody else and we may not take it: root
    takes what lies in our folder, and nobody takes what somebody put into the system's temporary one.
    """
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        rightful = found.st_uid in {os.geteuid(), account.uid}
        ours_to_take = account.borrowed and path.parent != SYSTEM_TEMP
        if not stat.S_ISDIR(found.st_mode) or not (rightful or ours_to_take):
            raise HostError(
                f"{path} is needed by the engines and belongs to somebody else; remove it or choose "
                "another folder with --data-dir."
            )
        path.chmod(0o700)
        if found.st_uid != account.uid:
            os.chown(path, account.uid, account.gid)
    except FileExistsError as error:
        raise HostError(f"{path} is needed as a folder and is something else; move it away.") from error
    except OSError as error:
        raise unusable(path, error) from error


def hand_over(tree: Path, account: Account) -> None:
    """Give a whole tree to `account` unless it has it; its top comes last, so an interrupted run goes on.

    Raises `HostError` when it belongs to somebody else and we may not change that.
    """
    if tree.stat().st_uid == account.uid:
        return
    if not account.borrowed:
        raise HostError(
            f"{tree} belongs to another account (perhaps Hearthbeat once ran as root); "
            f"give it back with: sudo chown -R {account.name} {tree}"
        )
    for folder, folders, files in os.walk(tree, topdown=False):
        for name in (*folders, *files):
            os.chown(Path(folder) / name, account.uid, account.gid, follow_symlinks=False)
    os.chown(tree, account.uid, account.gid)


def write_owned(path: Path, text: str, account: Account) -> None:
    """Replace a small file inside a folder of `account` in one step, following no link it may have planted."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        if account.borrowed:
            os.fchown(file.fileno(), account.uid, account.gid)
    fresh.replace(path)


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unusable(path: Path, error: OSError) -> HostError:
    """Return the error for a place the engines need and cannot use."""
    return HostError(
        f"The engines cannot use {path}: {error.strerror or error}. "
        "Check its owner and the free space, or choose another folder with --data-dir."
    )
