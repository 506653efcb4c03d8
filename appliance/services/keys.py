"""API keys: making, showing, revoking, and the gate that lets requests in.

A key reads `hb_<public id>_<secret>`. The secret is 256 random bits; what is stored is its HMAC-SHA256 (RFC 2104)
under a secret that all instances on one database share. A slow hash would protect guessable passwords; there is
nothing to guess in 256 random bits, and a phone should not wait for it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from appliance.cache.keys import KeyCache
from appliance.cache.limiter import Allowance, Limiter
from appliance.domain.key import ApiKey, KeyChange, KeyEvent, KeyState, Scope, StoredKey
from appliance.domain.person import Person
from appliance.domain.presented import (
    CLOSED,
    MAY_NOT,
    MISSING,
    PREFIX,
    TOLD_AS,
    NearMiss,
    Presented,
    Refusal,
    mend,
    tidy_automation,
)
from appliance.domain.text import storable_text
from appliance.foundation.clock import Clock
from appliance.foundation.errors import (
    AccessError,
    Conflict,
    KeyInvalid,
    KeyMissing,
    NotFound,
    RequestError,
    ScopeDenied,
)
from appliance.foundation.steps import passed
from appliance.foundation.telemetry import Telemetry
from appliance.services.near_misses import NearMisses
from appliance.services.people import ensure_person
from appliance.storage import keys, near_misses, people
from appliance.storage.database import Database

_PEPPER = "key_pepper"
NAME_LENGTH = 100
OVERLAP_HOURS = 24
MAX_OVERLAP_HOURS = 24 * 90
MAX_DAYS = 36_500
EVENTS_SHOWN = 500

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
    secret_text: str = field(repr=False)


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
        self._near_misses = NearMisses()
        self._uses: dict[int, datetime] = {}
        self._uses_lock = threading.Lock()

    def admit(self, presented: Presented, scope: Scope, address: str, upload_bytes: int = 0) -> Admission:
        """Let a request in, spending one request and its bytes of the key's limits.

        Raises `KeyMissing`, `KeyInvalid`, `ScopeDenied`, `RateLimited` or `UploadTooLarge`. Every refusal for the key
        is noted as a near miss. Attempts without a good key count against the address and are soon told to wait; a
        good key gets in all the same, so that one wrong automation does not shut out the others of the household.
        """
        now = self._clock.now()
        stored, flaw = self._identify(presented)
        if flaw is None and stored is not None:
            flaw = CLOSED.get(stored.key.state(now))
        if flaw is not None or stored is None:
            raise self._refused(presented, flaw or Refusal.UNKNOWN, address, now, stored)
        if scope not in stored.key.scopes:
            raise self._refused(presented, MAY_NOT[scope], address, now, stored)
        passed("key_known")
        allowances = self._limiter.spend(stored.key.key_id, upload_bytes)
        passed("limits_spent")
        with self._uses_lock:
            self._uses[stored.key.key_id] = now
        return Admission(stored.key, tuple(allowances))

    def note_refused_host(self, automation_name: str, address: str) -> None:
        """Note a request whose Host header names another machine; it never comes as far as the gate."""
        presented = Presented("", "Host", Refusal.HOST_REJECTED, tidy_automation(automation_name))
        self._near_misses.note(presented, Refusal.HOST_REJECTED, address, self._clock.now())

    def create(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        person_name: str | None = None,
        person_id: int | None = None,
        expires_days: int | None = None,
        told_to: int | None = None,
        by_key: int | None = None,
    ) -> NewKey:
        """Make a key for a person: by id, or by name and then added when new; the first person when none is named.

        `told_to` is the person who will see the secret, None for who sits at this computer; `by_key` the key that
        asked. Raises `RequestError` for an empty or too long name or an expiry that is not in the future, and
        `ScopeDenied` when somebody would be told a key that reads another person's data.
        """
        name = name.strip()
        if not name or len(name) > NAME_LENGTH or name != storable_text(name):
            raise RequestError(f"A key needs a name of 1 to {NAME_LENGTH} characters.")
        if expires_days is not None and not 0 < expires_days <= MAX_DAYS:
            raise RequestError(f"A key expires after 1 to {MAX_DAYS:,} days.")
        pepper = self._pepper()
        with self._database.transaction() as connection:
            if person_id is None:
                person_id = self._person(connection, person_name).person_id
            rights = frozenset(scopes)
            _refuse_to_tell(person_id, rights, told_to)
            fresh = self._made(connection, pepper, name, person_id, rights, expires_days, _by(by_key))
        log.info("key_created", key_id=fresh.key.key_id, scopes=sorted(fresh.key.scopes))
        return fresh

    def listed(self, person_id: int | None = None) -> list[tuple[ApiKey, str]]:
        """Return keys with their person's name; all people's without a person. Uses up to now are in it."""
        self.write_notes()
        with self._database.transaction() as connection:
            return keys.listed(connection, person_id)

    def events(self, key_id: int | None = None, person_id: int | None = None) -> list[KeyEvent]:
        """Return what happened to one key or to all, newest first, at most 500. Raises `NotFound`."""
        with self._database.transaction() as connection:
            if key_id is not None:
                _found(keys.find(connection, key_id, person_id), key_id)
            return keys.events(connection, person_id, key_id, EVENTS_SHOWN)

    def near_misses(
        self, person_id: int | None = None, *, before: tuple[datetime, int] | None = None, limit: int = 50
    ) -> list[NearMiss]:
        """Return refused requests, newest first, those before an instant and id.

        With a person only those that nearly were a key of theirs; the others are nobody's and the appliance's.
        """
        self.write_notes()
        with self._database.transaction() as connection:
            return near_misses.page(connection, person_id, before=before, limit=limit)

    def revoke(self, key_id: int, person_id: int | None = None, *, by_key: int | None = None) -> ApiKey:
        """Close a key for good, at once and on every instance. Raises `NotFound`.

        When Valkey cannot be told, other instances may let it in until they write down its first use, seconds later.
        """
        now = self._clock.now()
        with self._database.transaction() as connection:
            key = _found(keys.find(connection, key_id, person_id, for_change=True), key_id)
            if key.revoked_at is None:
                key = keys.change(connection, key_id, revoked_at=now)
                keys.note(connection, key_id, KeyChange.REVOKED, now, _by(by_key))
        self._cache.forget(key.public_id)
        log.info("key_revoked", key_id=key_id)
        return key

    def disable(self, key_id: int, person_id: int | None = None, *, by_key: int | None = None) -> ApiKey:
        """Close a key until it is enabled. Raises `NotFound`, and `Conflict` for one that is closed for good."""
        return self._switch(key_id, person_id, on=False, by_key=by_key)

    def enable(self, key_id: int, person_id: int | None = None, *, by_key: int | None = None) -> ApiKey:
        """Open a disabled key again. Raises `NotFound`, and `Conflict` for one that is closed for good."""
        return self._switch(key_id, person_id, on=True, by_key=by_key)

    def rotate(
        self,
        key_id: int,
        person_id: int | None = None,
        *,
        overlap_hours: float = OVERLAP_HOURS,
        told_to: int | None = None,
        by_key: int | None = None,
    ) -> NewKey:
        """Make a key with the same name, person and scopes, for as many days, in place of one that then closes.

        The old one goes on for the overlap, so that the phone can be changed in peace; with 0 it closes at once.
        Raises `NotFound`, `Conflict` for a key that is closed or was replaced already (nobody gets in again that
        way), and `ScopeDenied` as `create` does.
        """
        if not 0 <= overlap_hours <= MAX_OVERLAP_HOURS:
            raise RequestError(f"The old key goes on for 0 to {MAX_OVERLAP_HOURS:,} hours.")
        now, pepper = self._clock.now(), self._pepper()
        with self._database.transaction() as connection:
            key = _found(keys.find(connection, key_id, person_id, for_change=True), key_id)
            if key.replaced_by is not None:
                raise Conflict(
                    f"The API key {key_id} was replaced by key {key.replaced_by} already; rotate that one."
                )
            if not key.is_open(now):
                raise Conflict(f"The API key {key_id} is closed ({key.state(now)}); make a new one.")
            _refuse_to_tell(key.person_id, key.scopes, told_to)
            days = _whole_days(key)
            in_place = f"in place of key {key_id}{_and(_by(by_key))}"
            fresh = self._made(connection, pepper, key.name, key.person_id, key.scopes, days, in_place)
            closes = now + timedelta(hours=overlap_hours)
            until = min(closes, key.expires_at) if key.expires_at else closes
            until_word = f", open until {until:%Y-%m-%d %H:%M} UTC" if overlap_hours else ""
            if overlap_hours:
                keys.change(connection, key_id, replaced_by=fresh.key.key_id, expires_at=until)
            else:
                keys.change(connection, key_id, replaced_by=fresh.key.key_id, revoked_at=now)
            to = f"to key {fresh.key.key_id}{until_word}{_and(_by(by_key))}"
            keys.note(connection, key_id, KeyChange.ROTATED, now, to)
        self._cache.forget(key.public_id)
        log.info("key_rotated", key_id=key_id, to=fresh.key.key_id)
        return fresh

    def close_expired(self) -> int:
        """Close every key whose time is over, note it in its audit trail, and return how many there were."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            closed = keys.close_expired(connection, now)
            for key in closed:
                keys.note(connection, key.key_id, KeyChange.EXPIRED, now)
        for key in closed:
            self._cache.forget(key.public_id)
            log.info("key_expired", key_id=key.key_id)
        return len(closed)

    def write_notes(self) -> int:
        """Write what was noted in memory: last uses and near misses; return how many rows that concerned.

        Meant for a job every few seconds. Without anything noted nothing is asked; what cannot be written now is
        kept for the next time. A key that was used and is closed by now is forgotten here as well: who closed it may
        not have reached the cache, as a short command that is over while Valkey hung.
        """
        with self._uses_lock:
            uses, self._uses = self._uses, {}
        misses = self._near_misses.take()
        if not uses and not misses:
            return 0
        closed: list[str] = []
        try:
            with self._database.transaction(own=True) as connection:
                if uses:
                    closed = keys.note_uses(connection, uses, self._clock.now())
                if misses:
                    self._near_misses.write(connection, misses)
        except BaseException:
            with self._uses_lock:
                self._uses = uses | self._uses
            self._near_misses.put_back(misses)
            raise
        for public_id in closed:
            self._cache.forget(public_id)
        return len(uses) + len(misses)

    def _identify(self, presented: Presented) -> tuple[StoredKey | None, Refusal | None]:
        """Return the key whose secret was presented; or what is wrong, with the key it nearly was if one is known."""
        if presented.flaw is not None:
            return None, presented.flaw
        public_id, secret = presented.parts()
        stored = self._cache.get(public_id)
        if stored is None:
            with self._database.transaction() as connection:
                stored = keys.find_by_public_id(connection, public_id)
            if stored is not None:
                self._cache.put(stored)
        # An unknown id is compared too, so that the time taken tells nothing.
        expected = stored.secret_hash if stored else bytes(32)
        is_right = hmac.compare_digest(expected, _keyed_hash(self._pepper(), secret))
        if stored is None:
            return None, Refusal.UNKNOWN
        return stored, None if is_right else Refusal.WRONG_SECRET

    def _refused(
        self, presented: Presented, why: Refusal, address: str, now: datetime, stored: StoredKey | None
    ) -> AccessError:
        """Note a refused attempt and return its error; raises `RateLimited` for one of too many."""
        key = stored.key if stored else None
        self._near_misses.note(presented, why, address, now, key.key_id if key else 0)
        self._telemetry.refused.labels(reason=why).inc()
        log.warning("key_refused", reason=why, address=address)
        told = TOLD_AS.get(why, why)
        sentence = mend(told, presented.header, key.replaced_by if key else None)
        if why in MAY_NOT.values():
            return ScopeDenied(sentence)
        self._limiter.refuse_if_failing(address)
        self._limiter.note_failure(address)
        return (KeyMissing if why in MISSING else KeyInvalid)(sentence)

    def _switch(self, key_id: int, person_id: int | None, *, on: bool, by_key: int | None) -> ApiKey:
        now = self._clock.now()
        wanted = KeyState.OPEN if on else KeyState.DISABLED
        with self._database.transaction() as connection:
            key = _found(keys.find(connection, key_id, person_id, for_change=True), key_id)
            state = key.state(now)
            if state not in (KeyState.OPEN, KeyState.DISABLED):
                raise Conflict(f"The API key {key_id} is closed for good ({state}); make a new one.")
            if state is not wanted:
                key = keys.change(connection, key_id, disabled_at=None if on else now)
                change = KeyChange.ENABLED if on else KeyChange.DISABLED
                keys.note(connection, key_id, change, now, _by(by_key))
        self._cache.forget(key.public_id)
        log.info("key_enabled" if on else "key_disabled", key_id=key_id)
        return key

    def _made(
        self,
        connection: Connection,
        pepper: bytes,
        name: str,
        person_id: int,
        scopes: frozenset[Scope],
        days: int | None,
        detail: str,
    ) -> NewKey:
        public_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        now = self._clock.now()
        key = keys.add(
            connection,
            public_id=public_id,
            secret_hash=_keyed_hash(pepper, secret),
            person_id=person_id,
            name=name,
            scopes=scopes,
            created_at=now,
            expires_at=None if days is None else now + timedelta(days=days),
        )
        keys.note(connection, key.key_id, KeyChange.CREATED, now, detail)
        return NewKey(key, f"{PREFIX}{public_id}_{secret}")

    def _person(self, connection: Connection, name: str | None) -> Person:
        if name is None:
            everyone = people.everyone(connection)
            return everyone[0] if everyone else ensure_person(connection, "Me", self._time_zone)
        return ensure_person(connection, name, self._time_zone)

    def _pepper(self) -> bytes:
        if self._pepper_held is None:
            # In a transaction of its own: held here before it is committed, it might never be what is stored.
            with self._database.transaction() as connection:
                stored = keys.shared_secret(connection, _PEPPER, secrets.token_bytes(32))
            self._pepper_held = stored
        return self._pepper_held


def _keyed_hash(pepper: bytes, secret: str) -> bytes:
    return hmac.digest(pepper, secret.encode(), hashlib.sha256)


def _found(key: ApiKey | None, key_id: int) -> ApiKey:
    if key is None:
        raise NotFound(f"There is no API key {key_id}.")
    return key


def _whole_days(key: ApiKey) -> int | None:
    """Return for how long a key was made, None for one that stays."""
    if key.expires_at is None:
        return None
    return max(1, round((key.expires_at - key.created_at) / timedelta(days=1)))


def _refuse_to_tell(person_id: int, scopes: frozenset[Scope], told_to: int | None) -> None:
    """Raise `ScopeDenied` when somebody would learn a key that opens another person's data."""
    if told_to is not None and told_to != person_id and scopes != {Scope.INGEST}:
        raise ScopeDenied(
            "A key made for another person may only ingest; they make one that reads themselves."
        )


def _by(key_id: int | None) -> str:
    return "" if key_id is None else f"by key {key_id}"


def _and(detail: str) -> str:
    return f", {detail}" if detail else ""
