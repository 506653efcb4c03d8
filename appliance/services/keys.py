"""API keys: making, showing, revoking, and the gate that lets requests in.

A key reads `hb_<public id>_<secret>`. The secret is 256 random bits; what is stored is its HMAC-SHA256 (RFC 2104)
under a secret that all instances on one database share. A slow hash would protect guessable passwords; there is
nothing to guess in 256 random bits, and a phone should not wait for it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from appliance.cache.keys import KeyCache
from appliance.cache.limiter import Allowance, Limiter
from appliance.domain.key import ApiKey, Scope, StoredKey
from appliance.domain.person import Person
from appliance.foundation.clock import Clock
from appliance.foundation.errors import Conflict, KeyInvalid, KeyMissing, NotFound, RequestError, ScopeDenied
from appliance.foundation.telemetry import Telemetry
from appliance.storage import keys, people
from appliance.storage.database import Database

PREFIX = "hb_"
_FORM = re.compile(r"hb_([0-9a-f]{16})_([A-Za-z0-9_\-]{43})")
_PEPPER = "key_pepper"
NAME_LENGTH = 100
# How stale "last used" may be: it is written at most once a minute per key, not with every request.
LAST_USED_EVERY = timedelta(minutes=1)

log = structlog.get_logger("hearthbeat.keys")


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that was let in: with which key, and what is left of the limits."""

    key: ApiKey
    allowances: tuple[Allowance, ...]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. `secret_text` is the whole key and is told only this once."""

    key: ApiKey
    secret_text: str


class Keys:
    """Everything about API keys."""

    def __init__(
        self,
        database: Database,
        cache: KeyCache,
        limiter: Limiter,
        clock: Clock,
        telemetry: Telemetry,
        time_zone: str,
    ) -> None:
        self._database = database
        self._cache = cache
        self._limiter = limiter
        self._clock = clock
        self._telemetry = telemetry
        self._time_zone = time_zone
        self._pepper_held: bytes | None = None

    def admit(self, presented: str | None, scope: Scope, address: str, upload_bytes: int = 0) -> Admission:
        """Let a request in, spending one request and its bytes of the key's limits.

        Raises `KeyMissing`, `KeyInvalid`, `ScopeDenied` or `RateLimited`. Failed attempts count against the address
        and are soon told to wait; a good key gets in all the same, so that one wrong automation does not shut out
        the others of the household.
        """
        try:
            stored = self._identify(presented)
        except (KeyMissing, KeyInvalid) as refusal:
            self._limiter.refuse_if_failing(address)
            self._limiter.note_failure(address)
            self._telemetry.refused.labels(reason=refusal.code).inc()
            log.warning("key_refused", reason=refusal.code, address=address)
            raise
        if scope not in stored.key.scopes:
            self._telemetry.refused.labels(reason=ScopeDenied.code).inc()
            raise ScopeDenied(f"This API key may not {scope}; make one with the scope “{scope}”.")
        allowances = self._limiter.spend(stored.key.key_id, upload_bytes)
        self._note_use(stored)
        return Admission(stored.key, tuple(allowances))

    def create(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        person_name: str | None = None,
        expires_days: int | None = None,
    ) -> NewKey:
        """Make a key for a person, who is added when new; the first person when none is named.

        Raises `RequestError` for an empty or too long name or an expiry that is not in the future.
        """
        name = name.strip()
        if not name or len(name) > NAME_LENGTH:
            raise RequestError(f"A key needs a name of 1 to {NAME_LENGTH} characters.")
        if expires_days is not None and not 0 < expires_days <= 36_500:
            raise RequestError("A key expires after 1 to 36,500 days.")
        with self._database.transaction() as connection:
            person = self._person(connection, person_name)
            pepper = self._pepper(connection)
            public_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
            key = keys.add(
                connection,
                public_id=public_id,
                secret_hash=_keyed_hash(pepper, secret),
                person_id=person.person_id,
                name=name,
                scopes=frozenset(scopes),
                created_at=(now := self._clock.now()),
                expires_at=None if expires_days is None else now + timedelta(days=expires_days),
            )
            keys.note(connection, key.key_id, "created")
        log.info("key_created", key_id=key.key_id, scopes=sorted(key.scopes))
        return NewKey(key, f"{PREFIX}{public_id}_{secret}")

    def listed(self, person_id: int | None = None) -> list[tuple[ApiKey, str]]:
        """Return keys with their person's name; all people's without a person."""
        with self._database.transaction() as connection:
            return keys.listed(connection, person_id)

    def revoke(self, key_id: int, person_id: int | None = None) -> ApiKey:
        """Close a key for good, at once and on every instance. Raises `NotFound`."""
        with self._database.transaction() as connection:
            key = self._found(keys.find(connection, key_id, person_id), key_id)
            if key.revoked_at is None:
                keys.change(connection, key_id, revoked_at=self._clock.now())
                keys.note(connection, key_id, "revoked")
        self._cache.forget(key.public_id)
        log.info("key_revoked", key_id=key_id)
        return key

    def rotate(self, key_id: int, person_id: int | None = None) -> NewKey:
        """Close a key and make another with the same name, person and scopes, for as many days.

        Raises `NotFound`, and `Conflict` for a key that is closed already: nobody gets in again that way.
        """
        with self._database.transaction() as connection:
            key = self._found(keys.find(connection, key_id, person_id), key_id)
            person = people.find(connection, key.person_id)
        if not key.is_open(self._clock.now()):
            raise Conflict(f"The API key {key_id} is closed already; make a new one.")
        days = (
            None
            if key.expires_at is None
            else max(1, round((key.expires_at - key.created_at) / timedelta(days=1)))
        )
        fresh = self.create(key.name, key.scopes, person_name=person.name, expires_days=days)
        with self._database.transaction() as connection:
            keys.note(connection, key_id, "rotated", f"to key {fresh.key.key_id}")
        self.revoke(key_id)
        return fresh

    def _identify(self, presented: str | None) -> StoredKey:
        if not presented:
            raise KeyMissing(
                "No API key came with the request; send it as the header “Authorization: Bearer hb_…” or “X-API-Key: hb_…”."
            )
        form = _FORM.fullmatch(presented)
        if not form:
            raise KeyInvalid(
                "The API key has the wrong form; send all of it as the header “Authorization: Bearer hb_…” or “X-API-Key: hb_…”."
            )
        public_id, secret = form.groups()
        stored = self._cache.get(public_id)
        if stored is None:
            with self._database.transaction() as connection:
                stored = keys.find_by_public_id(connection, public_id)
            if stored is not None:
                self._cache.put(stored)
        # An unknown id is compared too, so that the time taken tells nothing.
        expected = stored.secret_hash if stored else bytes(32)
        if not hmac.compare_digest(expected, _keyed_hash(self._pepper(), secret)) or stored is None:
            raise KeyInvalid("This API key is not known here; copy it again, or make a new one.")
        if stored.key.revoked_at is not None:
            raise KeyInvalid(
                "This API key was revoked; make a new one and put it into the automation's headers."
            )
        if not stored.key.is_open(self._clock.now()):
            raise KeyInvalid(
                "This API key has expired; make a new one and put it into the automation's headers."
            )
        return stored

    def _note_use(self, stored: StoredKey) -> None:
        now = self._clock.now()
        last = stored.key.last_used_at
        if last is not None and now - last < LAST_USED_EVERY:
            return
        with self._database.transaction() as connection:
            keys.change(connection, stored.key.key_id, last_used_at=now)
            fresh = keys.find_by_public_id(connection, stored.key.public_id)
        if fresh is not None:
            self._cache.put(fresh)

    def _person(self, connection: Connection, name: str | None) -> Person:
        if name is None:
            everyone = people.everyone(connection)
            return everyone[0] if everyone else people.add(connection, "Me", self._time_zone)
        return people.find_by_name(connection, name) or people.add(connection, name, self._time_zone)

    def _pepper(self, connection: Connection | None = None) -> bytes:
        if self._pepper_held is None:
            if connection is None:
                with self._database.transaction() as own:
                    return self._pepper(own)
            self._pepper_held = keys.shared_secret(connection, _PEPPER, secrets.token_bytes(32))
        return self._pepper_held

    @staticmethod
    def _found(key: ApiKey | None, key_id: int) -> ApiKey:
        if key is None:
            raise NotFound(f"There is no API key {key_id}.")
        return key


def _keyed_hash(pepper: bytes, secret: str) -> bytes:
    return hmac.digest(pepper, secret.encode(), hashlib.sha256)
