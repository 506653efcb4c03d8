"""Set-up, login, and who looks at the dashboard.

A session's token is 256 random bits in a cookie; stored is its SHA-256, which is enough for what cannot be guessed.
Passwords are stored with argon2id (RFC 9106) and its library's defaults. Who may log in without a password is who
can read this computer's terminal: links made there work once.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection

from appliance.cache.limiter import Door, Limiter
from appliance.domain.preferences import Preferences
from appliance.domain.session import Face, LinkPurpose, Session, Visitor
from appliance.domain.text import storable_text
from appliance.foundation.clock import Clock
from appliance.foundation.errors import BadQuery, Conflict, LoginRefused, NotFound
from appliance.services.people import checked_name, checked_zone, ensure_person
from appliance.storage import people, sessions
from appliance.storage.database import Database

SESSION_LIFE = timedelta(days=30)
LOGIN_LINK_LIFE = timedelta(minutes=15)
SETUP_LINK_LIFE = timedelta(days=7)
SEEN_EVERY = timedelta(minutes=5)  # how stale "last seen" may be: it is not written with every request
LEAST_PASSWORD, MOST_PASSWORD = 8, 200
BROWSER_LENGTH = 160

_SPENT = "This set-up link was used already or is too old; hearthbeat login prints a new one."

log = structlog.get_logger("hearthbeat.sessions")


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just begun; `token` is told once, to the browser."""

    person_id: int
    token: str


class Sessions:
    """Everything about who looks at the dashboard."""

    def __init__(
        self, database: Database, limiter: Limiter, clock: Clock, time_zone: str, failed_logins: int
    ) -> None:
        self._database = database
        self._limiter = limiter
        self._clock = clock
        self.time_zone = time_zone  # of this computer: what set-up proposes
        self._door = Door("failed-logins", failed_logins, "logins from this address had a wrong password")
        self._hasher = PasswordHasher()

    @cached_property
    def _no_password(self) -> str:
        """What a name that nobody has is compared with; hashing takes a while, so not before it is needed."""
        return self._hasher.hash(secrets.token_hex(8))

    def needs_setup(self) -> bool:
        """Whether nobody has a password yet."""
        return not any(face.has_password for face in self.faces())

    def faces(self) -> list[Face]:
        """Return everybody, the first one first."""
        with self._database.transaction() as connection:
            return sessions.faces(connection)

    def link(self, purpose: LinkPurpose, person_id: int | None = None) -> str:
        """Return the token of a new one-time link: one that sets up, or one that logs in a person.

        Without a person it logs in the owner. Raises `Conflict` when there is nobody to log in, or nothing to set up.
        """
        now = self._clock.now()
        life = SETUP_LINK_LIFE if purpose is LinkPurpose.SETUP else LOGIN_LINK_LIFE
        token = secrets.token_urlsafe(32)
        with self._database.transaction() as connection:
            everybody = sessions.faces(connection)
            if purpose is LinkPurpose.SETUP:
                if any(face.has_password for face in everybody):
                    raise Conflict("Hearthbeat is set up already; log in instead.")
            elif person_id is None:
                owner = next(
                    (face for face in everybody if face.is_owner), everybody[0] if everybody else None
                )
                if owner is None:
                    raise Conflict("There is nobody to log in yet; set Hearthbeat up first.")
                person_id = owner.person_id
            sessions.add_link(
                connection,
                token_hash=_hash(token),
                purpose=purpose,
                person_id=person_id,
                at=now,
                expires_at=now + life,
            )
        log.info("link_made", purpose=purpose)
        return token

    def opens(self, token: str, purpose: LinkPurpose) -> bool:
        """Whether a link of this purpose would open something now; it is not spent."""
        with self._database.transaction() as connection:
            return sessions.find_link(connection, _hash(token), purpose, self._clock.now()) is not None

    def set_up(
        self,
        token: str,
        *,
        name: str,
        time_zone: str,
        password: str,
        preferences: Preferences,
        address: str,
        browser: str,
    ) -> NewSession:
        """Make the first person (or the one whose phone already sends) the owner, and log them in.

        Raises `BadQuery` naming what is wrong with a field, and `LoginRefused` when the link is not open.
        """
        if not self.opens(token, LinkPurpose.SETUP):  # before the work that hashing is
            raise LoginRefused(_SPENT)
        name = checked_name(name)
        time_zone = checked_zone(time_zone)
        hashed = self._hasher.hash(_checked_password(password))
        now = self._clock.now()
        with self._database.transaction() as connection:
            if not sessions.use_link(connection, _hash(token), LinkPurpose.SETUP, now):
                raise LoginRefused(_SPENT)
            people.lock(connection)
            person_id = _first_person(connection, name, time_zone)
            sessions.set_up_person(
                connection,
                person_id,
                password_hash=hashed,
                name=name,
                time_zone=time_zone,
                is_owner=True,
                preferences=preferences.as_dict(),
            )
            sessions.forget_links(connection, person_id)
            token = self._begin(connection, person_id, address, browser)
        log.info("set_up")
        return NewSession(person_id, token)

    def log_in(self, name: str, password: str, address: str, browser: str) -> NewSession:
        """Log a person in by name and password; the name may be empty while only one person has a password.

        Raises `LoginRefused` and, after too many failures from this address, `RateLimited`.
        """
        self._limiter.refuse_if_failing(address, at=self._door)
        with self._database.transaction() as connection:
            able = [face for face in sessions.faces(connection) if face.has_password]
            wanted = name.strip().casefold()
            face = able[0] if not wanted and len(able) == 1 else None
            face = next((each for each in able if each.name.casefold() == wanted), face)
            # Somebody unknown takes as long as somebody known.
            stored = sessions.password_of(connection, face.person_id) if face else None
        if not self._matches(stored or self._no_password, password) or face is None:
            self._limiter.note_failure(address, at=self._door)
            log.warning("login_refused", address=address)
            raise LoginRefused("Name and password do not belong together.")
        with self._database.transaction() as connection:
            token = self._begin(connection, face.person_id, address, browser)
        log.info("logged_in", address=address)
        return NewSession(face.person_id, token)

    def redeem(self, token: str, address: str, browser: str) -> NewSession:
        """Log in by a one-time link. Raises `LoginRefused`."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            person_id = sessions.find_link(connection, _hash(token), LinkPurpose.LOGIN, now)
            if person_id is None or not sessions.use_link(connection, _hash(token), LinkPurpose.LOGIN, now):
                raise LoginRefused("This login link was used already or is too old; make a new one.")
            return NewSession(person_id, self._begin(connection, person_id, address, browser))

    def visitor(self, token: str | None) -> Visitor | None:
        """Return who is logged in with this token, or None; a session that is used goes on."""
        if not token or len(token) > 100:
            return None
        now = self._clock.now()
        with self._database.transaction() as connection:
            found = sessions.visitor(connection, _hash(token), now)
            if found is None:
                return None
            visitor, seen_at = found
            if now - seen_at > SEEN_EVERY:
                sessions.touch(
                    connection, visitor.session_id, last_seen_at=now, expires_at=now + SESSION_LIFE
                )
        return visitor

    def view(self, visitor: Visitor, person_id: int) -> None:
        """Show another person's data in this session. Raises `NotFound` unless the visitor cares for them."""
        with self._database.transaction() as connection:
            face = next((each for each in sessions.faces(connection) if each.person_id == person_id), None)
            mine = person_id == visitor.person_id
            if face is None or not (mine or (visitor.is_owner and not face.has_password)):
                raise NotFound("There is no such person, or they have a password of their own.")
            sessions.touch(connection, visitor.session_id, viewing_id=person_id)

    def viewable(self, visitor: Visitor) -> list[Face]:
        """Return whose data this visitor may look at, themselves first."""
        able = [
            face
            for face in self.faces()
            if face.person_id == visitor.person_id or (visitor.is_owner and not face.has_password)
        ]
        return sorted(able, key=lambda face: (face.person_id != visitor.person_id, face.person_id))

    def listed(self, person_id: int) -> list[Session]:
        """Return a person's open sessions, the last seen first."""
        with self._database.transaction() as connection:
            return sessions.listed(connection, person_id, self._clock.now())

    def end(self, person_id: int, session_id: int) -> None:
        """End one session of a person. Raises `NotFound`."""
        with self._database.transaction() as connection:
            if not sessions.end(connection, person_id, session_id=session_id):
                raise NotFound("That session is ended already.")

    def end_others(self, visitor: Visitor) -> int:
        """End every other session of the visitor; return how many there were."""
        with self._database.transaction() as connection:
            return sessions.end(connection, visitor.person_id, but=visitor.session_id)

    def change_password(self, visitor: Visitor, old: str, new: str) -> None:
        """Give the visitor another password; their other sessions end, and links made before. Raises `LoginRefused` or `BadQuery`."""
        hashed = self._hasher.hash(_checked_password(new))
        with self._database.transaction() as connection:
            held = sessions.password_of(connection, visitor.person_id)
            if held is not None and not self._matches(held, old):
                raise LoginRefused("The present password is not right.")
            sessions.set_up_person(connection, visitor.person_id, password_hash=hashed)
            sessions.forget_links(connection, visitor.person_id)
            sessions.end(connection, visitor.person_id, but=visitor.session_id)

    def preferences(self, person_id: int) -> Preferences:
        """Return what a person prefers."""
        with self._database.transaction() as connection:
            return sessions.preferences_of(connection, person_id)

    def prefer(self, person_id: int, preferences: Preferences) -> None:
        """Keep what a person prefers."""
        with self._database.transaction() as connection:
            sessions.set_up_person(connection, person_id, preferences=preferences.as_dict())

    def trim(self) -> int:
        """Remove sessions and links that no longer open anything; return how many."""
        with self._database.transaction() as connection:
            return sessions.trim(connection, self._clock.now())

    def _begin(self, connection: Connection, person_id: int, address: str, browser: str) -> str:
        token = secrets.token_urlsafe(32)
        now = self._clock.now()
        sessions.add(
            connection,
            token_hash=_hash(token),
            person_id=person_id,
            at=now,
            expires_at=now + SESSION_LIFE,
            address=address[:60],
            browser=storable_text(browser, BROWSER_LENGTH),
        )
        return token

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password[:MOST_PASSWORD])
        except (VerificationError, InvalidHashError):
            return False


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def _first_person(connection: Connection, name: str, time_zone: str) -> int:
    """Return who is set up: who has this name already, else the first, whose phone may send already, else a new one."""
    named = people.find_by_name(connection, name)
    if named is not None:
        return named.person_id
    everybody = people.everyone(connection)
    return everybody[0].person_id if everybody else ensure_person(connection, name, time_zone).person_id


def _checked_password(password: str) -> str:
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        raise BadQuery(f"A password has {LEAST_PASSWORD} to {MOST_PASSWORD} characters.")
    return password
