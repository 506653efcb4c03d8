"""Which source is believed first where several tell the same."""

from __future__ import annotations

_FIRST_WORDS = ("watch", "iphone", "phone")


def default_rank(source: str) -> int:
    """Return the place of a source set: a watch before a phone before everything else, as Apple Health does."""
    name = source.casefold()
    return next((place for place, word in enumerate(_FIRST_WORDS) if word in name), len(_FIRST_WORDS))
