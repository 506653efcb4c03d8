from __future__ import annotations

from datetime import UTC, datetime, timedelta

from appliance.domain.rhythm import Span, awake_between, is_silent, merged, usual_gap

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ALWAYS = [Span(MONDAY - DAY, MONDAY + 200 * DAY)]


def hourly_by_day(days):
    """New data at every hour from 7 to 22, and none at night, when the phone is locked."""
    return [MONDAY + day * DAY + hour * HOUR for day in range(days) for hour in range(7, 23)]


def test_nothing_is_said_of_the_first_days():
    for days in range(5):
        assert usual_gap(hourly_by_day(days)[: 16 * 4 - 48], ALWAYS) is None
    assert usual_gap(hourly_by_day(3), ALWAYS) is None
    assert usual_gap([], ALWAYS) is None


def test_the_night_belongs_to_the_rhythm_of_a_phone_that_sends_by_the_hour():
    news = hourly_by_day(20)
    usual = usual_gap(news, ALWAYS)
    assert usual == 9 * HOUR
    assert not is_silent(news[-1], usual, news[-1] + 9 * HOUR, ALWAYS)
    assert not is_silent(news[-1], usual, news[-1] + 18 * HOUR, ALWAYS)
    assert is_silent(news[-1], usual, news[-1] + 18.1 * HOUR, ALWAYS)


def test_a_weekend_without_news_belongs_to_the_rhythm_of_five_busy_days():
    news = [MONDAY + day * DAY for day in range(60) if day % 7 < 5]
    usual = usual_gap(news, ALWAYS)
    assert usual == 3 * DAY
    friday = MONDAY + 4 * DAY
    assert not is_silent(friday, usual, friday + 3 * DAY, ALWAYS)


def test_one_journey_does_not_change_what_is_usual():
    news = [at for at in hourly_by_day(40) if not 10 <= (at - MONDAY).days < 18]
    assert usual_gap(news, ALWAYS) == 9 * HOUR


def test_a_phone_that_sends_once_a_week_is_given_two():
    news = [MONDAY + week * 7 * DAY for week in range(8)]
    usual = usual_gap(news, ALWAYS)
    assert usual == 7 * DAY
    assert not is_silent(news[-1], usual, news[-1] + 13 * DAY, ALWAYS)
    assert is_silent(news[-1], usual, news[-1] + 15 * DAY, ALWAYS)


def test_who_sends_every_minute_is_not_missed_after_two():
    news = [MONDAY + n * timedelta(minutes=1) for n in range(6 * 24 * 60)]
    usual = usual_gap(news, ALWAYS)
    assert usual == timedelta(minutes=1)
    assert not is_silent(news[-1], usual, news[-1] + timedelta(minutes=119), ALWAYS)
    assert is_silent(news[-1], usual, news[-1] + timedelta(minutes=121), ALWAYS)


def test_a_computer_that_is_off_for_a_weekend_hears_no_silence():
    off = MONDAY + 18 * DAY + 18 * HOUR  # Friday evening
    on = off + 62 * HOUR
    awake = [Span(MONDAY - DAY, off), Span(on, MONDAY + 100 * DAY)]
    news = [at for at in hourly_by_day(40) if not off < at < on]
    usual = usual_gap(news, awake)
    assert usual == 9 * HOUR
    last = max(at for at in news if at <= off)
    assert not is_silent(last, usual, on + 17 * HOUR, awake)
    assert is_silent(last, usual, on + 19 * HOUR, awake)


def test_a_computer_that_runs_only_by_day_learns_in_hours_it_ran():
    awake = [Span(MONDAY + day * DAY + 8 * HOUR, MONDAY + day * DAY + 18 * HOUR) for day in range(30)]
    news = [MONDAY + day * DAY + hour * HOUR for day in range(20) for hour in range(8, 19, 2)]
    usual = usual_gap(news, awake)
    assert usual == 2 * HOUR
    morning = MONDAY + 20 * DAY + 8 * HOUR
    assert not is_silent(news[-1], usual, morning + 3 * HOUR, awake)
    assert is_silent(news[-1], usual, morning + 5 * HOUR, awake)


def test_time_before_anything_is_known_of_the_computer_counts_as_awake():
    awake = [Span(MONDAY + DAY, MONDAY + 2 * DAY)]
    assert awake_between(MONDAY, MONDAY + 3 * DAY, awake) == 2 * DAY
    assert awake_between(MONDAY - DAY, MONDAY, awake) == DAY
    assert awake_between(MONDAY, MONDAY + DAY, []) == DAY


def test_several_instances_are_awake_when_one_is():
    spans = [
        Span(MONDAY + 2 * HOUR, MONDAY + 4 * HOUR),
        Span(MONDAY, MONDAY + 3 * HOUR),
        Span(MONDAY + DAY, MONDAY + DAY),
    ]
    assert merged(spans) == [Span(MONDAY, MONDAY + 4 * HOUR), Span(MONDAY + DAY, MONDAY + DAY)]
