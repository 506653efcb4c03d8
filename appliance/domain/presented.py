"""A key as a request presents it, what can be wrong with it, and how each of these is mended.

Nobody can see a wrong header on a phone. So every refusal has a name from a closed set and a sentence that says what
to change, and what a request brought is looked at for a key that only just missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import unquote

from appliance.domain.key import KeyState, Scope
from appliance.domain.text import storable_text

PREFIX = "hb_"
_PUBLIC_ID = "[0-9a-f]{16}"
_REST = r"[A-Za-z0-9_\-]{43}"
_FORM = re.compile(f"{PREFIX}({_PUBLIC_ID})_({_REST})")
# Inside other text: with nothing before or after it that could belong to it.
_WITHIN = re.compile(rf"(?<![A-Za-z0-9_\-]){PREFIX}{_PUBLIC_ID}_{_REST}(?![A-Za-z0-9_\-])")
# Whatever begins like a key, so that no part of one is kept with a name somebody chose.
_BEGINS_LIKE_ONE = re.compile(rf"{PREFIX}[0-9A-Za-z_\-]*")
LENGTH = len(PREFIX) + 16 + 1 + 43
_AROUND = "\"'`<>()[]{}“”„‘’«»,;"
_HEADER_NAME_LENGTH = 60
AUTOMATION_NAME_LENGTH = 100

AUTHORIZATION = "Authorization"
KEY_HEADERS = ("X-API-Key", "api-key")
_ACCEPTED = {name.casefold(): name for name in (AUTHORIZATION, *KEY_HEADERS)}
_NOT_SEARCHED = {"cookie"}  # cookies are the browser's, and what they hold is nobody's try with a key


class Refusal(StrEnum):
    """Why a request was not let in. `MENDS` says what to change."""

    NO_KEY = "no_key"
    WRONG_HEADER = "wrong_header"
    IN_ADDRESS = "in_address"
    WRONG_SCHEME = "wrong_scheme"
    BEARER_TWICE = "bearer_twice"
    QUOTED = "quoted"
    BROKEN = "broken"
    PERCENT_ENCODED = "percent_encoded"
    STRANGE_CHARACTER = "strange_character"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    NOT_A_KEY = "not_a_key"
    UNKNOWN = "unknown"
    WRONG_SECRET = "wrong_secret"  # noqa: S105  the word for it, not one
    REVOKED = "revoked"
    EXPIRED = "expired"
    DISABLED = "disabled"
    REPLACED = "replaced"
    MAY_NOT_INGEST = "may_not_ingest"
    MAY_NOT_READ = "may_not_read"
    MAY_NOT_ADMIN = "may_not_admin"
    HOST_REJECTED = "host_rejected"


# `{header}` is the header concerned, `{other}` the key that took the place of a replaced one.
MENDS: Mapping[Refusal, str] = {
    Refusal.NO_KEY: "No API key came with the request; send it as the header “Authorization: Bearer hb_…” or “X-API-Key: hb_…”.",
    Refusal.WRONG_HEADER: "The API key came in the header “{header}”, which is not looked at; name the header “X-API-Key”, or “Authorization” with “Bearer ” before the key.",
    Refusal.IN_ADDRESS: "The API key came in the address, where programs on the way may note it; send it as the header “X-API-Key: hb_…”, and rotate it.",
    Refusal.WRONG_SCHEME: "The header “{header}” has another word than “Bearer” before the key; it has to read “Authorization: Bearer hb_…”.",
    Refusal.BEARER_TWICE: "The word “Bearer” is in the wrong place in “{header}”; write it once before the key in “Authorization”, and not at all in “X-API-Key”.",
    Refusal.QUOTED: "The API key in “{header}” has quotation marks, brackets or a comma around it; send it without them.",
    Refusal.BROKEN: "The API key in “{header}” has a space or line break inside; paste it again in one piece.",
    Refusal.PERCENT_ENCODED: "The API key in “{header}” is percent-encoded; send it exactly as it was shown.",
    Refusal.STRANGE_CHARACTER: "The API key in “{header}” holds a character that no key has, perhaps a dash that a keyboard made of hyphens; paste it again instead of typing it.",
    Refusal.TOO_SHORT: f"The API key in “{{header}}” is cut short; copy all of its {LENGTH} characters.",
    Refusal.TOO_LONG: f"The API key in “{{header}}” has more than its {LENGTH} characters; send the key and nothing else.",
    Refusal.NOT_A_KEY: "What came in “{header}” is no API key of Hearthbeat, which begins with “hb_”; make one with “hearthbeat key create” and put it there.",
    Refusal.UNKNOWN: "This API key is not known here; copy it again, or make a new one.",
    Refusal.WRONG_SECRET: "The API key begins like a known one and goes on differently; copy it again, or make a new one. Many of these from an address you do not know may be somebody guessing.",
    Refusal.REVOKED: "This API key was revoked; make a new one and put it into the automation's headers.",
    Refusal.EXPIRED: "This API key has expired; make a new one and put it into the automation's headers.",
    Refusal.DISABLED: "This API key is disabled; enable it again on the appliance, or use another one.",
    Refusal.REPLACED: "This API key was replaced by key {other}; put that one into the automation's headers.",
    Refusal.MAY_NOT_INGEST: "This API key may not ingest; make one with the scope “ingest”.",
    Refusal.MAY_NOT_READ: "This API key may not read; make one with the scope “read”.",
    Refusal.MAY_NOT_ADMIN: "This API key may not admin; make one with the scope “admin”.",
    Refusal.HOST_REJECTED: "The Host header names another machine; use this computer's address or name.",
}

MAY_NOT: Mapping[Scope, Refusal] = {
    Scope.INGEST: Refusal.MAY_NOT_INGEST,
    Scope.READ: Refusal.MAY_NOT_READ,
    Scope.ADMIN: Refusal.MAY_NOT_ADMIN,
}
CLOSED: Mapping[KeyState, Refusal] = {
    KeyState.REVOKED: Refusal.REVOKED,
    KeyState.EXPIRED: Refusal.EXPIRED,
    KeyState.DISABLED: Refusal.DISABLED,
    KeyState.REPLACED: Refusal.REPLACED,
}
# No key stood where one is looked for.
MISSING = frozenset({Refusal.NO_KEY, Refusal.WRONG_HEADER, Refusal.IN_ADDRESS})
# Who does not have the whole secret learns no more than that it opens nothing.
TOLD_AS: Mapping[Refusal, Refusal] = {Refusal.WRONG_SECRET: Refusal.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request presents as its key, before anything is known to be true of it.

    `text` has the form of a key, or is empty and `flaw` says why. `header` is the one it came in, or should have.
    """

    text: str = field(repr=False)  # tracebacks and logs must not have it
    header: str
    flaw: Refusal | None
    automation_name: str = ""

    def parts(self) -> tuple[str, str]:
        """Return the public id and the secret; only without a flaw."""
        form = _FORM.fullmatch(self.text)
        assert form is not None  # noqa: S101  that is what no flaw means
        return form[1], form[2]


@dataclass(frozen=True, slots=True)
class NearMiss:
    """Refused requests of one kind from one address. Instants in UTC.

    `key_id` is the key it nearly was or None, `replaced_by` the key in its place. An empty `address` stands for so
    many addresses that they are only counted.
    """

    near_miss_id: int
    address: str
    reason: Refusal
    header: str
    key_id: int | None
    key_name: str | None
    replaced_by: int | None
    automation_name: str
    first_at: datetime
    last_at: datetime
    count: int

    @property
    def mend(self) -> str:
        """One sentence that says what to change."""
        return mend(self.reason, self.header, self.replaced_by)


def mend(reason: Refusal, header: str, other: int | None = None) -> str:
    """Return the sentence that says what to change."""
    return MENDS[reason].format(header=header or KEY_HEADERS[0], other="another" if other is None else other)


def read_presented(
    headers: Iterable[tuple[str, str]], query: str = "", automation_name: str = ""
) -> Presented:
    """Find the key among a request's headers, or what came nearest to one.

    `headers` are names and values, `query` the address behind the question mark as it came. The body and cookies
    are not looked at. A key in good form wins, whatever else came beside it: a proxy may want a header of its own.
    """
    name = tidy_automation(automation_name)
    nearest: Presented | None = None
    elsewhere: Presented | None = None
    for header, value in headers:
        accepted = _ACCEPTED.get(header.casefold())
        if accepted is not None:
            text, flaw = _examined(accepted, value.strip())
            if flaw is None:
                return Presented(text, accepted, None, name)
            if flaw is not Refusal.NO_KEY and nearest is None:
                nearest = Presented("", accepted, flaw, name)
        elif elsewhere is None and header.casefold() not in _NOT_SEARCHED and _WITHIN.search(value):
            elsewhere = Presented("", _shown(header), Refusal.WRONG_HEADER, name)
    if nearest is None and elsewhere is None and _WITHIN.search(unquote(query)):
        elsewhere = Presented("", KEY_HEADERS[0], Refusal.IN_ADDRESS, name)
    return nearest or elsewhere or Presented("", AUTHORIZATION, Refusal.NO_KEY, name)


def tidy_automation(name: str) -> str:
    """Return the name of a phone's automation as it is kept: cut, and without a key that was put there."""
    return storable_text(_BEGINS_LIKE_ONE.sub("hb_…", name), AUTOMATION_NAME_LENGTH)


def _shown(header: str) -> str:
    return storable_text(_BEGINS_LIKE_ONE.sub("hb_…", header), _HEADER_NAME_LENGTH)


def _examined(header: str, value: str) -> tuple[str, Refusal | None]:
    """Return the key of one accepted header, or what is wrong with its value."""
    scheme, _, rest = value.partition(" ")
    is_bearer = scheme.casefold() == "bearer"
    text = rest.strip() if is_bearer and header == AUTHORIZATION else value
    if not text or (is_bearer and not rest.strip()):
        return "", Refusal.NO_KEY
    if _FORM.fullmatch(text):
        return text, None
    words = text.split()
    if words[0].casefold().rstrip(":") == "bearer" and len(words) > 1:
        return "", Refusal.BEARER_TWICE if is_bearer or header != AUTHORIZATION else Refusal.WRONG_SCHEME
    if header == AUTHORIZATION and not is_bearer and len(words) > 1 and not text.startswith(PREFIX):
        return "", Refusal.WRONG_SCHEME
    return "", _flaw(text)


def _flaw(text: str) -> Refusal:
    """Return what keeps a text from being a key."""
    with suppress(UnicodeError):  # headers are handed over as Latin-1; programs send UTF-8
        text = text.encode("latin-1").decode("utf-8")
    bare = text.strip(_AROUND + " \t")
    if bare != text and _FORM.fullmatch(bare):
        return Refusal.QUOTED
    if _FORM.fullmatch("".join(text.split())):
        return Refusal.BROKEN
    if unquote(text) != text and unquote(text).startswith(PREFIX):
        return Refusal.PERCENT_ENCODED
    if not bare.startswith(PREFIX):
        return Refusal.NOT_A_KEY
    if not re.fullmatch(r"[A-Za-z0-9_\-]*", text) or len(text) == LENGTH:
        return Refusal.STRANGE_CHARACTER
    return Refusal.TOO_SHORT if len(text) < LENGTH else Refusal.TOO_LONG
