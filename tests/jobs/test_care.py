from __future__ import annotations

import redis

from appliance.domain.job import Outcome
from tests.fixtures.documents import hours, steps


def test_an_upload_left_behind_wakes_the_worker_and_one_that_waits_long_is_told(phone, services, clock, ask):
    woken = []
    services.uploads.on_deferred = lambda: woken.append(1)
    assert services.care.pick_up_uploads().result == {"waiting": 0, "given_up": 0}
    assert woken == []
    phone.send(steps(*hours("2026-08-07", [1])))
    ask("UPDATE upload SET state = 'received', due_at = received_at")
    assert services.care.pick_up_uploads().outcome is Outcome.OK
    clock.advance(minutes=16)
    assert services.care.pick_up_uploads().outcome is Outcome.FOUND
    assert len(woken) == 2


def test_answers_that_are_past_make_room_and_present_ones_stay(phone, services, cache_url):
    phone.send(steps(*hours("2026-08-07", [1])))
    phone.days("step_count")
    phone.send(steps(*hours("2026-08-08", [1])))
    phone.days("step_count")
    with redis.Redis.from_url(cache_url) as client:
        assert len(list(client.scan_iter("hb:answer:*"))) == 2
        result = services.care.trim_caches()
        assert (result.result["removed"], result.result["answers"]) == (1, 1)
        assert result.result["used_bytes"] > 0
        assert len(list(client.scan_iter("hb:answer:*"))) == 1
        assert client.exists(b"hb:answer:1:0:x") == 0
    assert services.care.trim_caches().result["removed"] == 0


def test_tables_that_postgres_knows_badly_are_looked_at_anew(phone, services, ask):
    ask("ALTER TABLE sample SET (autovacuum_enabled = off)")
    for day in range(1, 29):
        phone.send(
            steps(
                *hours(f"2026-07-{day:02}", [day] * 24, "Watch"),
                *hours(f"2026-07-{day:02}", [2] * 24, "iPhone"),
            )
        )
    ask("SELECT pg_stat_force_next_flush()")
    services.care.check_tables()
    result = services.care.check_tables().result
    assert result["database_bytes"] > 1_000_000
    assert result["table_bytes"]["sample"] > 0
    assert ask("SELECT reltuples::int FROM pg_class WHERE relname = 'sample'")[0][0] in (-1, 1_344)


def test_own_numbers_are_kept_and_read_back(phone, services, clock):
    phone.send(steps(*hours("2026-08-07", [1, 2])))
    result = services.own_metrics.snapshot()
    assert result.result["active_people"] == 1
    assert services.telemetry.registry.get_sample_value("health_export_active_users") == 1
    clock.advance(hours=25)
    services.own_metrics.snapshot()
    assert services.telemetry.registry.get_sample_value("health_export_active_users") == 0
    page = phone.get("/api/v1/own-metrics", name="health_export_metrics_processed_total", limit=1)
    (first,) = page["items"]
    assert first["numbers"] == {'health_export_metrics_processed_total{outcome="stored"}': 2}
    rest = phone.get("/api/v1/own-metrics", cursor=page["next"])
    assert [item["at"] for item in rest["items"]] == [clock.now().isoformat()]
    assert rest["next"] is None
    numbers = rest["items"][0]["numbers"]
    assert numbers["hearthbeat_database_bytes"] > 0
    assert numbers["hearthbeat_memory_bytes"] > 0
    assert phone.get("/api/v1/own-metrics", start="2026-08-22")["items"] == []
    assert len(phone.get("/api/v1/own-metrics", end="2026-08-20")["items"]) == 1
