"""What one instance learns, another one on the same database and Redis knows at once."""

from __future__ import annotations

import json
from collections import Counter

import redis

from tests.external.conftest import FAILED_ATTEMPTS, REQUESTS_PER_HOUR
from tests.fixtures.documents import hours, steps
from tests.fixtures.http import RealPhone

DAY = "2026-08-07"


def test_a_limit_is_counted_over_all_instances_together(pair):
    phones = pair.phones()
    answers = [phones[turn % 2].ask("GET", "/api/v1/metrics")[0] for turn in range(REQUESTS_PER_HOUR)]
    assert Counter(answers) == {200: REQUESTS_PER_HOUR}
    for phone in phones:
        status, told = phone.ask("GET", "/api/v1/metrics")
        assert status == 429, told
    assert pair.phones()[0].get("/api/v1/metrics")["items"] == [], "another key has a limit of its own"


def test_attempts_with_wrong_keys_are_counted_over_all_instances_together(pair):
    wrong = [RealPhone(program.url, "hb_wrong") for program in (pair.a, pair.b)]
    answers = [wrong[turn % 2].ask("GET", "/api/v1/metrics")[0] for turn in range(FAILED_ATTEMPTS)]
    assert Counter(answers) == {401: FAILED_ATTEMPTS}
    assert [phone.ask("GET", "/api/v1/metrics")[0] for phone in wrong] == [429, 429]


def test_a_key_revoked_on_one_instance_is_refused_by_the_other_at_once(pair):
    at_a, at_b = pair.phones()
    for phone in (at_a, at_b):
        assert phone.get("/api/v1/metrics")["items"] == []  # looked up a moment ago, on both
    (key,) = at_a.get("/api/v1/keys")["items"]
    assert at_a.ask("DELETE", f"/api/v1/keys/{key['id']}")[0] == 204
    for phone in (at_b, at_a):
        status, told = phone.ask("GET", "/api/v1/metrics")
        assert (status, "revoked" in told["detail"]) == (401, True)


def test_a_key_disabled_and_enabled_on_one_instance_is_so_on_the_other_at_once(pair):
    both = [pair.phones("Dora"), pair.phones("Dora")]
    key = both[0][0].get("/api/v1/keys")["items"][0]
    same, other = sorted(both, key=lambda phones: key["public_id"] not in phones[0].key)
    for turn in range(2):
        for switcher, disabled in zip(other, (True, False), strict=True):
            status, told = switcher.ask("PATCH", f"/api/v1/keys/{key['id']}", {"disabled": disabled})
            assert status == 200, (turn, told)
            assert [phone.ask("GET", "/api/v1/metrics")[0] for phone in same] == [
                401 if disabled else 200
            ] * 2


def test_a_key_rotated_by_a_command_is_refused_everywhere_and_its_successor_let_in(pair):
    at_a, at_b = pair.phones()
    (key,) = at_b.get("/api/v1/keys")["items"]
    words = ("key", "rotate", "--overlap", "0", str(key["id"]))
    fresh = pair.shared.command(pair.a.data_dir, *words).strip()
    for phone in (at_a, at_b):
        assert phone.ask("GET", "/api/v1/metrics")[0] == 401
        phone.key = fresh
        assert phone.get("/api/v1/metrics")["items"] == []


def test_a_cached_answer_of_one_instance_is_forgotten_when_the_other_takes_new_values(pair):
    at_a, at_b = pair.phones()
    assert at_a.post(steps(*hours(DAY, [100] * 24)))[0] == 200
    assert at_b.days("step_count") == {DAY: 2_400}
    with redis.Redis.from_url(pair.shared.redis_url) as client:
        cached = [client.get(name) for name in client.scan_iter("hb:answer:*")]
    assert [json.loads(answer)[0]["value"] for answer in cached] == [2_400], "the answer has to be cached"
    assert at_b.days("step_count") == {DAY: 2_400}
    assert at_a.post(steps(*hours(DAY, [150] * 24)))[0] == 200
    assert at_b.days("step_count") == {DAY: 3_600}
    assert at_b.post(steps(*hours(DAY, [200] * 24)))[0] == 200
    assert at_a.days("step_count") == {DAY: 4_800}


def test_a_new_order_of_sources_shows_on_the_other_instance_at_once(pair):
    at_a, at_b = pair.phones()
    body = steps(*hours(DAY, [100] * 24, "Watch"), *hours(DAY, [10] * 24, "Phone"))
    assert at_a.post(body)[0] == 200
    before = at_b.days("step_count")
    order = ["Phone", "Watch"] if before == {DAY: 2_400} else ["Watch", "Phone"]
    status, told = at_a.ask("PUT", "/api/v1/sources/priority", {"category": "", "sources": order})
    assert status == 200, told
    after = at_b.days("step_count")
    assert sorted([*before.values(), *after.values()]) == [240, 2_400]
