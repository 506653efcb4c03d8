from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from appliance.domain.job import Daily, Every

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 8, 20, 12, tzinfo=UTC)
NIGHTLY = Daily(time(3, 30))


def test_a_period_is_not_run_twice_and_a_little_early_is_not_too_early():
    hourly = Every(3_600)
    assert not hourly.is_due(NOON, NOON + timedelta(minutes=30), BERLIN)
    assert hourly.is_due(NOON, NOON + timedelta(minutes=55), BERLIN)
    assert hourly.next_after(NOON, BERLIN) == NOON + timedelta(hours=1)


def test_a_nightly_job_is_due_from_its_time_on_until_it_ran():
    begun = datetime(2026, 8, 20, 1, 31, tzinfo=UTC)  # 03:31 in Berlin
    assert not NIGHTLY.is_due(begun, begun + timedelta(hours=23, minutes=58), BERLIN)
    assert NIGHTLY.is_due(begun, begun + timedelta(hours=23, minutes=59), BERLIN)
    assert NIGHTLY.is_due(begun, begun + timedelta(days=3), BERLIN)
    assert not NIGHTLY.is_due(begun - timedelta(minutes=5), begun - timedelta(minutes=2), BERLIN)


def test_a_nightly_job_that_ran_late_is_due_again_the_next_night():
    late = datetime(2026, 8, 20, 16, tzinfo=UTC)
    assert NIGHTLY.next_after(late, BERLIN) == datetime(2026, 8, 21, 1, 30, tzinfo=UTC)


def test_a_nightly_job_runs_once_in_nights_of_23_and_of_25_hours():
    for day in (datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN)):
        trigger = Daily(time(2, 30))
        evening = day - timedelta(hours=3)
        first = trigger.next_after(evening, BERLIN)
        second = trigger.next_after(first.astimezone(UTC), BERLIN)
        assert first.astimezone(BERLIN).date() == day.date()
        assert (second.astimezone(BERLIN).date() - day.date()).days == 1


def test_a_trigger_is_told_in_words():
    told = [str(trigger) for trigger in (Every(5), Every(60), Every(900), Every(3_600), NIGHTLY)]
    assert told == ["every 5 seconds", "every minute", "every 15 minutes", "every hour", "daily at 03:30"]
