"""Text from outside, made storable: Postgres takes neither NUL nor lone surrogates."""

from __future__ import annotations

import math
import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable_text(text: str, length: int | None = None) -> str:
    """Return the text with what cannot be stored shown as U+FFFD, cut to `length` characters when given."""
    return _UNSTORABLE.sub("�", text if length is None else text[:length])


def storable(value: Any) -> Any:
    """Return a JSON value in which every text is storable and every number finite (others become text)."""
    match value:
        case str():
            return storable_text(value)
        case dict():
            return {storable_text(str(key)): storable(item) for key, item in value.items()}
        case list():
            return [storable(item) for item in value]
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value
