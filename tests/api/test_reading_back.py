from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from tests.fixtures.documents import document, hours, metric, point, steps, when
from tests.fixtures.problems import problem_of

HOURS = {"automation_aggregation": "Hours"}


def pages(phone, path, **query):
    """Follow a list to its end, and return its pages."""
    cursor, found = {}, []
    while True:
        page = phone.get(path, **query, **cursor)
        found.append(page["items"])
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


def raw(phone, path, headers=None, query=None, **named):
    return phone.client.get(
        path, query_string=query or named, headers={"X-API-Key": phone.key} | (headers or {})
    )


def test_every_upload_is_paged_through_once_newest_first(phone):
    sent = [phone.send(steps(point("2026-08-07 10:00", n)))["upload_id"] for n in range(7)]
    for limit in (1, 2, 3, 7, 50):
        found = pages(phone, "/api/v1/uploads", limit=limit)
        assert [upload["upload_id"] for page in found for upload in page] == sent[::-1], limit
        assert all(len(page) == limit for page in found[:-1]), limit


def test_an_upload_that_comes_while_paging_is_not_told_twice(phone):
    sent = [phone.send(steps(point("2026-08-07 10:00", n)))["upload_id"] for n in range(4)]
    first = phone.get("/api/v1/uploads", limit=2)
    phone.send(steps(point("2026-08-07 10:00", 99)))
    rest = phone.get("/api/v1/uploads", limit=2, cursor=first["next"])
    assert [upload["upload_id"] for upload in first["items"] + rest["items"]] == sent[::-1]


def test_every_sample_is_paged_through_once_oldest_first(phone):
    sources = ["Watch", "iPhone", "Ring"]
    phone.send(
        steps(*(item for source in sources for item in hours("2026-08-07", range(9), source))), **HOURS
    )
    whole = phone.samples("step_count")
    assert len(whole) == 27
    assert [sample["start"] for sample in whole] == sorted(sample["start"] for sample in whole)
    for limit in (1, 2, 4, 26, 27, 28):
        found = pages(phone, "/api/v1/metrics/step_count/samples", limit=limit)
        assert [sample for page in found for sample in page] == whole, limit
        assert all(len(page) == limit for page in found[:-1]), limit


def test_a_sample_tells_everything_that_is_known_of_it(phone):
    body = document(
        metric(
            "blood_glucose",
            "mmol/L",
            point("2026-08-07 07:30", 5, "Anna’s\u00a0Meter", mealTime="Before Meal"),
        )
    )
    receipt = phone.send(body, **HOURS)
    assert phone.samples("blood_glucose") == [
        {
            "start": "2026-08-07T07:30:00+02:00",
            "end": "2026-08-07T08:30:00+02:00",
            "value": pytest.approx(90.08, rel=1e-3),
            "min": None,
            "max": None,
            "unit": "mg/dL",
            "source": "Anna's Meter",
            "grain": "hour",
            "utc_offset": 7_200,
            "upload_id": receipt["upload_id"],
            "extra": {"mealTime": "Before Meal"},
        }
    ]


def test_a_window_of_samples_holds_its_start_and_not_its_end(phone):
    phone.send(steps(*hours("2026-08-07", range(24)), *hours("2026-08-08", range(24))), **HOURS)

    def values(**window):
        return [sample["value"] for sample in phone.samples("step_count", **window)]

    assert values(start="2026-08-08") == list(range(24))
    assert values(end="2026-08-07") == list(range(24))
    assert values(start="2026-08-07", end="2026-08-07") == list(range(24))
    assert values(start="2026-08-07T10:00:00+02:00", end="2026-08-07T12:00:00+02:00") == [10, 11]
    assert values(start="2026-08-07T08:00:00Z", end="2026-08-07T10:00:00Z") == [10, 11]
    unescaped = raw(
        phone,
        "/api/v1/metrics/step_count/samples",
        query="start=2026-08-07T10:00:00+02:00&end=2026-08-07T11:00:00+02:00",
    )
    assert [sample["value"] for sample in unescaped.get_json()["items"]] == [10]


def test_a_series_comes_by_hour_day_week_and_month(phone):
    days = ["2026-07-31", "2026-08-01", "2026-08-02", "2026-08-03"]  # Friday to Monday
    phone.send(steps(*(item for day in days for item in hours(day, [1, 2, 3]))), **HOURS)

    def series(bucket, **window):
        told = phone.get("/api/v1/metrics/step_count/series", bucket=bucket, **window)
        return [(point["start"], point["value"], point["count"]) for point in told]

    assert series("hour", start="2026-08-01", end="2026-08-01") == [
        (f"2026-08-01T{hour:02}:00:00+02:00", hour + 1, 1) for hour in range(3)
    ]
    assert series("day") == [(f"{day}T00:00:00+02:00", 6, 3) for day in days]
    assert series("week") == [("2026-07-27T00:00:00+02:00", 18, 9), ("2026-08-03T00:00:00+02:00", 6, 3)]
    assert series("month") == [("2026-07-01T00:00:00+02:00", 6, 3), ("2026-08-01T00:00:00+02:00", 18, 9)]
    assert series("day", start="2026-08-01T00:00:00+02:00", end="2026-08-02T00:00:00+02:00") == [
        ("2026-08-01T00:00:00+02:00", 6, 3)
    ]
    assert series("day", start="2026-09-01") == []


def test_wider_buckets_follow_the_metrics_own_aggregate(phone):
    def daily(name, unit, *values):
        points = [point(f"2026-08-{3 + n:02} 08:00", value) for n, value in enumerate(values)]
        return metric(name, unit, *points)

    phone.send(
        document(daily("weight_body_mass", "kg", 70, 72, 71), daily("resting_heart_rate", "bpm", 50, 60, 58))
    )

    def week(name):
        (told,) = phone.get(f"/api/v1/metrics/{name}/series", bucket="week")
        return told["value"], told["min"], told["max"], told["count"]

    assert week("weight_body_mass") == (71, 70, 72, 3)
    assert week("resting_heart_rate") == (56, 50, 60, 3)


def test_a_day_is_the_day_where_the_person_was(phone):
    tokyo, honolulu = timezone(timedelta(hours=9)), timezone(timedelta(hours=-10))
    phone.send(
        steps(
            point(when("2026-08-07 23:30", tokyo), 5),
            point(when("2026-08-07 23:30", honolulu), 7),
            point(when("2026-08-08 00:30", honolulu), 11),
        )
    )
    assert phone.days("step_count") == {"2026-08-07": 12, "2026-08-08": 11}
    hours_told = phone.get("/api/v1/metrics/step_count/series", bucket="hour")
    assert [hour["value"] for hour in hours_told] == [5, 7, 11]


def test_the_day_on_which_clocks_are_set_back_has_twenty_five_hours(phone):
    summer, winter = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
    start = when("2025-10-26 00:00", summer)
    points = [
        point((start + timedelta(hours=n)).astimezone(summer if n < 3 else winter), 100 + n)
        for n in range(25)
    ]
    assert phone.send(steps(*points), **HOURS)["counts"]["stored"] == 25
    assert phone.days("step_count") == {"2025-10-26": sum(range(100, 125))}
    told = phone.get("/api/v1/metrics/step_count/series", bucket="hour")
    assert [hour["value"] for hour in told] == list(range(100, 125))


def test_metrics_are_found_by_any_of_their_names(phone):
    phone.send(steps(*hours("2026-08-07", [1])))
    for name in ("step_count", "stepCount", "Steps", "HKQuantityTypeIdentifierStepCount"):
        assert phone.days(name) == {"2026-08-07": 1}, name


def test_the_list_of_metrics_tells_what_is_held_of_each(phone):
    phone.send(
        steps(*hours("2026-08-07", [1, 2], "Watch|iPhone"), *hours("2026-08-08", [3], "iPhone")), **HOURS
    )
    (told,) = phone.get("/api/v1/metrics")["items"]
    assert (told["count"], told["sources"], told["grains"]) == (3, ["Watch", "iPhone"], ["hour"])
    assert (told["first"], told["last"]) == ("2026-08-06T22:00:00+00:00", "2026-08-07T22:00:00+00:00")


def test_an_answer_that_has_not_changed_is_not_sent_again(phone):
    phone.send(steps(*hours("2026-08-07", [1, 2])))
    for path in (
        "/api/v1/uploads",
        "/api/v1/uploads/1",
        "/api/v1/uploads/1/body",
        "/api/v1/metrics",
        "/api/v1/metrics/step_count/samples",
        "/api/v1/metrics/step_count/series",
        "/api/v1/openapi.json",
    ):
        first = raw(phone, path)
        again = raw(phone, path, {"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b""), path
        assert raw(phone, path, {"If-None-Match": '"another"'}).data == first.data, path
        assert "private" in first.headers["Cache-Control"], path
    tag = raw(phone, "/api/v1/metrics/step_count/series").headers["ETag"]
    phone.send(steps(point("2026-08-07 05:00", 5)))
    assert raw(phone, "/api/v1/metrics/step_count/series", {"If-None-Match": tag}).status_code == 200


def looked_up(services, outcome):
    return services.telemetry.cached_answers.labels(outcome=outcome)._value.get()


def test_an_answer_is_made_once_and_forgotten_by_the_next_upload(phone, services, monkeypatch):
    phone.send(steps(point("2026-08-07 10:00", 5)))
    phone.send(document(metric("heart_rate", "bpm", point("2026-08-07 10:00", 60))))
    assert phone.days("step_count") == {"2026-08-07": 5}
    made = looked_up(services, "miss")
    assert phone.days("step_count") == {"2026-08-07": 5}
    assert (looked_up(services, "hit"), looked_up(services, "miss")) == (1, made)

    phone.send(document(metric("heart_rate", "bpm", point("2026-08-07 11:00", 61))))
    assert phone.days("step_count") == {"2026-08-07": 5}
    assert looked_up(services, "hit") == 2, "another metric's upload leaves the answer alone"

    phone.send(steps(point("2026-08-07 10:00", 8)))
    assert phone.days("step_count") == {"2026-08-07": 8}
    assert looked_up(services, "hit") == 2


def test_the_cached_answer_of_one_window_is_not_given_for_another(phone):
    phone.send(steps(point("2026-08-07 10:00", 5), point("2026-08-09 10:00", 7)))
    for _ in range(2):
        for bucket in ("hour", "day", "week", "month"):
            told = phone.get("/api/v1/metrics/step_count/series", bucket=bucket, start="2026-08-08")
            assert [point["value"] for point in told] == [7], bucket
        assert phone.days("step_count", end="2026-08-08") == {"2026-08-07": 5}


def test_five_years_by_the_hour_may_be_asked_and_no_more(phone):
    start, end = "2021-08-06", "2026-08-07"
    phone.send(steps(point("2020-01-01 10:00", 1), point(f"{start} 10:00", 2), point(f"{end} 10:00", 3)))

    def hourly(**window):
        return raw(phone, "/api/v1/metrics/step_count/series", bucket="hour", **window)

    assert [hour["value"] for hour in hourly(start=start).get_json()] == [2, 3]
    assert [hour["value"] for hour in hourly(start="2000-01-01", end=start).get_json()] == [1, 2]
    for window in ({}, {"end": end}, {"start": "2020-01-01"}):
        problem_of(hourly(**window), 400, "bad_query")
