"""Old backups make room for new ones, and the one that was proved last is never among those that go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.rotation import Kept, worth_keeping

LAST = datetime(2026, 8, 20, 3, 10, tzinfo=UTC)
WEEK = Kept(days=7, weeks=4, months=3)


def nightly(count, *, unproved=()):
    return [(LAST - timedelta(days=n), n not in unproved) for n in range(count)]


def nights_kept(backups, kept=WEEK):
    return sorted((LAST - at).days for at in worth_keeping(backups, kept))


def test_after_a_year_the_last_days_weeks_and_months_are_there():
    # 2026-08-20 is a Thursday: weeks end on its Sundays 16, 9 and 2 August, months with 31 July and 30 June.
    assert nights_kept(nightly(365)) == [0, 1, 2, 3, 4, 5, 6, 11, 18, 20, 51]


def test_a_computer_that_was_off_keeps_what_it_has():
    backups = [(LAST - timedelta(days=40 * n), True) for n in range(3)]
    assert len(worth_keeping(backups, WEEK)) == 3


def test_of_one_day_the_newest_proved_one_is_kept():
    at = [LAST - timedelta(hours=n) for n in range(3)]
    assert worth_keeping([(at[0], False), (at[1], True), (at[2], True)], Kept(1, 0, 0)) == {at[1]}


def test_backups_that_nobody_could_prove_do_not_pile_up():
    assert nights_kept(nightly(100, unproved=range(100)), Kept(7, 0, 0)) == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("since", [1, 8, 60])
def test_the_newest_proved_one_stays_however_old(since):
    assert since in nights_kept(nightly(100, unproved=range(since)), Kept(1, 0, 0))


@given(
    st.lists(st.tuples(st.datetimes(timezones=st.just(UTC)), st.booleans()), unique_by=lambda told: told[0]),
    st.builds(Kept, st.integers(1, 9), st.integers(0, 9), st.integers(0, 9)),
)
def test_what_is_kept_is_bounded_and_holds_the_newest_proved(backups, kept):
    keep = worth_keeping(backups, kept)
    assert keep <= {at for at, _ in backups}
    assert len(keep) <= kept.days + kept.weeks + kept.months + 1
    assert bool(keep) == bool(backups)
    if proved := [at for at, good in backups if good]:
        assert max(proved) in keep
