"""Single readings: what the automation "Vitals" sends, ungrouped, each at its own moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.demo.points import PHONE, WATCH
from appliance.demo.story import RUN
from appliance.demo.workouts import cardio_recovery_bpm

if TYPE_CHECKING:
    import random

    from appliance.demo.motion import Trace
    from appliance.demo.points import MetricBook
    from appliance.demo.story import DayPlan
    from appliance.demo.workouts import Session

BEATS = "count/min"
RUNNING_STEP_S = 20  # how often the watch judges a runner's form
RESTING_KNOWN_FROM = 10.0  # wall-clock hour; the watch needs part of the day before it names a resting rate


def note_readings(
    plan: DayPlan, trace: Trace, sessions: list[Session], book: MetricBook, roll: random.Random
) -> None:
    """Add every reading of a day up to the end of the window."""
    _note_heart(plan, trace, sessions, book, roll)
    _note_daily_heart(plan, book, roll)
    _note_variability(plan, trace, book, roll)
    _note_night(plan, book, roll)
    _note_body(plan, book, roll)
    _note_effort(plan, trace, book, roll)
    _note_gait(plan, trace, book, roll)
    _note_sound(plan, trace, book, roll)
    for session in sessions:
        _note_session(plan, session, book, roll)


def _note_heart(
    plan: DayPlan, trace: Trace, sessions: list[Session], book: MetricBook, roll: random.Random
) -> None:
    """Add a reading every few minutes, every minute while it races, every five seconds in a workout."""
    dense = [_dense_minutes(plan, session) for session in sessions]
    minute = roll.randint(0, 4)
    while minute < plan.day.minutes:
        if trace.worn[minute] and not any(minute in span for span in dense):
            _note_minute(plan, trace, book, roll, minute)
        if minute in trace.racing:
            minute += 1
        else:
            minute += roll.randint(5, 9) if trace.asleep[minute] else roll.randint(4, 6)
            if minute in trace.racing:
                minute = trace.racing.start
    for session in sessions:
        for instant, bpm in (*session.heart, *session.recovery):
            book.add("heart_rate", BEATS, instant, WATCH, Min=bpm, Avg=bpm, Max=bpm)


def _note_minute(plan: DayPlan, trace: Trace, book: MetricBook, roll: random.Random, minute: int) -> None:
    bpm = trace.heart[minute]
    low, high = round(max(40, bpm - roll.uniform(0, 2.5))), round(bpm + roll.uniform(0.5, 4))
    instant = plan.day.start + 60 * minute
    book.add("heart_rate", BEATS, instant, WATCH, Min=low, Avg=round(min(max(bpm, low), high), 2), Max=high)


def _dense_minutes(plan: DayPlan, session: Session) -> range:
    first = (session.outing.start - plan.day.start) // 60
    return range(first, (session.recovery[-1][0] - plan.day.start) // 60 + 1)


def _note_daily_heart(plan: DayPlan, book: MetricBook, roll: random.Random) -> None:
    if book.window.until < book.window.at(plan.day.date, RESTING_KNOWN_FROM):
        return
    resting = round(plan.resting_bpm)
    book.add("resting_heart_rate", BEATS, plan.day.start + 60 * roll.randint(1, 9), WATCH, qty=resting)
    if not plan.illness:
        walking = round(plan.resting_bpm + roll.gauss(35, 2.5), 1)
        book.add(
            "walking_heart_rate_average",
            BEATS,
            plan.day.start + 60 * roll.randint(10, 19),
            WATCH,
            qty=walking,
        )


def _note_variability(plan: DayPlan, trace: Trace, book: MetricBook, roll: random.Random) -> None:
    """Add the few moments a day at which the watch listens to single beats; nights are calmer."""
    minute = roll.randint(20, 90)
    while minute < plan.day.minutes:
        if trace.worn[minute] and trace.met[minute] < 1.6:
            usual = plan.hrv_ms * (1.14 if trace.asleep[minute] else 0.9)
            instant = plan.day.start + 60 * minute + roll.randint(0, 59)
            sdnn = round(max(9.0, usual * roll.lognormvariate(0, 0.2)), 2)
            book.add("heart_rate_variability", "ms", instant, WATCH, qty=sdnn)
        minute += roll.randint(80, 200)


def _note_night(plan: DayPlan, book: MetricBook, roll: random.Random) -> None:
    """Add what the watch measures on a sleeping wrist; nothing in the night it lay on the table."""
    if not plan.night_recorded:
        return
    night = plan.night
    for instant in range(night.start + 600, night.end, 900):
        breaths = round(2 * roll.gauss(14.4 + 1.8 * plan.illness, 0.7)) / 2
        book.add("respiratory_rate", BEATS, instant + roll.randint(0, 600), WATCH, qty=breaths)
    for instant in range(night.start + 1200, night.end - 1800, 3300):
        percent = min(100, round(roll.gauss(96.8 - 1.4 * plan.illness, 0.9)))
        book.add("blood_oxygen_saturation", "%", instant + roll.randint(0, 1800), WATCH, qty=percent)
    celsius = round(roll.gauss(35.35 + 1.05 * plan.illness, 0.13), 3)
    end = book.window.stamp(night.end)
    book.add("apple_sleeping_wrist_temperature", "degC", night.start, WATCH, end=end, qty=celsius)


def _note_body(plan: DayPlan, book: MetricBook, roll: random.Random) -> None:
    """Add the morning's weight unless it was forgotten, and a metric that no catalogue knows."""
    water_kg = 0.25 if plan.day.date.weekday() in {0, 6} else 0.0  # salty weekends
    if roll.random() > 0.12:
        kilograms = round(roll.gauss(plan.weight_kg + water_kg, 0.3), 1)
        book.add("weight_body_mass", "kg", plan.night.end + roll.randint(500, 1500), PHONE, qty=kilograms)
    for hour in (9, 14, 19):
        instant = book.window.at(plan.day.date, hour + roll.uniform(-0.5, 0.5))
        book.add(
            "hydration_index_beta", "pts", instant, PHONE, qty=round(roll.gauss(71 - 12 * plan.illness, 6))
        )
    if plan.day.date.weekday() == 6:
        metres = round(roll.gauss(520 + 25 * plan.fitness, 6))
        instant = book.window.at(plan.day.date, 6.5)
        book.add("six_minute_walking_test_distance", "m", instant, PHONE, qty=metres)


def _note_effort(plan: DayPlan, trace: Trace, book: MetricBook, roll: random.Random) -> None:
    minute = roll.randint(0, 5)
    while minute < plan.day.minutes:
        if trace.worn[minute] and not trace.asleep[minute]:
            effort = round(trace.met[minute] * roll.uniform(0.93, 1.07), 2)
            book.add("physical_effort", "kcal/hr·kg", plan.day.start + 60 * minute, WATCH, qty=effort)
        minute += roll.randint(4, 8)


def _note_gait(plan: DayPlan, trace: Trace, book: MetricBook, roll: random.Random) -> None:
    """Add how the phone in the pocket judges every walk of its own."""
    for walk in trace.walks:
        instant = plan.day.start + 60 * walk.minute + roll.randint(0, 59)
        speed = round(roll.gauss(4.85 + 0.15 * plan.fitness, 0.18), 3)
        book.add("walking_speed", "km/hr", instant, PHONE, qty=speed)
        book.add("walking_step_length", "cm", instant, PHONE, qty=round(roll.gauss(69, 1.8), 1))
        double = round(roll.gauss(28.4, 0.7), 1)
        book.add("walking_double_support_percentage", "%", instant, PHONE, qty=double)
        if roll.random() < 0.5:
            uneven = round(abs(roll.gauss(0, 1.4)), 1)
            book.add("walking_asymmetry_percentage", "%", instant, PHONE, qty=uneven)
        if roll.random() < 0.4:
            book.add("stair_speed_up", "m/s", instant, WATCH, qty=round(roll.gauss(0.37, 0.03), 3))
            book.add("stair_speed_down", "m/s", instant, WATCH, qty=round(roll.gauss(0.42, 0.03), 3))


def _note_sound(plan: DayPlan, trace: Trace, book: MetricBook, roll: random.Random) -> None:
    """Add how loud it is around Maya every half hour, and in her headphones on the way to work and back."""
    for minute in range(roll.randint(0, 29), plan.day.minutes, 30):
        if trace.worn[minute] and not trace.asleep[minute]:
            level = roll.gauss(68 if trace.outdoors[minute] else 49, 5)
            instant = plan.day.start + 60 * minute
            book.add("environmental_audio_exposure", "dBASPL", instant, WATCH, qty=round(level, 1))
    for walk in trace.walks if plan.workday else ():
        for minute in range(walk.minute, walk.minute + walk.minutes, 5):
            level = round(roll.gauss(72, 3), 1)
            book.add("headphone_audio_exposure", "dBASPL", plan.day.start + 60 * minute, PHONE, qty=level)


def _note_session(plan: DayPlan, session: Session, book: MetricBook, roll: random.Random) -> None:
    outing = session.outing
    if outing.sport == RUN:
        _note_running_form(session, plan, book, roll)
    else:
        for minute, speed in enumerate(session.speed_kmh):
            book.add("cycling_speed", "km/hr", outing.start + 60 * minute, WATCH, qty=round(speed, 3))
    if session.recovery[-1][0] > book.window.until:
        return
    book.add("cardio_recovery", BEATS, outing.end + 60, WATCH, qty=cardio_recovery_bpm(session))
    if outing.sport == RUN:
        oxygen = round(40.6 + 2.6 * plan.fitness + roll.gauss(0, 0.25), 2)
        book.add("vo2_max", "ml/(kg·min)", outing.end, WATCH, qty=oxygen)


def _note_running_form(session: Session, plan: DayPlan, book: MetricBook, roll: random.Random) -> None:
    """Add a runner's form. Faster means a longer stride, more power and less time on the ground."""
    outing = session.outing
    for second in range(RUNNING_STEP_S, outing.duration_s, RUNNING_STEP_S):
        instant = outing.start + second
        speed = session.speed_kmh[second // 60] * roll.gauss(1, 0.015)
        metres_per_second = speed / 3.6
        stride = metres_per_second * 60 / session.sport.cadence
        power = 1.04 * plan.weight_kg * metres_per_second  # about 1 W per kg for each m/s on level ground
        ground_ms = roll.gauss(262 - 7 * (speed - 10), 3)
        book.add("running_speed", "km/hr", instant, WATCH, qty=round(speed, 3))
        book.add("running_power", "W", instant, WATCH, qty=round(power))
        book.add("running_stride_length", "m", instant, WATCH, qty=round(stride, 3))
        book.add("running_ground_contact_time", "ms", instant, WATCH, qty=round(ground_ms))
        book.add("running_vertical_oscillation", "cm", instant, WATCH, qty=round(roll.gauss(8.8, 0.25), 2))
