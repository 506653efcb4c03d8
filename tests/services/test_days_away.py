"""Where a person was is kept with them, and cuts the days of whatever is imported from then on."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from appliance.domain.preferences import Preferences, Units
from appliance.domain.whereabouts import DaysAway
from appliance.foundation.errors import Conflict, NotFound, RequestError
from appliance.services.people import MOST_TIMES_AWAY, checked_days_away
from tests.fixtures.apple_export import BERLIN, QUANTITY, WATCH, AppleExport

EXPORT = AppleExport()
TOKYO = DaysAway(date(2025, 10, 24), date(2025, 10, 26), "Asia/Tokyo")
# 04:30 of the 25th in Tokyo.
IN_THE_NIGHT = datetime(2025, 10, 24, 21, 30, tzinfo=BERLIN)
LATER = IN_THE_NIGHT + timedelta(days=5)


@pytest.fixture
def anna(services):
    return services.people.create("Anna", "Europe/Berlin").person_id


@pytest.fixture
def days_of(services, anna, tmp_path, ask):
    """Import beats at these instants and return the days they came to lie on."""

    def import_them(*instants, **how):
        beats = "".join(
            EXPORT.record(QUANTITY + "HeartRate", WATCH, at, 0, 60 + n, "count/min")
            for n, at in enumerate(instants)
        )
        xml = f'<?xml version="1.0"?>\n<HealthData locale="en_DE">\n{beats}</HealthData>\n'.encode()
        services.importing.export(anna, EXPORT.zip(tmp_path / "export.zip", xml=xml), **how)
        return [str(day) for (day,) in ask("SELECT day FROM rollup WHERE metric = 'heart_rate' ORDER BY 1")]

    return import_them


def test_a_record_of_the_night_in_tokyo_lies_on_tokyos_day(services, anna, days_of):
    services.people.add_days_away(anna, TOKYO)
    assert days_of(IN_THE_NIGHT, LATER) == ["2025-10-25", "2025-10-29"]


def test_without_a_time_away_it_lies_on_the_day_at_home(services, anna, days_of):
    services.people.add_days_away(services.people.ensure("Ben").person_id, TOKYO)  # somebody else's
    assert days_of(IN_THE_NIGHT, LATER) == ["2025-10-24", "2025-10-29"]


def test_where_two_overlap_the_one_told_last_counts(services, anna, days_of):
    at_home = TOKYO._replace(zone="Europe/Berlin")
    for away in (at_home, TOKYO, at_home):
        services.people.add_days_away(anna, away)
    assert services.people.days_away(anna) == [TOKYO, at_home]
    assert days_of(IN_THE_NIGHT) == ["2025-10-24"]


def test_one_that_is_removed_counts_no_more(services, anna, days_of):
    services.people.add_days_away(anna, TOKYO)
    services.people.remove_days_away(anna, TOKYO)
    with pytest.raises(NotFound, match="removed already"):
        services.people.remove_days_away(anna, TOKYO)
    assert days_of(IN_THE_NIGHT) == ["2025-10-24"]


def test_what_is_told_for_one_import_counts_for_that_alone(services, anna, days_of):
    assert days_of(IN_THE_NIGHT, stays=[TOKYO.stay]) == ["2025-10-25"]
    assert services.people.days_away(anna) == []


def test_preferences_and_times_away_leave_each_other_alone(services, anna):
    services.sessions.prefer(anna, Preferences(units=Units.IMPERIAL))
    services.people.add_days_away(anna, TOKYO)
    assert services.sessions.preferences(anna).units is Units.IMPERIAL
    services.sessions.prefer(anna, Preferences(step_goal=9_500))
    assert services.people.days_away(anna) == [TOKYO]
    assert services.sessions.preferences(anna).step_goal == 9_500


def test_there_are_only_so_many(services, anna):
    days = [date(2000, 1, 1) + timedelta(days=n) for n in range(MOST_TIMES_AWAY + 1)]
    times = [DaysAway(day, day, "Asia/Tokyo") for day in days]
    for each in times[:-1]:
        services.people.add_days_away(anna, each)
    with pytest.raises(Conflict, match="remove one first"):
        services.people.add_days_away(anna, times[-1])
    services.people.add_days_away(anna, times[0])  # is no other one
    assert services.people.days_away(anna) == [*times[1:-1], times[0]]


def test_a_time_away_is_two_days_and_a_zone():
    assert checked_days_away(" 2025-10-24", "2025-10-26", "Asia/Tokyo ") == TOKYO
    assert checked_days_away("2025-10-24", "2025-10-24", "UTC").stay.zone.key == "UTC"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (("", "2025-10-26", "Asia/Tokyo"), "is no day"),
        (("2025-10-24", "2025-02-30", "Asia/Tokyo"), "“2025-02-30” is no day"),
        (("0001-01-01", "2025-10-26", "Asia/Tokyo"), "from 1900 to 2100"),
        (("2025-10-24", "9999-12-31", "Asia/Tokyo"), "from 1900 to 2100"),
        (("2025-10-26", "2025-10-24", "Asia/Tokyo"), "2025-10-24, lies before the first, 2025-10-26"),
        (("2025-10-24", "2025-10-26", "Mars"), "no time zone “Mars”"),
        (("2025-10-24", "2025-10-26", ""), "no time zone"),
        (("2025-10-24", "2025-10-26", "../../etc/passwd"), "no time zone"),
        (("2025-10-24", "2025-10-26", "Asia/Tokyo\0"), "no time zone"),
        (("2025-10-24", "2025-10-26", "Z" * 5_000), "no time zone"),
    ],
)
def test_what_is_none_is_refused_with_a_sentence(told, sentence):
    with pytest.raises(RequestError) as refused:
        checked_days_away(*told)
    assert sentence in refused.value.detail
    assert len(refused.value.detail) < 200
