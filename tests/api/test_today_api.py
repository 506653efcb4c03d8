"""One day in one answer."""

from __future__ import annotations


def test_a_day_shows_its_numbers_its_night_and_its_workouts(phone):
    phone.send(
        {
            "data": {
                "metrics": [
                    {
                        "name": "step_count",
                        "units": "count",
                        "data": [{"date": "2026-08-07 10:00:00 +0200", "qty": 512, "source": "Watch"}],
                    },
                    {
                        "name": "sleep_analysis",
                        "units": "hr",
                        "data": [
                            {
                                "date": "2026-08-07 00:00:00 +0200",
                                "totalSleep": 7.02,
                                "core": 4.5,
                                "deep": 0.82,
                                "rem": 1.7,
                                "sleepStart": "2026-08-06 23:10:00 +0200",
                                "sleepEnd": "2026-08-07 06:40:00 +0200",
                                "source": "Watch",
                            }
                        ],
                    },
                ],
                "workouts": [
                    {
                        "id": "0A1B",
                        "name": "Outdoor Run",
                        "start": "2026-08-07 18:00:00 +0200",
                        "end": "2026-08-07 18:30:00 +0200",
                        "duration": 1800,
                    }
                ],
            }
        },
        automation_aggregation="Hours",
    )
    told = phone.get("/api/v1/today", date="2026-08-07")
    assert told["date"] == "2026-08-07"
    values = {metric["key"]: metric["value"] for metric in told["metrics"]}
    assert values["step_count"] == 512
    assert values["sleep_total"] == 7.02
    assert told["sleep"]["hours"]["total"] == 7.02
    assert [workout["name"] for workout in told["workouts"]] == ["Outdoor Run"]
    assert told["last_upload_at"]


def test_an_empty_day_says_so_and_a_wrong_one_is_refused(phone):
    told = phone.get("/api/v1/today")
    assert (told["date"], told["metrics"], told["sleep"], told["workouts"]) == ("2026-08-20", [], None, [])
    answer = phone.client.get("/api/v1/today?date=yesterday", headers={"X-API-Key": phone.key})
    assert answer.status_code == 400
