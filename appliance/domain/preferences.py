"""What a person prefers to see: units, goals, first day of the week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum, StrEnum
from typing import Any


class Units(StrEnum):
    """The system lengths, weights and temperatures are shown in; stored is always the catalogue's unit."""

    METRIC = "metric"
    IMPERIAL = "imperial"


class Energy(StrEnum):
    """The unit energy is shown in."""

    KCAL = "kcal"
    KJ = "kJ"


@dataclass(frozen=True, slots=True)
class Preferences:
    """How one person likes the dashboard. Goals per day: kcal, minutes, hours, steps, hours of sleep."""

    units: Units = Units.METRIC
    energy: Energy = Energy.KCAL
    move_goal_kcal: int = 500
    exercise_goal_min: int = 30
    stand_goal_h: int = 12
    step_goal: int = 8000
    sleep_goal_h: float = 8.0
    max_heart_rate: int = 185

    @staticmethod
    def of(stored: Mapping[str, Any]) -> Preferences:
        """Read what is stored; whatever this version does not know or cannot take falls back to its default."""
        defaults = asdict(Preferences())
        taken: dict[str, Any] = {}
        for name, default in defaults.items():
            value = stored.get(name)
            if isinstance(default, Enum):
                kind = type(default)
                taken[name] = kind(value) if value in {each.value for each in kind} else default
            else:
                is_number = isinstance(value, int | float) and not isinstance(value, bool)
                taken[name] = type(default)(value) if is_number else default
        return Preferences(**taken)

    def as_dict(self) -> dict[str, Any]:
        """Return what is stored."""
        return asdict(self)
