"""Who looks at the dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from appliance.domain.key import Scope


class LinkPurpose(StrEnum):
    """What a one-time link is for."""

    SETUP = "setup"
    LOGIN = "login"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser that is logged in: who did, whose data it shows, and whether it may change the appliance."""

    session_id: int
    person_id: int
    viewing_id: int
    is_owner: bool

    @property
    def scopes(self) -> frozenset[Scope]:
        """What it may do at the API with the data it shows."""
        return frozenset({Scope.READ, Scope.ADMIN})


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that is logged in, as its person sees it in a list."""

    session_id: int
    created_at: datetime
    expires_at: datetime
    last_seen_at: datetime
    address: str
    browser: str


@dataclass(frozen=True, slots=True)
class Face:
    """A person as the login and the person switch see them."""

    person_id: int
    name: str
    has_password: bool
    is_owner: bool


COOKIE = "hb_session"


def is_from_own_page(sec_fetch_site: str | None, origin: str | None, host: str) -> bool:
    """Whether a request that changes something was sent by a page of ours, and not by another site's.

    By what the browser itself tells: `Sec-Fetch-Site` (W3C Fetch Metadata) where there is one, which a page cannot
    forge, else `Origin` (RFC 6454), which every browser sends along with a change. Neither is refused: a browser
    old enough to send none of both is not one that keeps a session cookie to itself either.
    """
    if sec_fetch_site is not None:
        return sec_fetch_site == "same-origin"
    return origin is not None and origin.partition("://")[2].casefold() == host.casefold()
