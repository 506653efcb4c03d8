"""Pairing a phone: its new key, a page that only it can open, and what has come of it so far.

A key's secret is known when it is made and never again. What the phone opens needs the secret, so for half an hour it
is held here in memory, under a link of 256 random bits of which only the SHA-256 is compared. Nothing of it is written
anywhere: a restart ends every pairing, and so does another instance on the same database, which then knows none.
Making the key anew costs one button.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from appliance.domain.key import ApiKey, Scope
from appliance.domain.presented import NearMiss
from appliance.foundation.clock import Clock
from appliance.foundation.errors import LoginRefused, NotFound
from appliance.services.keys import Keys, NewKey
from appliance.storage import arrivals
from appliance.storage.arrivals import Arrival
from appliance.storage.database import Database

LIFE = timedelta(minutes=30)
MOST = 50  # pairings at a time; the oldest ends for one more
MISSES_LOOKED_AT = 50

log = structlog.get_logger("hearthbeat.pairing")


@dataclass(frozen=True, slots=True)
class Invitation:
    """A phone that is being paired. `opened_at` and `opened_from` tell when and where its page was first opened."""

    key_id: int
    key_name: str
    person_id: int
    made_by: int
    began_at: datetime
    expires_at: datetime
    secret_text: str = field(repr=False)
    token: str = field(repr=False)
    opened_at: datetime | None = None
    opened_from: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """What has come of an invitation: the key as it is now, uploads by automation, and refused tries, newest first."""

    invitation: Invitation
    key: ApiKey
    arrivals: list[Arrival]
    near_misses: list[NearMiss]


class Pairing:
    """Holds who is being paired, and looks at how that goes."""

    def __init__(self, database: Database, keys: Keys, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[bytes, Invitation] = {}

    def begin(self, name: str, person_id: int, made_by: int) -> Invitation:
        """Make a key that may only ingest, for a phone of this name, and invite the phone.

        Raises as `Keys.create` does.
        """
        return self._invite(
            self._keys.create(name, [Scope.INGEST], person_id=person_id, told_to=made_by), made_by
        )

    def again(self, key_id: int, within: int | None, made_by: int, overlap_hours: float) -> Invitation:
        """Invite a phone whose key is known, with a new key in its place. Raises as `Keys.rotate` does."""
        fresh = self._keys.rotate(key_id, within, overlap_hours=overlap_hours, told_to=made_by)
        return self._invite(fresh, made_by)

    def of_key(self, key_id: int, made_by: int) -> Invitation:
        """Return the invitation of a key, for who made it. Raises `NotFound` when there is none (any more)."""
        with self._lock:
            self._forget_old()
            for each in self._open.values():
                if each.key_id == key_id and each.made_by == made_by:
                    return each
        raise NotFound("This pairing is over; connect the phone again.")

    def open(self, token: str, address: str) -> Invitation:
        """Return the invitation of a link, noting that it was opened. Raises `LoginRefused` for any other link."""
        place = _hash(token)
        with self._lock:
            self._forget_old()
            found = self._open.get(place)
            if found is None:
                raise LoginRefused("This link is too old; show a new code on the computer and scan it.")
            if found.opened_at is None:
                found = replace(found, opened_at=self._clock.now(), opened_from=address)
                self._open[place] = found
        return found

    def close(self, key_id: int) -> None:
        """End the pairing of a key, if there is one."""
        with self._lock:
            self._open = {place: each for place, each in self._open.items() if each.key_id != key_id}

    def progress(self, invitation: Invitation, *, sees_all: bool) -> Progress:
        """Return how a pairing goes.

        Refused tries of others are shown to who `sees_all` alone; everybody else sees those with this very key, and
        those from the address that opened the link.
        """
        since = invitation.began_at
        # Listing writes what is noted of keys in memory, so that a use a moment ago is seen.
        held = [key for key, _ in self._keys.listed(invitation.person_id) if key.key_id == invitation.key_id]
        if not held:
            raise NotFound("The key of this pairing is gone; connect the phone again.")
        with self._database.transaction() as connection:
            came = arrivals.of_key(connection, invitation.key_id, since)
        misses = [
            miss
            for miss in self._keys.near_misses(None, limit=MISSES_LOOKED_AT)
            if miss.last_at >= since
            and (sees_all or miss.key_id == invitation.key_id or _is_of_this_phone(miss, invitation))
        ]
        return Progress(invitation, held[0], came, misses)

    def _invite(self, fresh: NewKey, made_by: int) -> Invitation:
        now, token = self._clock.now(), secrets.token_urlsafe(32)
        invitation = Invitation(
            key_id=fresh.key.key_id,
            key_name=fresh.key.name,
            person_id=fresh.key.person_id,
            made_by=made_by,
            began_at=now,
            expires_at=now + LIFE,
            secret_text=fresh.secret_text,
            token=token,
        )
        with self._lock:
            self._forget_old()
            while len(self._open) >= MOST:
                del self._open[min(self._open, key=lambda place: self._open[place].began_at)]
            self._open[_hash(token)] = invitation
        log.info("pairing_began", key_id=fresh.key.key_id)
        return invitation

    def _forget_old(self) -> None:
        now = self._clock.now()
        self._open = {place: each for place, each in self._open.items() if each.expires_at > now}


def _is_of_this_phone(miss: NearMiss, invitation: Invitation) -> bool:
    """Whether a refused try came from where the link was opened, with no key that anybody is known to have."""
    return miss.key_id is None and invitation.opened_from != "" and miss.address == invitation.opened_from


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
