"""The main job: what a phone posts is kept, understood and readable."""

from __future__ import annotations


def test_a_first_upload_is_stored_and_read_back(phone):
    receipt = phone.send(
        {
            "data": {
                "metrics": [
                    {
                        "name": "step_count",
                        "units": "count",
                        "data": [
                            {
                                "date": f"2026-08-07 {hour:02}:00:00 +0200",
                                "qty": hour,
                                "source": "Anna’s Apple\u00a0Watch",
                            }
                            for hour in range(24)
                        ],
                    }
                ]
            }
        },
        automation_aggregation="Hours",
    )
    assert receipt["counts"]["stored"] == 24
    assert phone.days("step_count") == {"2026-08-07": sum(range(24))}
    assert {sample["source"] for sample in phone.samples("step_count")} == {"Anna's Apple Watch"}
