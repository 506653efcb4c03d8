"""Where a number stands against what is usual for the person, in words and as an arrow."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.domain.usual import Band, Place
from web.units import Scale, hours_text


@dataclass(frozen=True, slots=True)
class Standing:
    """`icon` names an arrow; `place` is below, within or above; `words` say it all."""

    icon: str
    place: str
    words: str


_ICONS = {Place.BELOW: "down", Place.WITHIN: "level", Place.ABOVE: "up"}


def standing(
    value: float | None, band: Band | None, scale: Scale, *, by_now: bool = False
) -> Standing | None:
    """Return where a value stands; None without a value or without seven days to compare with.

    `by_now` says that the band is of days up to the same clock time. Value and band in the unit stored.
    """
    if value is None or band is None:
        return None
    # Judged as it is shown: whoever reads 58 beside “usual 52–58” must not be told it is above.
    shown = Band(scale.number(band.middle), band.spread * scale.factor, band.days)
    place = shown.place(scale.number(value), scale.decimals)
    usual = f"your usual{' by now' if by_now else ''} {band_words(band, scale)}"
    words = {
        Place.BELOW: f"Below {usual}",
        Place.WITHIN: f"Within {usual}",
        Place.ABOVE: f"Above {usual}",
    }
    return Standing(_ICONS[place], place.value, words[place])


def band_words(band: Band, scale: Scale) -> str:
    """Return a band as “52–58”, without a unit; hours as people say them."""
    low = max(band.low, 0.0) if band.middle >= 0 and scale.offset == 0 else band.low
    if scale.unit == "h":
        return f"{hours_text(low)} – {hours_text(band.high)}"
    one, other = scale.text(low), scale.text(band.high)
    return one if one == other else f"{one}–{other}"
