"""How fast somebody was, in the way of the sport: runners say minutes per kilometre, riders kilometres per hour."""

from __future__ import annotations

from appliance.domain.preferences import Units

PACED = frozenset(
    {"running", "walking", "hiking", "track_and_field", "wheelchair_run_pace", "wheelchair_walk_pace"}
)
SWUM = frozenset({"swimming"})
KM_PER_MILE = 1.609344
YARD_KM = 0.0009144


class Paces:
    """Lengths and speeds as a person of these units reads them."""

    def __init__(self, units: Units) -> None:
        self.is_imperial = units is Units.IMPERIAL

    @property
    def unit(self) -> str:
        """The unit of long distances: km or mi."""
        return "mi" if self.is_imperial else "km"

    @property
    def unit_m(self) -> float:
        """The metres of that unit."""
        return 1000 * (KM_PER_MILE if self.is_imperial else 1)

    @staticmethod
    def word(label: str) -> str:
        """Return what the figure of a type of workout is called."""
        return "Pace" if label in PACED | SWUM else "Speed"

    def text(self, label: str, speed_km_h: float | None) -> str:
        """Return a speed in the way of a type of workout; “–” for none."""
        if not speed_km_h:
            return "–"
        if label in PACED:
            return f"{clock_text(3600 * self.unit_m / 1000 / speed_km_h)} /{self.unit}"
        if label in SWUM:
            length, word = (100 * YARD_KM, "100 yd") if self.is_imperial else (0.1, "100 m")
            return f"{clock_text(3600 * length / speed_km_h)} /{word}"
        return f"{speed_km_h / KM_PER_MILE:.1f} mph" if self.is_imperial else f"{speed_km_h:.1f} km/h"

    def distance(self, label: str, km: float | None) -> str:
        """Return a distance; that of swimmers in metres or yards. “–” for none."""
        if km is None:
            return "–"
        if label in SWUM:
            return f"{km / YARD_KM:,.0f} yd" if self.is_imperial else f"{km * 1000:,.0f} m"
        return f"{km * 1000 / self.unit_m:,.2f} {self.unit}"


def clock_text(seconds: float | None) -> str:
    """Return a length of time as a stop watch shows it: “4:05”, “1:02:33”; “–” for none."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
