"""Reading kept uploads again."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from appliance.api.routes import Answer, Call, Query, Route
from appliance.domain.key import Scope
from appliance.services.replaying import Report


class ReplayQuery(Query):
    """Whether to only say what would change."""

    dry_run: bool = Field(default=False, description="Only say what would change.")


class ChangeAnswer(BaseModel):
    """What happened to one metric or kind of record."""

    added: int
    changed: int
    removed: int


class ReplayAnswer(BaseModel):
    """What a replay did, or would do."""

    dry_run: bool
    uploads: int
    unreadable: int
    without_body: int
    released: int = Field(description="Items that left quarantine.")
    changes: dict[str, ChangeAnswer] = Field(
        description="By metric or kind of record; only where anything differs."
    )


def replay_upload(call: Call) -> Answer:
    """Read one upload again."""
    report = call.services.replaying.one(call.person_id, call.path["upload_id"], dry_run=call.query.dry_run)
    return Answer(_as_dict(report))


def retry_quarantine(call: Call) -> Answer:
    """Read again the uploads that brought what is in quarantine."""
    return Answer(_as_dict(call.services.replaying.retry_quarantine(call.person_id)))


def _as_dict(report: Report) -> dict[str, Any]:
    return {
        "dry_run": report.dry_run,
        "uploads": report.uploads,
        "unreadable": report.unreadable,
        "without_body": report.without_body,
        "released": report.released,
        "changes": {
            name: {"added": change.added, "changed": change.changed, "removed": change.removed}
            for name, change in sorted(report.changes.items())
            if change
        },
    }


ROUTES = (
    Route(
        "POST",
        "/api/v1/uploads/<int:upload_id>/replay",
        replay_upload,
        "Read an upload again",
        Scope.ADMIN,
        ReplayAnswer,
        ReplayQuery,
    ),
    Route(
        "POST",
        "/api/v1/quarantine/retry",
        retry_quarantine,
        "Try what is in quarantine again",
        Scope.ADMIN,
        ReplayAnswer,
        Query,
    ),
)
