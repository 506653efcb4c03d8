from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from tests.fixtures.documents import document, hours, metric, point, steps, when
from tests.fixtures.tables import HELD, TRUTH

HOURS = {"automation_aggregation": "Hours"}
SINCE = HOURS | {"automation_period": "Since Last Sync"}
REVISIONS = "SELECT value, upload_id, replaced_by FROM revision ORDER BY replaced_by, start_at"


def test_a_later_value_replaces_and_the_earlier_ones_stay_readable(phone, ask):
    uploads = [
        phone.send(steps(point("2026-08-07 10:00", value)), **HOURS, automation_period="Today")
        for value in (500, 700, 650)
    ]
    assert [receipt["counts"]["revised"] for receipt in uploads] == [0, 1, 1]
    assert phone.days("step_count") == {"2026-08-07": 650}
    first, second, third = (receipt["upload_id"] for receipt in uploads)
    assert ask(REVISIONS) == [(500, first, second), (700, second, third)]
    assert [(s["value"], s["upload_id"]) for s in phone.samples("step_count")] == [(650, third)]


def test_a_revision_knows_bounds_extra_fields_and_time(phone, ask, clock):
    def send(low, value, high):
        phone.send(
            document(
                metric(
                    "heart_rate",
                    "bpm",
                    point("2026-08-07 10:00", Min=low, Avg=value, Max=high, context=value),
                )
            )
        )

    send(50, 60, 70)
    clock.advance(hours=1)
    send(51, 61, 71)
    (row,) = ask("SELECT min, value, max, extra, replaced_at FROM revision")
    assert tuple(row) == (50, 60, 70, {"context": 60}, clock.now())
    (sample,) = phone.samples("heart_rate")
    assert (sample["min"], sample["value"], sample["max"], sample["extra"]) == (51, 61, 71, {"context": 61})


@pytest.mark.parametrize(("first", "second", "stands"), [(900, 300, 900), (300, 900, 900)])
def test_a_bucket_cut_by_the_window_grows_and_never_shrinks(phone, first, second, stands):
    phone.send(steps(*hours("2026-08-07", [100, 100, 100, first], first=8)), **SINCE)
    receipt = phone.send(steps(*hours("2026-08-07", [second, 50, 50], first=11)), **SINCE)
    assert receipt["counts"]["revised" if second > first else "superseded"] == 1
    assert phone.days("step_count") == {"2026-08-07": 300 + stands + 100}


def test_a_bucket_inside_the_window_may_shrink(phone):
    phone.send(steps(*hours("2026-08-07", [100, 900, 100], first=8)), **SINCE)
    receipt = phone.send(steps(*hours("2026-08-07", [100, 300, 100], first=8)), **SINCE)
    assert (receipt["counts"]["revised"], receipt["counts"]["unchanged"]) == (1, 2)
    assert phone.days("step_count") == {"2026-08-07": 500}


def test_a_reading_may_fall_even_at_the_edge_of_the_window(phone):
    def rates(*values):
        points = [point(f"2026-08-07 {8 + n:02}:00", value) for n, value in enumerate(values)]
        return document(metric("heart_rate", "bpm", *points))

    phone.send(rates(90, 60), **SINCE)
    assert phone.send(rates(70, 60), **SINCE)["counts"]["revised"] == 1
    assert phone.days("heart_rate") == {"2026-08-07": 65}


def test_a_window_sent_again_from_another_zone_changes_nothing(phone, ask):
    def told_in(zone):
        start = when("2026-08-07 20:00")
        return steps(*(point((start + timedelta(hours=n)).astimezone(zone), 100 + n) for n in range(8)))

    phone.send(told_in(timezone(timedelta(hours=2))), **HOURS)
    before = ask(HELD), ask(TRUTH)
    for offset in (-9, 0, 5.5, 14):
        receipt = phone.send(told_in(timezone(timedelta(hours=offset))), **HOURS)
        assert (receipt["status"], receipt["counts"]["unchanged"]) == ("unchanged", 8)
    assert (ask(HELD), ask(TRUTH)) == before
    assert phone.days("step_count") == {"2026-08-07": 406, "2026-08-08": 422}


def test_a_correction_from_another_zone_counts_for_the_day_it_was_first_told(phone):
    phone.send(steps(point("2026-08-07 23:00", 100)), **HOURS)
    phone.send(steps(point(when("2026-08-07 23:00").astimezone(timezone(timedelta(hours=9))), 400)), **HOURS)
    assert phone.days("step_count") == {"2026-08-07": 400}


def test_repeats_inside_one_upload_are_counted_and_kept_once(phone, ask):
    twice = point("2026-08-07 10:00", 5)
    receipt = phone.send(steps(twice, twice, twice | {"qty": 8}), **HOURS)
    assert receipt["counts"] == {
        "received": 3,
        "stored": 1,
        "revised": 0,
        "unchanged": 1,
        "superseded": 1,
        "quarantined": 0,
    }
    assert ask("SELECT value FROM sample") == [(8,)]


def test_the_same_reading_in_kilojoules_and_kilocalories_is_the_same_reading(phone):
    phone.send(document(metric("active_energy", "kcal", point("2026-08-07 10:00", 123.4))), **HOURS)
    again = document(metric("active_energy", "kJ", point("2026-08-07 10:00", 123.4 * 4.184)))
    assert phone.send(again, **HOURS)["status"] == "unchanged"


def test_what_could_not_be_read_is_kept_once_and_counted_each_time(phone, ask):
    body = steps({"date": "yesterday", "qty": 5}, point("2026-08-07 10:00", "many"))
    first, second = phone.send(body), phone.send(body)
    assert [r["counts"]["quarantined"] for r in (first, second)] == [2, 2]
    assert [r["status"] for r in (first, second)] == ["processed", "unchanged"]
    assert ask("SELECT reason, upload_id, last_upload_id FROM quarantine ORDER BY reason") == [
        ("bad_timestamp", first["upload_id"], second["upload_id"]),
        ("not_a_number", first["upload_id"], second["upload_id"]),
    ]
