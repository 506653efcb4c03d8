"""Instances that start at the same moment on a database where nothing is yet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from appliance.domain.key import Scope
from tests.fixtures.documents import hours, steps
from tests.fixtures.http import RealPhone

DAY = "2026-08-07"


def test_one_of_two_makes_the_schema_and_all_serve(empty):
    with ThreadPoolExecutor(2) as pool:
        programs = list(pool.map(lambda _: empty.instance(), range(2)))
    said = [(program.data_dir / "logs" / "hearthbeat.jsonl").read_text() for program in programs]
    assert sorted(text.count("schema_migrated") for text in said) == [0, 1]
    with empty.services() as services:
        key = services.keys.create("Phone", list(Scope), person_name="Anna").secret_text
    for turn, program in enumerate(programs):
        phone = RealPhone(program.url, key)
        assert phone.get("/readyz")["status"] == "ok"
        assert phone.post(steps(*hours(DAY, [100 + turn] * 24)))[0] == 200
        assert phone.days("step_count") == {DAY: (100 + turn) * 24}


def test_keys_made_at_the_same_moment_for_somebody_new_share_that_person(empty):
    with empty.services() as services, ThreadPoolExecutor(6) as pool:
        ready = Barrier(6)

        def make(person):
            ready.wait()
            return services.keys.create("Phone", [Scope.READ], person_name=person)

        for person in ("Anna", None, "Ben"):
            made = list(pool.map(make, [person] * 6))
            assert len({fresh.key.person_id for fresh in made}) == 1
    assert empty.ask("SELECT count(*) FROM person") == [(2,)], (
        "Anna was the first, and so whoever nobody names"
    )
