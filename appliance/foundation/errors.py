"""Every error Hearthbeat raises, as one tree, each with a sentence a person can act on.

    HearthbeatError
    ├── RequestError            what was asked cannot be done as asked
    │   ├── MalformedUpload     400   the body is not what it claims to be
    │   ├── UnreadableExport    400   a file to import is none that we read
    │   │   └── SeveralExports
    │   ├── BadQuery            400   a parameter of a read is off
    │   ├── NotFound            404
    │   ├── MethodNotAllowed    405
    │   ├── Conflict            409
    │   ├── UploadTooLarge      413
    │   └── UnsupportedFormat   415
    ├── AccessError             who asks may not
    │   ├── KeyMissing          401
    │   ├── KeyInvalid          401
    │   ├── ScopeDenied         403
    │   ├── OwnerNeeded         403
    │   ├── HostRejected        403
    │   ├── ControlRefused      403
    │   ├── LoginRefused        403
    │   ├── ForeignPage         403
    │   └── RateLimited         429
    ├── DependencyError         a part of the appliance is away for now
    │   ├── DatabaseUnavailable 503
    │   ├── StatementTimedOut   503   this one piece of work took too long; the part is not away
    │   └── StorageFull         507
    ├── HostError               the program cannot run here as asked
    │   ├── AlreadyRunning
    │   ├── PortTaken
    │   ├── EngineFailed
    │   ├── MigrationFailed
    │   └── DataFolderNewer
    ├── BackupFailed            a backup could not be made, proved or restored
    │   └── BackupDamaged       the file is cut, changed or no backup
    └── SettingsError           a setting is unknown or wrong

Raise in the layer that knows. `appliance.api.problems` translates to HTTP and `appliance.cli` to the
terminal, once each. A record we do not understand is not an exception: it goes to quarantine with a reason
(`appliance.domain.quarantine`).
"""

from __future__ import annotations

from typing import ClassVar


class HearthbeatError(Exception):
    """Base of the tree. `str(error)` is one sentence a person can act on.

    `code` is stable and machine-readable, `title` names the situation, `status` is the HTTP status
    (RFC 9110) it answers with and `retry_after_s` fills `Retry-After` when waiting helps.
    """

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500

    def __init__(self, detail: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class RequestError(HearthbeatError):
    """What was asked cannot be done as asked; asking differently helps."""

    code = "bad_request"
    title = "The request cannot be understood"
    status = 400


class MalformedUpload(RequestError):
    """The body is not a document we can open."""

    code = "malformed_upload"
    title = "The upload cannot be read"


class UnreadableExport(RequestError):
    """A file that was given to be imported is empty, cut, damaged, locked or something else."""

    code = "unreadable_export"
    title = "This cannot be imported"


class SeveralExports(UnreadableExport):
    """A folder or an archive holds more than one export; which is meant only people can tell."""

    code = "several_exports"


class BadQuery(RequestError):
    """A query parameter or path part has a value it cannot have."""

    code = "bad_query"
    title = "A parameter is not valid"


class NotFound(RequestError):
    """Nothing here, or nothing that this person may know of."""

    code = "not_found"
    title = "Not found"
    status = 404


class MethodNotAllowed(RequestError):
    """The address exists, the method does not."""

    code = "method_not_allowed"
    title = "This address does not take that method"
    status = 405


class Conflict(RequestError):
    """The thing is already in a state that forbids this."""

    code = "conflict"
    title = "This cannot be done now"
    status = 409


class UploadTooLarge(RequestError):
    """The body is over `max_upload_mb`, packed or unpacked."""

    code = "upload_too_large"
    title = "The upload is too large"
    status = 413


class UnsupportedFormat(RequestError):
    """The content type or encoding is none we read."""

    code = "unsupported_format"
    title = "This kind of content is not accepted"
    status = 415


class AccessError(HearthbeatError):
    """Who asks may not have this."""

    code = "access_denied"
    title = "Access denied"
    status = 403


class KeyMissing(AccessError):
    """No API key came with the request."""

    code = "key_missing"
    title = "An API key is needed"
    status = 401


class KeyInvalid(AccessError):
    """An API key came, and it does not open this appliance."""

    code = "key_invalid"
    title = "This API key is not valid"
    status = 401


class ScopeDenied(AccessError):
    """The key is good and may not do this."""

    code = "scope_denied"
    title = "This API key may not do that"


class OwnerNeeded(AccessError):
    """The key is good, and only a person who looks after the appliance may do this."""

    code = "owner_needed"
    title = "This is for the appliance's owner"


class HostRejected(AccessError):
    """The Host header names a machine we are not (a sign of DNS rebinding)."""

    code = "host_rejected"
    title = "This address is not served here"


class ControlRefused(AccessError):
    """The controls were asked for from elsewhere, or without the secret of the data folder."""

    code = "control_refused"
    title = "The controls are not for this program"


class LoginRefused(AccessError):
    """A password or a one-time link does not open the dashboard."""

    code = "login_refused"
    title = "Not logged in"


class ForeignPage(AccessError):
    """Another site's page tried to act with the visitor's session (CSRF)."""

    code = "foreign_page"
    title = "This was not sent from Hearthbeat's own pages"


class RateLimited(AccessError):
    """Too much in too short a time."""

    code = "rate_limited"
    title = "Too many requests"
    status = 429


class DependencyError(HearthbeatError):
    """A part of the appliance is away; the same request may succeed later."""

    code = "dependency_away"
    title = "The appliance cannot do this right now"
    status = 503


class DatabaseUnavailable(DependencyError):
    """Postgres does not answer."""

    code = "database_unavailable"
    title = "The database is not available"

    def __init__(self, detail: str = "The database does not answer; try again shortly.") -> None:
        super().__init__(detail, retry_after_s=10)


class StatementTimedOut(DependencyError):
    """Postgres ended this one statement for taking too long; others go on."""

    code = "statement_timed_out"
    title = "This took too long"

    def __init__(
        self, detail: str = "The database took too long over this and was stopped; try again later."
    ) -> None:
        super().__init__(detail, retry_after_s=60)


class StorageFull(DependencyError):
    """There is no room to keep the bytes safely."""

    code = "storage_full"
    title = "The disk is full"
    status = 507

    def __init__(self, detail: str = "There is no room left on the disk; free some space.") -> None:
        super().__init__(detail, retry_after_s=600)


class HostError(HearthbeatError):
    """The program cannot run on this computer as asked; shown on the terminal at start."""

    code = "host_error"
    title = "Hearthbeat cannot start"


class AlreadyRunning(HostError):
    """Another Hearthbeat has this data folder open."""

    code = "already_running"


class PortTaken(HostError):
    """Another program listens on our port."""

    code = "port_taken"


class EngineFailed(HostError):
    """Postgres or Valkey did not start, or went away for good."""

    code = "engine_failed"


class MigrationFailed(HostError):
    """The database could not be brought to this version; it is as it was before."""

    code = "migration_failed"
    title = "Hearthbeat could not bring its data to this version"


class DataFolderNewer(HostError):
    """The data folder was written by a newer Hearthbeat."""

    code = "data_folder_newer"
    title = "The data is of a newer Hearthbeat"


class BackupFailed(HearthbeatError):
    """A backup could not be made, proved or restored; what was there is as it was."""

    code = "backup_failed"
    title = "The backup failed"


class BackupDamaged(BackupFailed):
    """A backup file is cut, changed, or no backup of ours."""

    code = "backup_damaged"
    title = "The backup cannot be used"


class SettingsError(HearthbeatError):
    """A setting is unknown or has a value it cannot have; names it and where it came from."""

    code = "settings_error"
    title = "A setting is wrong"
