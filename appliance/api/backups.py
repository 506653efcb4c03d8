"""The backups there are. One is made by running the job `backup` now."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, Field

from appliance.api.routes import Answer, Call, Query, Route
from appliance.domain.key import Scope


class BackupAnswer(BaseModel):
    """One backup in the folder."""

    name: str
    made_at: AwareDatetime
    size_bytes: int
    version: str = Field(description="Of Hearthbeat, when it was made; empty for a file that cannot be read.")
    rows: int
    proved_at: AwareDatetime | None = Field(description="When a trial restore of it last went well.")
    problems: list[str] = Field(description="What the last look at it found.")


class BackupsAnswer(BaseModel):
    """Where backups go, and those that are there, newest first."""

    folder: str
    items: list[BackupAnswer]


def list_backups(call: Call) -> Answer:
    """Tell the backups in the folder."""
    backups = call.services.backups
    return Answer(
        {
            "folder": str(backups.folder),
            "items": [
                {
                    "name": backup.path.name,
                    "made_at": backup.made_at.isoformat(),
                    "size_bytes": backup.size_bytes,
                    "version": backup.version,
                    "rows": backup.rows,
                    "proved_at": backup.proved_at.isoformat() if backup.proved_at else None,
                    "problems": list(backup.problems),
                }
                for backup in backups.listed()
            ],
        }
    )


ROUTES = (
    Route(
        "GET",
        "/api/v1/backups",
        list_backups,
        "List backups",
        Scope.ADMIN,
        BackupsAnswer,
        Query,
        owner_only=True,
    ),
)
