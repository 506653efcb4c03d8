"""What a running server said of itself, as far as it can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer of `/control/status`. `word` is ok, degraded or away; `backup` and `disk` are sentences, or None."""

    word: str = "ok"
    away: tuple[str, ...] = ()
    last_upload_at: datetime | None = None
    silent: tuple[str, ...] = ()
    backup: str | None = None
    backup_runs: bool = False
    disk: str | None = None


def read_standing(told: Mapping[str, Any]) -> Standing:
    """Read the answer of a server, which may be of another version. Raises `ValueError` for what is no such answer."""
    try:
        last = told["last_upload_at"]
        return Standing(
            word=str(told["status"]),
            away=tuple(part for part, state in told["parts"].items() if str(state).startswith("away")),
            last_upload_at=datetime.fromisoformat(last) if last else None,
            silent=tuple(dict.fromkeys(str(each["phone"]) for each in told["silent"])),
            backup=told["backup"],
            backup_runs=bool(told["backup_runs"]),
            disk=told["disk"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an answer of Hearthbeat's controls: {error}") from error
