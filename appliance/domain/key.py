"""API keys: the secret a phone presents, and what it may do with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What a key may do."""

    INGEST = "ingest"
    READ = "read"
    ADMIN = "admin"


class KeyState(StrEnum):
    """Whether a key opens anything, and if not, why."""

    OPEN = "open"
    DISABLED = "disabled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REVOKED = "revoked"


class KeyChange(StrEnum):
    """What can happen to a key."""

    CREATED = "created"
    DISABLED = "disabled"
    ENABLED = "enabled"
    ROTATED = "rotated"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of one key; its secret is not (only a keyed hash is stored, elsewhere).

    `revoked_at` is when it was closed for good, also by reaching its expiry; `replaced_by` names the key that a
    rotation made in its place.
    """

    key_id: int
    public_id: str
    person_id: int
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    disabled_at: datetime | None = None
    replaced_by: int | None = None

    def state(self, at: datetime) -> KeyState:
        """Return how the key stands at this instant."""
        has_expired = self.expires_at is not None and at >= self.expires_at
        # Closed by upkeep as of its expiry: should the clock have been ahead then, it is open until its time comes.
        is_closed = self.revoked_at is not None and self.revoked_at != self.expires_at
        if is_closed or has_expired:
            if self.replaced_by is not None:
                return KeyState.REPLACED
            by_hand = self.revoked_at is not None and (
                self.expires_at is None or self.revoked_at < self.expires_at
            )
            return KeyState.REVOKED if by_hand else KeyState.EXPIRED
        return KeyState.OPEN if self.disabled_at is None else KeyState.DISABLED

    def is_open(self, at: datetime) -> bool:
        """Whether the key opens anything at this instant."""
        return self.state(at) is KeyState.OPEN


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key with the keyed hash of its secret."""

    key: ApiKey
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """One line of a key's audit trail; `detail` never holds a secret."""

    key_id: int
    at: datetime
    change: KeyChange
    detail: str
