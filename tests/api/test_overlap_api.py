"""Overlapping devices and grains of one day show one right total, and say why."""

from __future__ import annotations

import pytest

WATCH, IPHONE, RING = "Anna's Apple Watch", "Anna's iPhone", "Ring"


def hours(total: float, source: str) -> list[dict]:
    return [
        {"date": f"2026-08-07 {hour:02}:00:00 +0200", "qty": total / 24, "source": source}
        for hour in range(24)
    ]


def steps(points: list[dict]) -> dict:
    return {"data": {"metrics": [{"name": "step_count", "units": "count", "data": points}]}}


def explained(phone) -> dict:
    return phone.get("/api/v1/metrics/step_count/days/2026-08-07")


def test_watch_phone_and_ring_of_the_same_day_are_chosen_among_and_not_added(phone):
    phone.send(
        steps([*hours(8000, WATCH), *hours(7600, IPHONE), *hours(3100, RING)]), automation_aggregation="Hours"
    )
    assert phone.days("step_count") == {"2026-08-07": pytest.approx(8000)}
    told = explained(phone)
    assert told["value"] == pytest.approx(8000)
    assert [(c["source"], round(c["subtotal"]), round(c["counted"] or 0)) for c in told["candidates"]] == [
        (WATCH, 8000, 8000),
        (IPHONE, 7600, 0),
        (RING, 3100, 0),
    ]
    assert told["overlap_removed"] == pytest.approx(10_700)


def test_another_order_of_sources_rewrites_history_without_an_upload(phone):
    phone.send(
        steps([*hours(8000, WATCH), *hours(7600, IPHONE), *hours(3100, RING)]), automation_aggregation="Hours"
    )
    answer = phone.client.put(
        "/api/v1/sources/priority",
        json={"category": "activity", "sources": [RING, WATCH]},
        headers={"X-API-Key": phone.key},
    )
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["days_changed"] == {"step_count": 1}
    assert phone.days("step_count") == {"2026-08-07": pytest.approx(3100)}
    order = {item["category"]: item["sources"] for item in phone.get("/api/v1/sources/priority")["items"]}
    assert order["activity"] == [RING, WATCH, IPHONE]


def test_minute_hour_and_day_grains_of_one_day_give_the_days_own_total(phone):
    minutes = [
        {"date": f"2026-08-07 {n // 60:02}:{n % 60:02}:00 +0200", "qty": 9800 / 1440, "source": WATCH}
        for n in range(1440)
    ]
    phone.send(steps(minutes), automation_aggregation="Minutes")
    assert phone.days("step_count") == {"2026-08-07": pytest.approx(9800)}
    phone.send(steps(hours(8000, WATCH)), automation_aggregation="Hours")
    assert phone.days("step_count") == {"2026-08-07": pytest.approx(8000)}
    day = [{"date": "2026-08-07 00:00:00 +0200", "qty": 8001, "source": WATCH}]
    phone.send(steps(day), automation_aggregation="Days")
    assert phone.days("step_count") == {"2026-08-07": pytest.approx(8001)}
    assert [c["grain"] for c in explained(phone)["candidates"]] == ["day", "hour", "minute"]
