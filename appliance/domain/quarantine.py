"""Quarantine: what was not understood or is impossible. It is kept, counted and can be tried again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why an item is in quarantine; stable words, used as a metric label."""

    BAD_TIMESTAMP = "bad_timestamp"
    UNKNOWN_UNIT = "unknown_unit"
    NOT_A_NUMBER = "not_a_number"
    MISSING_VALUE = "missing_value"
    IMPLAUSIBLE_VALUE = "implausible_value"
    WRONG_SHAPE = "wrong_shape"
    NOT_READ_YET = "not_read_yet"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One item that was set aside: where it stood in the document, what it was and what is wrong with it."""

    kind: str
    name: str
    path: str
    reason: Reason
    detail: str
    item: Any
