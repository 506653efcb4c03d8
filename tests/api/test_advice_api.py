"""Advice is raised by what an upload shows, and goes away once a corrected upload comes."""

from __future__ import annotations


def steps(hour: int = 10) -> dict:
    points = [{"date": f"2026-08-07 {hour}:{n:02}:00 +0200", "qty": 10, "source": "Watch"} for n in range(3)]
    return {
        "data": {
            "metrics": [{"name": "step_count", "units": "count", "data": points[: 1 if hour == 11 else 3]}]
        }
    }


def raised(receipt: dict) -> set[str]:
    return {advice["code"] for advice in receipt["advice"]}


def in_force(phone) -> dict[str, dict]:
    return {item["code"]: item for item in phone.get("/api/v1/advice")["items"]}


def test_sums_by_the_minute_are_advised_against_until_they_come_by_the_hour(phone):
    receipt = phone.send(steps(), automation_aggregation="Minutes")
    assert "minute_grouping" in raised(receipt)
    assert all(
        "interval=hours" in told["link"] for told in receipt["advice"] if told["code"] == "minute_grouping"
    )
    advice = in_force(phone)["minute_grouping"]
    assert "interval=hours" in advice["link"]
    assert advice["link"].startswith(
        "com.HealthExport://automation?url=http%3A%2F%2Flocalhost%2Fapi%2Fv1%2Fingest"
    )
    assert phone.key not in advice["link"]
    phone.send(steps(11), automation_aggregation="Hours")
    assert "minute_grouping" not in in_force(phone)


def test_since_last_sync_on_sums_is_advised_against_until_the_window_is_whole(phone):
    sent = phone.send(steps(11), automation_aggregation="Hours", automation_period="Since Last Sync")
    assert raised(sent) == {"since_last_sync_on_sums"}
    phone.send(steps(11), automation_aggregation="Hours", automation_period="Today")
    assert in_force(phone) == {}


def test_two_automations_that_send_the_same_are_named(phone):
    phone.send(steps(11), automation_aggregation="Hours", automation_id="A", automation_name="Totals")
    sent = phone.send(steps(11), automation_aggregation="Hours", automation_id="B", automation_name="Extra")
    assert raised(sent) == {"two_automations"}
    assert "“Totals” sends these too: step_count" in in_force(phone)["two_automations"]["message"]


def test_units_nobody_knows_are_advised_on(phone):
    body = steps(11)
    body["data"]["metrics"][0]["units"] = "Schrittchen"
    assert raised(phone.send(body, automation_aggregation="Hours")) == {"localised_units"}
    phone.send(steps(11), automation_aggregation="Hours")
    assert in_force(phone) == {}
