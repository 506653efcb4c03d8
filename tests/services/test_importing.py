from __future__ import annotations

from datetime import timedelta

import pytest

from appliance.domain.importing import ImportState
from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind
from appliance.foundation.errors import Conflict, NotFound, UnreadableExport
from tests.fixtures.apple_export import CATEGORY, AppleExport
from tests.fixtures.documents import document, metric, point, when

EXPORT = AppleExport()
TOLD = ("sample", "revision", "record", "record_track", "sleep_segment", "rollup", "quarantine")


@pytest.fixture
def anna(services):
    return services.people.ensure("Anna").person_id


@pytest.fixture
def take(services, anna, tmp_path):
    """Import an export and return how it went; its counts must add up."""

    def import_it(export=EXPORT, *, name="export.zip", xml=None, **how):
        run = services.importing.export(anna, export.zip(tmp_path / name, xml=xml), **how)
        assert run.counts.adds_up()
        told = {kind: counts.received for kind, counts in run.kinds.items() if kind != "samples"}
        assert sum(counts.received for counts in run.metrics.values()) == run.kinds["samples"].received
        assert sum(told.values()) + run.kinds["samples"].received == run.counts.received
        return run

    return import_it


@pytest.fixture
def held(ask):
    """Tell how many rows the tables hold, and the sum of all samples."""

    def tell():
        return {table: ask(f"SELECT count(*) FROM {table}")[0][0] for table in TOLD} | {
            "sum": round(ask("SELECT coalesce(sum(value), 0) FROM sample")[0][0], 6)
        }

    return tell


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr("appliance.intake.apple.export.RECORDS_A_PART", 20)
    monkeypatch.setattr("appliance.intake.apple.elements.CHUNK", 4_000)


def test_an_export_is_one_upload_whose_receipt_adds_up(services, anna, take):
    run = take()
    assert run.state is ImportState.DONE
    assert services.health.status().last_upload_at is None  # of a phone
    assert run.counts.stored == run.counts.received - EXPORT.days  # a beat of each day is told twice
    settled = services.uploads.find(anna, run.upload_id)
    assert settled.receipt.status == "processed"
    assert settled.receipt.counts == run.counts
    assert services.importing.listed(anna)[0].upload_id == run.upload_id


def test_the_same_file_is_known_at_once(take, held):
    first = take()
    before = held()
    again = take()
    assert again.known
    assert again.upload_id == first.upload_id
    assert held() == before


@pytest.mark.parametrize(
    "change", [{"offset_h": 1}, *({"quirks": frozenset([quirk])} for quirk in ("kJ", "mi", "crlf"))]
)
def test_the_same_life_exported_another_time_adds_nothing(take, held, change):
    take()
    before = held()
    again = take(EXPORT.but(**change), name="again.zip")
    assert not again.known
    assert (again.counts.stored, again.counts.revised) == (0, 0)
    assert held() == before


def test_a_later_export_adds_only_what_is_new(take, ask):
    first = take()
    later = take(EXPORT.but(later=2), name="later.zip")
    assert later.counts.stored == 2 * first.counts.stored // EXPORT.days
    assert later.counts.unchanged == first.counts.received + 2
    assert ask(f"SELECT count(*) FROM sample WHERE upload_id = {later.upload_id}") != [(0,)]


def test_many_small_parts_store_what_one_part_does(take, held, small_parts, services, anna):
    seen = []
    take(on_progress=seen.append)
    in_parts = held()
    assert len(seen) > 5
    assert [run.done for run in seen] == sorted(run.done for run in seen)
    assert seen[-1].done == seen[-1].total
    services.importing.undo(anna, seen[-1].upload_id)
    in_parts.pop("revision")  # of nights, which grow from part to part
    take(name="whole.zip", xml=EXPORT.xml() + b"\n")
    assert {name: held()[name] for name in in_parts} == in_parts


def test_one_that_was_stopped_goes_on_where_it_was(take, held, small_parts):
    parts = []
    stopped = take(on_progress=parts.append, stop=lambda: len(parts) == 3)
    assert stopped.state is ImportState.STOPPED
    went_on = []
    done = take(on_progress=went_on.append)
    assert done.state is ImportState.DONE
    assert done.upload_id == stopped.upload_id
    assert went_on[0].done > stopped.done
    assert done.counts.stored == done.counts.received - EXPORT.days


def test_one_at_work_is_not_begun_twice_and_one_that_was_killed_goes_on(
    take, clock, small_parts, monkeypatch
):
    def die(_run):
        raise MemoryError

    monkeypatch.setattr("appliance.services.import_work.ImportWork.stop", lambda _work: None)  # as if killed
    with pytest.raises(MemoryError):
        take(on_progress=die)
    with pytest.raises(Conflict, match="being imported already"):
        take()
    clock.advance(minutes=6)
    assert take().state is ImportState.DONE


def test_a_dry_run_tells_the_same_and_leaves_nothing(take, held):
    before = held()
    foreseen = take(dry_run=True)
    assert held() == before
    run = take()
    assert (run.kinds, run.metrics) == (foreseen.kinds, foreseen.metrics)


def test_what_an_import_brought_can_be_taken_back(take, held, phone, services, anna):
    steps = metric("step_count", "count", point(when("2025-10-24 10:00"), 500, source="Sam’s iPhone"))
    phone.send(document(steps), automation_aggregation="Hours")
    phone.send(document(metric("heart_rate", "count/min", point(when("2025-10-24 02:00"), 7, source="Ring"))))
    before = held()
    run = take()
    assert held() != before
    undone = services.importing.undo(anna, run.upload_id)
    assert undone.state is ImportState.UNDONE
    left = held()
    # A night that nobody tells any more leaves samples without a value.
    assert left["sum"] == before["sum"]
    assert {name: left[name] for name in ("record", "sleep_segment", "quarantine")} == {
        name: before[name] for name in ("record", "sleep_segment", "quarantine")
    }
    assert phone.days("step_count") == {"2025-10-24": 500}
    with pytest.raises(Conflict, match="undone already"):
        services.importing.undo(anna, run.upload_id)
    with pytest.raises(NotFound):
        services.importing.undo(anna, 999_999)
    assert take().counts.stored == run.counts.stored


def test_an_hourly_statistic_of_the_phone_counts_before_the_raw_records(take, phone):
    take()
    raw = phone.days("step_count")
    assert raw["2025-10-25"] < 2 * 460  # two devices counted the same walks
    steps = metric(
        "step_count",
        "count",
        *(point(when(f"2025-10-25 {h:02}:00"), 10, source="Sam’s iPhone") for h in range(24)),
    )
    phone.send(document(steps), automation_aggregation="Hours")
    assert phone.days("step_count")["2025-10-25"] == 240


def test_what_was_set_aside_can_be_looked_at_and_a_replay_leaves_the_import_alone(take, services, anna, held):
    xml = EXPORT.xml().replace(b'value="0.97"', b'value="97"', 1).replace(b"</Workout>", b"</Work>", 1)
    run = take(xml=xml)
    assert run.counts.quarantined == 2
    items = services.quarantine.listed(anna).items
    assert {item.row.reason for item in items} == {Reason.IMPLAUSIBLE_VALUE, Reason.WRONG_SHAPE}
    shown = {item.row.kind: item.sent for item in items}
    assert shown["samples"]["value"] == "97"
    assert "HKWorkoutActivityTypeRunning" in shown["damaged"]["xml"]
    before = held()
    services.replaying.one(anna, run.upload_id)
    services.replaying.retry_quarantine(anna)
    assert held() == before


def test_a_cut_file_never_passes_for_whole(take):
    xml = EXPORT.xml()
    run = take(xml=xml[: len(xml) * 3 // 4])
    assert run.state is ImportState.CUT
    assert "cut off" in run.content["cut"]


def test_a_file_without_an_export_stores_nothing(services, anna, tmp_path, ask):
    (tmp_path / "export.xml").write_bytes(b"<HealthData")
    with pytest.raises(UnreadableExport):
        services.importing.export(anna, tmp_path / "export.xml")
    assert ask("SELECT count(*) FROM upload WHERE state = 'received'") == [(0,)]


def test_two_samples_of_one_second_are_both_kept_whatever_order_they_come_in(take, ask):
    line = EXPORT.record(
        "HKQuantityTypeIdentifierDietaryWater", "Lunch Log", when("2025-10-24 12:00"), 0, "200", "mL"
    )
    lines = [line, line.replace("200", "300"), line]
    first = take(xml=_with(lines))
    assert first.metrics["dietary_water"].stored == 2
    again = take(name="again.zip", xml=_with([lines[2], lines[1], lines[1]]).replace(b"en_DE", b"en_GB"))
    assert again.metrics["dietary_water"].stored == 0
    assert ask(
        "SELECT count(*) FROM sample JOIN series USING (person_id, series_id) WHERE metric = 'dietary_water'"
    ) == [(2,)]


def _with(lines):
    return EXPORT.xml().replace(b"</HealthData>", "".join(lines).encode() + b"</HealthData>")


def test_a_workout_the_phone_has_sent_is_not_told_twice(take, phone, ask):
    start = when("2025-10-24 17:00")
    workout = {
        "id": "11111111-2222-3333-4444-555555555555",
        "name": "Running",
        "start": start.strftime("%Y-%m-%d %H:%M:%S %z"),
        "end": (start + timedelta(minutes=30)).strftime("%Y-%m-%d %H:%M:%S %z"),
        "duration": 1710,
    }
    phone.send({"data": {"workouts": [workout]}})
    run = take()
    held = ask(f"SELECT count(*) FROM record WHERE kind = '{Kind.WORKOUT}'")
    assert held == [(EXPORT.days,)]
    assert run.kinds["workouts"].revised == 1  # by its route alone


@pytest.mark.parametrize(
    ("kind", "count"), [("correlations", EXPORT.days), ("activity_summaries", EXPORT.days), ("events", 1)]
)
def test_what_only_exports_tell_can_be_read(take, phone, kind, count):
    event = EXPORT.record(
        CATEGORY + "AppleWalkingSteadinessEvent",
        "Health",
        when("2025-10-24 12:00"),
        0,
        "HKCategoryValueAppleWalkingSteadinessEventInitialLow",
    )
    take(xml=_with([event]))
    items = phone.get(f"/api/v1/records/{kind}")["items"]
    assert len(items) == count
    assert phone.get(f"/api/v1/records/{kind}/{items[0]['id']}")["content"] == items[0]["content"]


def test_an_older_export_that_is_told_later_does_not_cut_its_last_day_short(take, ask):
    def summary(value, made):
        day = f' <ActivitySummary dateComponents="2025-10-28" activeEnergyBurned="{value}" activeEnergyBurnedUnit="Cal"/>\n'
        xml = EXPORT.xml(root_end=day + "</HealthData>\n")
        return xml.replace(EXPORT.text(when("2025-10-28 01:00")).encode(), made, 1)

    def energy():
        return ask("SELECT content->'active_energy' FROM record WHERE identity = '2025-10-28'")

    take(xml=summary(100, b"2025-10-28 09:00:00 +0200"), name="a.zip")
    take(xml=summary(640, b"2025-11-20 09:00:00 +0200"), name="b.zip")
    take(xml=summary(300, b"2025-10-28 17:00:00 +0200"), name="c.zip")
    assert energy() == [(640.0,)]
    take(xml=summary(641, b"2025-12-20 09:00:00 +0200"), name="d.zip")
    assert energy() == [(641.0,)]


def test_what_there_is_no_room_to_keep_is_counted_and_told(take, services, anna, monkeypatch):
    monkeypatch.setattr("appliance.services.import_work.MOST_ITEMS_KEPT", 1)
    xml = EXPORT.xml().replace(b'value="0.97"', b'value="97"')
    run = take(xml=xml)
    assert run.counts.quarantined == EXPORT.days
    assert run.content["not_kept"] == EXPORT.days - 1
    assert sum(item.sent is not None for item in services.quarantine.listed(anna).items) == 1


def test_a_day_is_checked_against_apples_own_number_of_it(take, phone):
    take()
    told = phone.get("/api/v1/checks/activity")
    assert told["days"] == EXPORT.days
    # The export tells 31 minutes of exercise a day and has no samples of them; the other rings agree.
    assert [(each["date"], each["metric"], each["value"], each["apple"]) for each in told["items"]] == [
        (f"2025-10-{day}", "apple_exercise_time", None, 31.0) for day in (27, 26, 25, 24)
    ]
    assert {each["explanation"] for each in told["items"]} == {None}  # there is nothing of ours to explain
    one = phone.get("/api/v1/checks/activity", start="2025-10-25", end="2025-10-25")
    assert (one["days"], [each["date"] for each in one["items"]]) == (1, ["2025-10-25"])
