"""API keys that were looked up a moment ago, so that Postgres is not asked on every request."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, cast

import redis

from appliance.cache.connection import Cache
from appliance.domain.key import ApiKey, Scope, StoredKey

TTL_S = 60
# A request may have read the key from Postgres just before it changed, and put it here just after `forget`.
# So nothing is found for longer than such an entry lives, with a minute for the slowest request.
FORGOTTEN_S = TTL_S + 60


class KeyCache:
    """Stored keys by public id for 60 s. The keyed hash of the secret is here, the secret never."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._owed: set[str] = set()  # forgotten while the server was away, and still to be told to it

    def get(self, public_id: str) -> StoredKey | None:
        """Return the key as it was put at most 60 s ago, or None: then Postgres knows."""
        if public_id in self._owed:
            self.forget(public_id)
            return None
        if self._cache.well_for_s() < TTL_S:
            return None  # a key put before the break may have been closed during it, by a process now gone

        def ask(client: redis.Redis) -> list[bytes | None]:
            return cast("list[bytes | None]", client.mget(_entry(public_id), _forgotten(public_id)))

        nothing: list[bytes | None] = [None, None]
        entry, forgotten = self._cache.attempt(ask, nothing)
        stored = _read(entry) if entry is not None and forgotten is None else None
        return stored if stored is not None and stored.key.public_id == public_id else None

    def put(self, stored: StoredKey) -> None:
        """Keep this key for 60 s."""
        name, value = _entry(stored.key.public_id), _written(stored)
        self._cache.attempt(lambda client: client.set(name, value, ex=TTL_S), None)

    def forget(self, public_id: str) -> None:
        """Let nobody find this key here for 120 s, whoever puts it; call it once a change is committed.

        While the server is away this holds in this process at once; another process that still reaches the
        server may find the key until its 60 s are over, or until it forgets it itself (`Keys.write_notes`).
        """

        def tell(client: redis.Redis) -> bool:
            # The entry goes as well: should the computer's clock be set back, its 60 s may last for years.
            client.set(_forgotten(public_id), b"", ex=FORGOTTEN_S)
            client.delete(_entry(public_id))
            return True

        if self._cache.attempt(tell, otherwise=False):
            self._owed.discard(public_id)
        elif self._cache.client is not None:
            self._owed.add(public_id)


def _entry(public_id: str) -> bytes:
    # It comes from a request header: whatever it is, it must be a name the server can be asked for.
    return b"hb:key:" + public_id.encode(errors="backslashreplace")


def _forgotten(public_id: str) -> bytes:
    return b"hb:key-forgotten:" + public_id.encode(errors="backslashreplace")


def _written(stored: StoredKey) -> bytes:
    key = stored.key
    return json.dumps(
        {
            "key_id": key.key_id,
            "public_id": key.public_id,
            "person_id": key.person_id,
            "name": key.name,
            "scopes": sorted(key.scopes),
            "created_at": key.created_at.isoformat(),
            "expires_at": _text(key.expires_at),
            "revoked_at": _text(key.revoked_at),
            "last_used_at": _text(key.last_used_at),
            "disabled_at": _text(key.disabled_at),
            "replaced_by": key.replaced_by,
            "secret_hash": stored.secret_hash.hex(),
        }
    ).encode()


def _read(entry: bytes) -> StoredKey | None:
    try:
        found: dict[str, Any] = json.loads(entry)
        return StoredKey(
            ApiKey(
                key_id=found["key_id"],
                public_id=found["public_id"],
                person_id=found["person_id"],
                name=found["name"],
                scopes=frozenset(Scope(scope) for scope in found["scopes"]),
                created_at=datetime.fromisoformat(found["created_at"]),
                expires_at=_instant(found["expires_at"]),
                revoked_at=_instant(found["revoked_at"]),
                last_used_at=_instant(found["last_used_at"]),
                disabled_at=_instant(found["disabled_at"]),
                replaced_by=found["replaced_by"],
            ),
            bytes.fromhex(found["secret_hash"]),
        )
    except (ValueError, KeyError, TypeError):  # written by another version of the house
        return None


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
