"""The program, the computer it runs on, and the folder it keeps everything in."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import psutil
import tzlocal

from appliance.doctor.finding import Finding, Found, Patient, broken, fine, worth_knowing
from appliance.foundation.ballast import MIB, free_bytes

PYTHON = (3, 11)
SCARCE_MEMORY = 300 * MIB
FIRST_YEAR, LAST_YEAR = 2025, 2100
_REMOTE = {
    "nfs",
    "nfs4",
    "cifs",
    "smbfs",
    "smb2",
    "smb3",
    "afpfs",
    "9p",
    "fuse.sshfs",
    "fuse.rclone",
    "webdav",
    "davfs",
}


def check_program(_patient: Patient) -> Found:
    """Say which program runs on which Python."""
    own = f"Hearthbeat {version('hearthbeat')} on Python {sys.version.split()[0]}"
    if sys.version_info < PYTHON:
        return [broken(f"{own}, which is too old.", "Install Python 3.11 or newer.")]
    return [fine(f"{own}.")]


def check_settings(patient: Patient) -> Found:
    """Say whether the settings are understood."""
    if patient.settings_error:
        return [
            broken(
                patient.settings_error,
                "Correct or remove it where it says; until then Hearthbeat does not start. All else here is told for the defaults.",
            )
        ]
    return [fine("The settings are understood.")]


def check_clock(patient: Patient) -> Iterator[Finding]:
    """Look at the time and its zone, which decide on which day a number counts."""
    if not FIRST_YEAR <= patient.now.year <= LAST_YEAR:
        yield broken(
            f"This computer's clock says {patient.now:%Y-%m-%d}.",
            "Set the clock, best from the network (NTP).",
        )
    try:
        name = patient.settings.time_zone or tzlocal.get_localzone_name()
    except Exception as error:  # noqa: BLE001  the library raises what its many sources raise
        yield worth_knowing(
            f"The time zone of this computer cannot be told ({error}).",
            "Set the setting time_zone, as Europe/Berlin.",
        )
    else:
        yield fine(f"It is {patient.now.astimezone():%Y-%m-%d %H:%M} here, in {name or 'UTC'}.")


def check_memory(_patient: Patient) -> Found:
    """Look at the memory that is left."""
    left = psutil.virtual_memory().available
    if left < SCARCE_MEMORY:
        return [
            worth_knowing(f"Only {left // MIB} MiB of memory are left.", "End other programs, or add memory.")
        ]
    return [fine(f"{left // MIB:,} MiB of memory are left.")]


def check_folder(patient: Patient) -> Iterator[Finding]:
    """Look at the data folder: there, ours, private, writable, on a disk of this computer."""
    root = patient.settings.data_dir
    if not root.exists():
        yield worth_knowing(
            f"There is no data folder {root} yet.",
            "The first “hearthbeat serve” makes it; if you have one already, name it with --data-dir.",
        )
        return
    if not root.is_dir():
        yield broken(f"{root} is not a folder.", "Move it away, or choose another with --data-dir.")
        return
    troubles = list(_troubles(root))
    yield from troubles
    if not troubles:
        yield fine(f"The data folder is {root}.")


def _troubles(root: Path) -> Iterator[Finding]:
    if os.name == "posix":
        found = root.stat()
        own = os.geteuid()
        if own not in (found.st_uid, 0):
            yield broken(
                f"The data folder {root} belongs to another account.",
                f'Run Hearthbeat as that one, or take the folder over: sudo chown -R "$USER" "{root}"',
            )
        if found.st_mode & 0o077:
            yield broken(
                f"Other accounts of this computer can get into the data folder {root} (mode {found.st_mode & 0o777:04o}).",
                f'chmod 700 "{root}"; the next start does so too',
            )
    try:
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        yield broken(
            f"Nothing can be written to {root}: {error.strerror or error}.",
            "Give the folder to the account that runs Hearthbeat, or see whether its disk is full or read-only.",
        )
    kind = _file_system(root)
    if kind in _REMOTE:
        yield worth_knowing(
            f"The data folder is on a network drive ({kind}), where a database may be damaged when the network fails.",
            "Move it to a disk of this computer and keep backups on the network drive (setting backup_dir).",
        )


def _file_system(path: Path) -> str:
    path = Path(os.path.realpath(path))
    mounts = [
        (
            len(Path(mount.mountpoint).parts),
            "smbfs" if "remote" in mount.opts.split(",") else mount.fstype.lower(),
        )
        for mount in psutil.disk_partitions(all=True)
        if path.is_relative_to(mount.mountpoint)
    ]
    return max(mounts)[1] if mounts else ""


def check_disk(patient: Patient) -> Found:
    """Look at the room that is left for uploads."""
    root = patient.settings.data_dir
    while not root.exists():
        root = root.parent
    free, reserve = free_bytes(root), patient.settings.disk_reserve_mb * MIB
    told = f"{free // MIB:,} MiB are free on the disk of the data folder"
    if free < reserve:
        return [
            broken(
                f"{told}, and {reserve // MIB:,} are kept in reserve: uploads have to wait.",
                "Free some space; waiting uploads go on by themselves.",
            )
        ]
    if free < 3 * reserve:
        return [
            worth_knowing(f"{told}; below {reserve // MIB:,} uploads have to wait.", "Free some space soon.")
        ]
    return [fine(f"{told}.")]
