"""Sleep as the watch records it: cycles of stages, cut into the half minutes it scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appliance.demo.points import WATCH

if TYPE_CHECKING:
    import random

    from appliance.demo.window import LocalDay, Window

EPOCH_S = 30  # the watch scores sleep in half minutes
SHORTEST_SLEEP_H, LONGEST_SLEEP_H = 6.32, 8.38
FIVE_CYCLES_FROM_H = 6.8  # a cycle lasts 80 to 105 minutes, so a short night has four

# Deep sleep comes early in the night, dreams come late: shares of each cycle.
DEEP_SHARE = (0.36, 0.26, 0.12, 0.06, 0.03)
REM_SHARE = (0.08, 0.18, 0.27, 0.31, 0.35)

WORKDAY_SLEEP_H, WORKDAY_WAKE = 6.95, 6.65
WEEKEND_SLEEP_H, WEEKEND_WAKE = 7.75, 8.25


@dataclass(frozen=True, slots=True)
class Stage:
    """One stretch of one stage; instants in Unix seconds."""

    value: str
    start: int
    end: int

    @property
    def hours(self) -> float:
        """Length in hours."""
        return (self.end - self.start) / 3600


@dataclass(frozen=True, slots=True)
class Night:
    """A night's stages without gaps, from falling asleep to the last waking."""

    wake_day: LocalDay
    stages: tuple[Stage, ...]

    @property
    def start(self) -> int:
        """The moment of falling asleep, in Unix seconds."""
        return self.stages[0].start

    @property
    def end(self) -> int:
        """The last waking, in Unix seconds."""
        return self.stages[-1].end

    def hours(self, value: str) -> float:
        """Return the hours spent in one stage."""
        return sum(stage.end - stage.start for stage in self.stages if stage.value == value) / 3600


def sleep_until(wake_day: LocalDay, window: Window, illness: float, roll: random.Random) -> Night:
    """Return the night that ends on a morning: longer and later at the weekend, restless in illness (0 to 1)."""
    weekend = wake_day.date.weekday() >= 5
    usual_sleep, usual_wake = (WEEKEND_SLEEP_H, WEEKEND_WAKE) if weekend else (WORKDAY_SLEEP_H, WORKDAY_WAKE)
    asleep_h = roll.gauss(usual_sleep + 0.7 * illness, 0.35)
    asleep_h = min(max(asleep_h, SHORTEST_SLEEP_H), LONGEST_SLEEP_H)
    wake = window.at(wake_day.date, roll.gauss(usual_wake + illness, 0.35 if weekend else 0.12))
    spells = _spells(
        round(asleep_h * 3600 / EPOCH_S), 5 if asleep_h > FIVE_CYCLES_FROM_H else 4, illness, roll
    )
    moment = wake - EPOCH_S * sum(epochs for _, epochs in spells)
    stages = []
    for value, epochs in spells:
        stages.append(Stage(value, moment, moment + epochs * EPOCH_S))
        moment += epochs * EPOCH_S
    return Night(wake_day, tuple(stages))


def _spells(asleep: int, cycles: int, illness: float, roll: random.Random) -> list[tuple[str, int]]:
    """Return stages and their lengths in epochs; all but Awake add up to `asleep`."""
    spells: list[tuple[str, int]] = []
    for cycle in range(cycles):
        length = asleep // cycles + (asleep % cycles if cycle == cycles - 1 else 0)
        deep = max(2, round(length * DEEP_SHARE[cycle] * roll.uniform(0.8, 1.2) * (1 - 0.35 * illness)))
        rem = max(2, round(length * REM_SHARE[cycle] * roll.uniform(0.8, 1.2)))
        light = length - deep - rem
        sinking = round(light * roll.uniform(0.3, 0.5))
        spells += [("Core", sinking), ("Deep", deep), ("Core", light - sinking), ("REM", rem)]
        if cycle < cycles - 1 and roll.random() < 0.75 + 0.25 * illness:
            spells.append(("Awake", roll.randint(2, 12) + round(10 * illness)))
    return spells


def night_row(night: Night, window: Window) -> dict[str, Any]:
    """Return the night as one summed row, hours, dated with the midnight of the wake-up day."""
    core, deep, rem = night.hours("Core"), night.hours("Deep"), night.hours("REM")
    fell_asleep, woke = window.stamp(night.start), window.stamp(night.end)
    return {
        "date": window.stamp(night.wake_day.start),
        "totalSleep": core + deep + rem,
        "asleep": 0,  # the app's word for sleep without a stage
        "core": core,
        "deep": deep,
        "rem": rem,
        "awake": night.hours("Awake"),
        "sleepStart": fell_asleep,
        "sleepEnd": woke,
        "inBed": 0,
        "inBedStart": fell_asleep,
        "inBedEnd": woke,
        "source": WATCH,
    }


def stage_rows(night: Night, window: Window) -> list[dict[str, Any]]:
    """Return the night as one row per stage, lengths in hours."""
    return [
        {
            "startDate": window.stamp(stage.start),
            "endDate": window.stamp(stage.end),
            "qty": stage.hours,
            "value": stage.value,
            "source": WATCH,
        }
        for stage in night.stages
    ]
