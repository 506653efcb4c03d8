"""Runs and rides: one effort curve gives pace, heart rate, energy and steps, so that they agree."""

from __future__ import annotations

import math
import uuid
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from appliance.demo.points import WATCH
from appliance.demo.story import RUN, DayPlan, Outing

if TYPE_CHECKING:
    import random

    from appliance.demo.window import Window

BASAL_KCAL_PER_MIN = 58 / 60  # about 1,400 kcal a day at rest, a woman of 70 kg
HIGHEST_BPM = 187
HEART_LAG_S = 45  # a heart follows effort with about this time constant
RECOVERY_S = 95  # and falls by some 30 beats in the first minute afterwards
RECOVERY_SAMPLES, RECOVERY_STEP_S = 24, 5
METRES_PER_DEGREE = 111_320  # at the equator, both ways


@dataclass(frozen=True, slots=True)
class Sport:
    """What sets a run apart from a ride. Speeds in km/h; energy in MET per km/h (ACSM's rule of thumb)."""

    name: str
    speed: float
    speed_gained: float
    met_per_speed: float
    cadence: float
    lap_km: float
    hill_m: float
    route_step_s: int
    distance_series: str


SPORTS = {
    "run": Sport("Outdoor Run", 9.7, 1.0, 1.0, 166, 3.2, 11, 4, "walkingAndRunningDistance"),
    "ride": Sport("Outdoor Cycling", 21.5, 1.8, 0.34, 0, 14.0, 48, 5, "cyclingDistance"),
}


@dataclass(frozen=True, slots=True)
class Session:
    """A finished workout: one entry per started minute; `heart` and `recovery` are (instant, bpm)."""

    outing: Outing
    speed_kmh: tuple[float, ...]
    km: tuple[float, ...]
    met: tuple[float, ...]
    active_kcal: tuple[float, ...]
    basal_kcal: tuple[float, ...]
    steps: tuple[int, ...]
    heart: tuple[tuple[int, float], ...]
    recovery: tuple[tuple[int, float], ...]

    @property
    def sport(self) -> Sport:
        """The sport's own numbers."""
        return SPORTS[self.outing.sport]


def work_out(outing: Outing, plan: DayPlan, roll: random.Random) -> Session:
    """Return the workout as that day's body does it."""
    sport = SPORTS[outing.sport]
    minutes = math.ceil(outing.duration_s / 60)
    shares = [min(60, outing.duration_s - 60 * minute) / 60 for minute in range(minutes)]
    usual = sport.speed + sport.speed_gained * plan.fitness + roll.gauss(0, 0.02 * sport.speed)
    speeds = [usual * _pace(minute, outing, roll) for minute in range(minutes)]
    mets = [speed * sport.met_per_speed for speed in speeds]
    heart = _heart(outing, mets, plan, roll)
    return Session(
        outing=outing,
        speed_kmh=tuple(speeds),
        km=tuple(round(speed / 60 * share, 5) for speed, share in zip(speeds, shares, strict=True)),
        met=tuple(mets),
        active_kcal=tuple(
            round((met - 1) * plan.weight_kg / 60 * share, 4) for met, share in zip(mets, shares, strict=True)
        ),
        basal_kcal=tuple(round(BASAL_KCAL_PER_MIN * share, 4) for share in shares),
        steps=tuple(round(roll.gauss(sport.cadence, 2) * share) if sport.cadence else 0 for share in shares),
        heart=heart,
        recovery=_recovery(outing.end, heart[-1][1], plan.resting_bpm),
    )


def _pace(minute: int, outing: Outing, roll: random.Random) -> float:
    """Return the minute's speed relative to the usual one: easy start, two fast and two easy in intervals."""
    pace = roll.gauss(1, 0.025)
    if minute < 4:
        return pace * 0.92
    if outing.intervals:
        return pace * (1.09 if minute % 4 < 2 else 0.93)
    return pace


def _heart(
    outing: Outing, mets: list[float], plan: DayPlan, roll: random.Random
) -> tuple[tuple[int, float], ...]:
    """Return a reading about every five seconds: lagging behind the effort, drifting up with the heat."""
    bpm_per_met = 10.6 - 0.9 * plan.fitness
    bpm = plan.resting_bpm + 32
    wander = 0.0
    readings = []
    second = 0
    while second < outing.duration_s:
        drift = 7 * second / outing.duration_s
        target = plan.resting_bpm + bpm_per_met * (mets[second // 60] - 1) + drift
        step = roll.choice((4, 5, 5, 6))
        bpm += (target - bpm) * (1 - math.exp(-step / HEART_LAG_S))
        wander = 0.9 * wander + roll.gauss(0, 0.6)
        readings.append((outing.start + second, round(min(bpm + wander, HIGHEST_BPM), 1)))
        second += step
    return tuple(readings)


def _recovery(end: int, last_bpm: float, resting_bpm: float) -> tuple[tuple[int, float], ...]:
    floor = resting_bpm + 20
    return tuple(
        (end + after, round(floor + (last_bpm - floor) * math.exp(-after / RECOVERY_S), 1))
        for after in range(0, RECOVERY_SAMPLES * RECOVERY_STEP_S, RECOVERY_STEP_S)
    )


def cardio_recovery_bpm(session: Session) -> float:
    """Return the beats per minute lost in the first minute after the end."""
    return round(session.recovery[0][1] - session.recovery[60 // RECOVERY_STEP_S][1], 1)


def workout_row(session: Session, window: Window, roll: random.Random) -> dict[str, Any]:
    """Return the workout as `data.workouts[]` of export version 2 holds it."""
    outing, sport = session.outing, session.sport
    hours = outing.duration_s / 3600
    km, active, basal = sum(session.km), sum(session.active_kcal), sum(session.basal_kcal)
    beats = [bpm for _, bpm in session.heart]
    route = _route(session, window, roll)
    climbs = [later["altitude"] - now["altitude"] for now, later in pairwise(route)]
    average = sum(beats) / len(beats)
    row: dict[str, Any] = {
        "id": str(uuid.UUID(int=roll.getrandbits(128), version=4)).upper(),
        "name": sport.name,
        "start": window.stamp(outing.start),
        "end": window.stamp(outing.end),
        "duration": outing.duration_s,
        "location": "Outdoor",
        "isIndoor": False,
        "activeEnergyBurned": _quantity(active, "kcal"),
        "totalEnergy": _quantity(active + basal, "kcal"),
        "intensity": _quantity(sum(session.met) / len(session.met), "kcal/hr·kg"),
        "distance": _quantity(km, "km"),
        "speed": _quantity(km / hours, "km/hr"),
        "avgSpeed": _quantity(km / hours, "km/hr"),
        "maxSpeed": _quantity(max(session.speed_kmh), "km/hr"),
        "elevationUp": _quantity(sum(climb for climb in climbs if climb > 0), "m"),
        "elevationDown": _quantity(-sum(climb for climb in climbs if climb < 0), "m"),
        "temperature": _quantity(round(roll.gauss(14, 3), 1), "degC"),
        "humidity": _quantity(roll.randint(45, 80), "%"),
        "avgHeartRate": _quantity(average, "bpm"),
        "maxHeartRate": _quantity(max(beats), "bpm"),
        "heartRate": {
            "min": _quantity(min(beats), "bpm"),
            "avg": _quantity(average, "bpm"),
            "max": _quantity(max(beats), "bpm"),
        },
        "metadata": {},
        "activeEnergy": _series(session, session.active_kcal, "kcal", window),
        "basalEnergy": _series(session, session.basal_kcal, "kcal", window),
        sport.distance_series: _series(session, session.km, "km", window),
        "heartRateData": _heart_minutes(session, window),
        "heartRateRecovery": [
            _heart_row(instant, [bpm], window) for instant, bpm in session.recovery if instant <= window.until
        ],
        "route": route,
    }
    if outing.sport == RUN:
        row["stepCadence"] = _quantity(sum(session.steps) / (outing.duration_s / 60), "count/min")
        row["stepCount"] = _series(session, session.steps, "count", window)
    else:
        row["cyclingSpeed"] = _series(session, session.speed_kmh, "km/hr", window)
    return row


def _quantity(qty: float, units: str) -> dict[str, Any]:
    return {"qty": round(qty, 5), "units": units}


def _series(session: Session, values: tuple[float, ...], units: str, window: Window) -> list[dict[str, Any]]:
    return [
        {
            "date": window.stamp(session.outing.start + 60 * minute),
            "qty": round(value, 5),
            "units": units,
            "source": WATCH,
        }
        for minute, value in enumerate(values)
    ]


def _heart_minutes(session: Session, window: Window) -> list[dict[str, Any]]:
    start = session.outing.start
    minutes: dict[int, list[float]] = {}
    for instant, bpm in session.heart:
        minutes.setdefault((instant - start) // 60, []).append(bpm)
    return [_heart_row(start + 60 * minute, beats, window) for minute, beats in minutes.items()]


def _heart_row(instant: int, beats: list[float], window: Window) -> dict[str, Any]:
    return {
        "date": window.stamp(instant),
        "Min": min(beats),
        "Avg": round(sum(beats) / len(beats), 2),
        "Max": max(beats),
        "units": "bpm",
        "source": WATCH,
    }


@dataclass(frozen=True, slots=True)
class Loop:
    """A closed curve of unit length round (0, 0), as vertices and the length run when reaching each."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    run: tuple[float, ...]

    def at(self, share: float) -> tuple[float, float, float]:
        """Return x (east), y (north) and the course in degrees after that share of the loop."""
        before = min(bisect_right(self.run, share) - 1, len(self.run) - 2)
        dx, dy = self.x[before + 1] - self.x[before], self.y[before + 1] - self.y[before]
        along = (share - self.run[before]) / (self.run[before + 1] - self.run[before])
        course = math.degrees(math.atan2(dx, dy)) % 360
        return self.x[before] + along * dx, self.y[before] + along * dy, course


@cache
def loop_of(sport: str) -> Loop:
    """Return the favourite loop of a sport: a bent circle, no two sports alike."""
    dent, lobes = (0.22, 3) if sport == RUN else (0.3, 2)
    angles = [math.tau * corner / 720 for corner in range(721)]
    radii = [1 + dent * math.sin(lobes * angle) + 0.08 * math.cos(5 * angle) for angle in angles]
    x = [radius * math.cos(angle) for radius, angle in zip(radii, angles, strict=True)]
    y = [radius * math.sin(angle) for radius, angle in zip(radii, angles, strict=True)]
    run = [0.0]
    for corner in range(720):
        run.append(run[-1] + math.dist((x[corner], y[corner]), (x[corner + 1], y[corner + 1])))
    length = run[-1]
    return Loop(*(tuple(value / length for value in values) for values in (x, y, run)))


def _route(session: Session, window: Window, roll: random.Random) -> list[dict[str, Any]]:
    """Return location points every few seconds, in the open sea round 0°/0° so that no real place is shown."""
    outing, sport = session.outing, session.sport
    total_m = 1000 * sum(session.km)
    lap_m = total_m / max(1, round(total_m / 1000 / sport.lap_km))
    done_m = 0.0
    points = []
    for minute, speed_kmh in enumerate(session.speed_kmh):
        speed = speed_kmh / 3.6
        accuracy = _accuracy(roll)
        left = outing.duration_s - 60 * minute
        first = -60 * minute % sport.route_step_s
        for second in range(first, min(60, left), sport.route_step_s):
            place = _place(outing.sport, lap_m, done_m + speed * second)
            moment = window.stamp(outing.start + 60 * minute + second)
            point = {"timestamp": moment, "speed": round(speed + roll.uniform(-0.1, 0.1), 3)}
            points.append(place | point | accuracy)
        done_m += 1000 * session.km[minute]
    return points


def _place(sport: str, lap_m: float, metres: float) -> dict[str, Any]:
    """Return where the loop is after so many metres: degrees, metres above the sea, course in degrees."""
    share = metres / lap_m % 1
    east, north, course = loop_of(sport).at(share)
    hill = math.tau * share
    height = SPORTS[sport].hill_m * (math.sin(hill) + 0.36 * math.sin(3 * hill))
    return {
        "latitude": round(north * lap_m / METRES_PER_DEGREE, 7),
        "longitude": round(east * lap_m / METRES_PER_DEGREE, 7),
        "altitude": round(90 + height, 2),
        "course": round(course, 2),
    }


def _accuracy(roll: random.Random) -> dict[str, float]:
    """Return how sure the watch is of a fix (m, degrees, m/s); the sky changes slowly."""
    return {
        "courseAccuracy": round(roll.uniform(1, 6), 2),
        "horizontalAccuracy": round(roll.uniform(2.2, 5.5), 2),
        "verticalAccuracy": round(roll.uniform(1.5, 4), 2),
        "speedAccuracy": round(roll.uniform(0.2, 0.7), 2),
    }
