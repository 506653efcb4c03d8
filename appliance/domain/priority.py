"""Which source is believed first where several tell the same."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.domain.sample import source_parts

_FIRST_WORDS = ("watch", "iphone", "phone")


def default_rank(source: str) -> int:
    """Return the place of a source set: a watch before a phone before everything else, as Apple Health does."""
    name = source.casefold()
    return next((place for place, word in enumerate(_FIRST_WORDS) if word in name), len(_FIRST_WORDS))


def rank(source: str, order: Sequence[str]) -> int:
    """Return the place of a source set in a person's own order of devices; those not named come after."""
    places = [order.index(part) for part in source_parts(source) if part in order]
    return min(places) if places else len(order) + default_rank(source)
