"""Every setting, once: its type, default and meaning. Built at start, frozen, passed on.

Sources, weakest first: the default, `settings.toml` in the data folder, `HEARTHBEAT_<NAME>` in the
environment, the command line. `HEARTHBEAT_<NAME>_FILE` names a file that holds the value, for secrets.
`docs/settings.md` is generated from this class.

This is our own merge rather than pydantic-settings because a setting that nobody knows must stop the start
and be named together with the place it came from; that library ignores unknown environment variables.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError, field_validator

from appliance.foundation.errors import SettingsError

PREFIX = "HEARTHBEAT_"
FILE_NAME = "settings.toml"


def default_data_dir() -> Path:
    """Return the platform's folder for this user's data; for root a system folder the engines can reach."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/hearthbeat")
    return platformdirs.user_data_path("hearthbeat", appauthor=False)


class Settings(BaseModel):
    """What a person can choose. A description here is the whole documentation of the setting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="The folder that holds everything: database, logs, settings. Not settable in settings.toml, which lies inside it.",
    )
    host: str = Field(
        "0.0.0.0",  # noqa: S104  a phone on the LAN must reach it
        min_length=1,
        description="Address to listen on; 127.0.0.1 keeps phones out.",
    )
    port: int = Field(8710, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    database_url: SecretStr = Field(
        SecretStr(""), description="Postgres 15 or newer as postgresql://…; empty runs the embedded one."
    )
    redis_url: SecretStr = Field(
        SecretStr(""), description="Redis 6.2 or newer, or Valkey, as redis://…; empty runs the embedded one."
    )
    max_upload_mb: int = Field(
        256, ge=1, le=900, description="Largest upload accepted, packed or unpacked, in MiB."
    )
    sync_upload_mb: int = Field(
        16,
        ge=0,
        le=900,
        description="Uploads up to this size (MiB, unpacked) are worked on before the answer; larger ones after it.",
    )
    limit_requests_per_hour: int = Field(
        20_000,
        ge=1,
        description="Requests one API key may make in an hour; sized for filling in years with Batch Requests.",
    )
    limit_upload_mb_per_hour: int = Field(
        20_000, ge=1, description="MiB of uploads one API key may send in an hour."
    )
    limit_failed_attempts: int = Field(
        300, ge=1, description="Wrong or missing API keys one address may present in ten minutes."
    )
    limit_failed_logins: int = Field(
        10, ge=1, description="Wrong dashboard passwords one address may try in ten minutes."
    )
    raw_retention_days: int = Field(
        0, ge=0, description="Days to keep the exact bytes of uploads; 0 keeps them for ever."
    )
    backup_dir: Path | None = Field(
        None,
        description="Folder for backups, best on another disk; empty is the folder backups in the data folder.",
    )
    backup_nightly: bool = Field(
        default=True, description="Make a backup every night and prove it by a trial restore."
    )
    backup_keep_days: int = Field(
        7, ge=1, le=3650, description="Of so many days the last nightly backup is kept."
    )
    backup_keep_weeks: int = Field(4, ge=0, le=520, description="Of so many weeks one backup is kept.")
    backup_keep_months: int = Field(3, ge=0, le=120, description="Of so many months one backup is kept.")
    backup_before_migration: bool = Field(
        default=True,
        description="Make a backup before a new version changes the database; without room for one the start is refused.",
    )
    disk_reserve_mb: int = Field(
        512,
        ge=1,
        description="MiB that stay free on the disk of the data folder; uploads that would take of them are refused.",
    )
    ballast_mb: int = Field(
        128,
        ge=0,
        le=10_000,
        description="MiB set aside in a file that is given up so that the embedded Postgres can start on a full disk; 0 for none.",
    )
    time_zone: str = Field(
        "", description="IANA time zone of a new person, as Europe/Berlin; empty takes this computer's."
    )
    announce: bool = Field(
        default=True,
        description="Tell the home network this computer's name (mDNS), so that a phone finds it as hearthbeat.local.",
    )
    quiet_hours: str = Field(
        "22:00-07:00",
        description="When the tray shows no notifications, as 22:00-07:00; what is still wrong is told afterwards. Empty for never.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line kept."
    )
    threads: int = Field(8, ge=2, le=40, description="Requests worked on at the same time.")
    engine_user: str = Field(
        "hearthbeat",
        min_length=1,
        description="Account that runs the embedded engines when Hearthbeat is started as root; created when missing.",
    )
    postgres_bin: Path | None = Field(
        None, description="Folder with the Postgres programs; empty takes the packaged ones."
    )
    valkey_server: Path | None = Field(
        None, description="The valkey-server or redis-server program; empty takes the packaged one."
    )

    @field_validator("time_zone")
    @classmethod
    def _is_a_time_zone(cls, name: str) -> str:
        if name:
            try:
                ZoneInfo(name)
            except (KeyError, ValueError, OSError) as error:  # unknown, no name at all, or a folder of names
                raise ValueError("there is no such time zone; use an IANA name as Europe/Berlin") from error
        return name

    @field_validator("quiet_hours")
    @classmethod
    def _is_a_span(cls, span: str) -> str:
        if span and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", span):
            raise ValueError("name two times of day, as 22:00-07:00, or nothing")
        return span

    @field_validator("backup_dir")
    @classmethod
    def _is_a_whole_path(cls, folder: Path | None) -> Path | None:
        if folder is None or folder == Path():
            return None
        folder = folder.expanduser()
        if not folder.is_absolute():  # a server's own folder is nobody's idea of where backups go
            raise ValueError("name the whole path, as /media/usb/backups")
        return folder

    # Where each value that is not the default came from, in words.
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    def origin(self, name: str) -> str:
        """Return where the value of a setting came from, in words."""
        return self._origins.get(name, "the default")

    @property
    def max_upload_bytes(self) -> int:
        """`max_upload_mb` in bytes."""
        return self.max_upload_mb * 1024 * 1024

    @property
    def sync_upload_bytes(self) -> int:
        """`sync_upload_mb` in bytes."""
        return self.sync_upload_mb * 1024 * 1024


def load_settings(
    command_line: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Merge all sources into frozen settings.

    `command_line` holds only what was really given (no None). Raises `SettingsError` naming the setting, the
    place its value came from, and what is allowed.
    """
    given = {
        name: (value, f"the option --{name.replace('_', '-')}")
        for name, value in (command_line or {}).items()
    }
    from_environment = _from_environment(os.environ if environment is None else environment)
    data_dir = _data_dir(from_environment | given)
    merged = _from_file(data_dir / FILE_NAME) | from_environment | given
    merged["data_dir"] = (Path.cwd() / data_dir, merged.get("data_dir", (None, "the default"))[1])
    for name, (_, origin) in merged.items():
        if name not in Settings.model_fields:
            known = ", ".join(sorted(Settings.model_fields))
            raise SettingsError(f"There is no setting “{name}” (from {origin}); the settings are: {known}.")
    try:
        settings = Settings(**{name: value for name, (value, _) in merged.items()})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        raise SettingsError(
            f"The setting “{name}” (from {merged[name][1]}) is not valid: {first['msg']}."
        ) from error
    settings._origins.update({name: origin for name, (_, origin) in merged.items()})  # noqa: SLF001  made here
    return settings


Given = tuple[Any, str]  # a value and the place it came from


def _data_dir(given: Mapping[str, Given]) -> Path:
    value, origin = given.get("data_dir", (default_data_dir(), "the default"))
    if not str(value).strip():  # as a path it would be the folder we happen to be in
        raise SettingsError(
            f"The setting “data_dir” (from {origin}) is empty; name a folder or leave it out."
        )
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise SettingsError(f"The setting “data_dir” (from {origin}) is not valid: {error}") from error


def _from_file(path: Path) -> dict[str, Given]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error
    if "data_dir" in content:
        raise SettingsError(f"“data_dir” cannot be set in {path}, because that file lies inside it.")
    return {name: (value, str(path)) for name, value in content.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    found: dict[str, Given] = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name.endswith("_file") and name not in Settings.model_fields:
            name = name.removesuffix("_file")
            if PREFIX + name.upper() in environment:
                raise SettingsError(f"Both {PREFIX}{name.upper()} and {variable} are set; keep one.")
            try:
                value = Path(value).read_text(encoding="utf-8").strip()  # noqa: PLW2901  the file stands for the value
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(f"{variable} names a file that cannot be read: {error}.") from error
        found[name] = (value, f"the environment variable {variable}")
    return found
