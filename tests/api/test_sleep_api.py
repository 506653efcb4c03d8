"""Nights through the whole house: sent as the phone sends them, read back by the day of waking up."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest

from appliance.api.answers import NightAnswer, NightsAnswer
from appliance.demo.life import posts
from appliance.demo.points import WATCH
from appliance.domain.key import Scope
from appliance.domain.sample import normalise_source
from tests.fixtures.documents import document, metric
from tests.fixtures.house import a_phone

BERLIN = ZoneInfo("Europe/Berlin")
SLEEP = "/api/v1/sleep"


def row(start, end, total, *, source="Watch", **more):
    """A summed night; times as the phone spells them, all of it core sleep unless told otherwise."""
    told = {
        "date": f"{end[:10]} 00:00:00 {end[-5:]}",
        "totalSleep": total,
        "asleep": 0,
        "core": total,
        "deep": 0,
        "rem": 0,
        "awake": 0,
        "sleepStart": start,
        "sleepEnd": end,
        "inBed": 0,
        "inBedStart": start,
        "inBedEnd": end,
        "source": source,
    }
    return told | more


def night(start, total, **more):
    """The night to 8 August, which ends at 06:40, beginning where clipping leaves it."""
    return row(f"2026-08-0{start}:00 +0200", "2026-08-08 06:40:00 +0200", total, **more)


WHOLE, CLIPPED, STUMP = night("7 23:10", 7.02), night("8 02:50", 3.64), night("8 05:20", 1.24)


def stage(value, start, end, day=8, source="Watch", **more):
    """A stage in the night to a day of August; from noon on it is the evening before."""
    times = [f"2026-08-{day - (at > '12'):02} {at}:00 +0200" for at in (start, end)]
    return {"startDate": times[0], "endDate": times[1], "value": value, "source": source} | more


def sleep(*points):
    return document(metric("sleep_analysis", "hr", *points))


def fates(phone, *points):
    """Send points and return what became of them, without the zeros."""
    receipt = phone.send(sleep(*points))
    assert set(receipt["kinds"]) == {"sleep"}
    return {name: n for name, n in receipt["counts"].items() if n and name != "received"}


def nights(phone, **query):
    return {found["date"]: found for found in phone.get(SLEEP, **query)["items"]}


def one_night(phone, day="2026-08-08"):
    return phone.get(f"{SLEEP}/{day}")


def test_a_night_comes_back_with_its_hours_times_and_upload(phone):
    assert fates(phone, WHOLE | {"awake": 0.48}) == {"stored": 1}
    (found,) = phone.get(SLEEP)["items"]
    assert found == {
        "date": "2026-08-08",
        "source": "Watch",
        "start": "2026-08-07T23:10:00+02:00",
        "end": "2026-08-08T06:40:00+02:00",
        "in_bed_start": "2026-08-07T23:10:00+02:00",
        "in_bed_end": "2026-08-08T06:40:00+02:00",
        "hours": {"total": 7.02, "asleep": 0, "core": 7.02, "deep": 0, "rem": 0, "awake": 0.48, "in_bed": 0},
        "efficiency": pytest.approx(100 * 7.02 / 7.5),
        "naps": [],
        "flags": [],
        "sources": ["Watch"],
        "upload_ids": [1],
    }


def test_the_same_night_again_tells_nothing_new(phone):
    fates(phone, WHOLE)
    receipt = phone.send(sleep(WHOLE))
    assert (receipt["status"], receipt["counts"]["unchanged"]) == ("unchanged", 1)


def test_the_night_of_seven_hours_survives_its_clipped_copies(phone):
    assert fates(phone, WHOLE) == {"stored": 1}
    for clipped in (CLIPPED, STUMP, STUMP):
        assert fates(phone, clipped) == {"superseded": 1}
    assert one_night(phone)["hours"]["total"] == 7.02
    assert phone.days("sleep_total") == {"2026-08-08": 7.02}


@pytest.mark.parametrize("order", list(permutations([WHOLE, CLIPPED, STUMP]))[1::2])
def test_clipped_copies_in_any_order_end_at_the_whole_night(phone, order):
    for sent in order:
        phone.send(sleep(sent))
    assert nights(phone)["2026-08-08"]["hours"]["total"] == 7.02
    assert phone.days("sleep_total") == {"2026-08-08": 7.02}


def test_clipped_copies_in_one_payload_end_at_the_whole_night(phone):
    assert fates(phone, STUMP, WHOLE, CLIPPED) == {"stored": 1, "revised": 1, "superseded": 1}
    assert phone.days("sleep_total") == {"2026-08-08": 7.02}


def test_a_new_score_replaces_and_the_earlier_one_is_kept(phone, ask):
    fates(phone, WHOLE)
    assert fates(phone, WHOLE | {"core": 5.5, "deep": 1.52}) == {"revised": 1}
    found = one_night(phone)
    assert (found["hours"]["deep"], found["upload_ids"]) == (1.52, [2])
    assert [row.content["deep"] for row in ask("SELECT content FROM record_revision")] == [0]
    assert phone.days("sleep_deep") == {"2026-08-08": 1.52}


def test_a_ring_whose_night_grows_ends_at_the_fullest_and_is_flagged(phone):
    for hours in (6.3, 7.3, 10.8, 14.7):
        start = datetime(2026, 8, 8, 13, tzinfo=UTC) - timedelta(hours=hours + 1)
        phone.send(
            sleep(row(f"{start:%Y-%m-%d %H:%M:%S} +0000", "2026-08-08 13:00:00 +0000", hours, source="Ring"))
        )
    found = one_night(phone)
    assert (found["hours"]["total"], found["flags"]) == (14.7, ["over_14_hours"])
    assert phone.days("sleep_total") == {"2026-08-08": 14.7}


def test_a_night_that_grows_past_midnight_leaves_the_day_it_was_told_for(phone):
    fates(phone, stage("Core", "22:00", "23:30"))
    assert set(nights(phone)) == {"2026-08-07"}
    fates(phone, stage("Core", "23:30", "06:30"))
    assert set(nights(phone)) == {"2026-08-08"}
    assert phone.days("sleep_total") == {"2026-08-07": None, "2026-08-08": 8.5}


def test_a_nap_is_shown_beside_its_night_and_counted_in_its_day(phone):
    nap = row("2026-08-08 13:00:00 +0200", "2026-08-08 13:45:00 +0200", 0.7)
    assert fates(phone, WHOLE, nap) == {"stored": 2}
    found = one_night(phone)
    assert found["hours"]["total"] == pytest.approx(7.72)
    assert found["start"] == "2026-08-07T23:10:00+02:00"
    assert [told["start"] for told in found["naps"]] == ["2026-08-08T13:00:00+02:00"]
    assert [told["is_nap"] for told in found["tellings"][0]["sessions"]] == [False, True]
    assert phone.days("sleep_total") == {"2026-08-08": pytest.approx(7.72)}


def test_two_sources_are_one_night_and_never_added_up(phone):
    fates(phone, WHOLE, night("7 22:50", 7.6, source="Ring"))
    found = one_night(phone)
    assert (found["source"], found["sources"]) == ("Watch", ["Watch", "Ring"])
    assert [telling["hours"]["total"] for telling in found["tellings"]] == [7.02, 7.6]
    assert [telling["shown"] for telling in found["tellings"]] == [True, False]
    assert "order of sources" in found["why"]
    assert phone.days("sleep_total") == {"2026-08-08": 7.02}
    assert sorted(sample["value"] for sample in phone.samples("sleep_total")) == [7.02, 7.6]


def test_sources_told_hours_apart_are_still_one_night(phone, clock):
    clock.advance(days=-12, hours=-7)  # to the morning of the night itself
    fates(phone, WHOLE)
    clock.advance(hours=3)
    fates(phone, night("7 22:50", 7.6, source="Ring"))
    assert phone.days("sleep_total") == {"2026-08-08": 7.02}


def test_stages_are_shown_before_a_source_that_has_none(phone):
    plain = night("7 23:00", 8.0, totalSleep=None, asleep=8.0, core=0)
    fates(phone, plain, night("7 23:10", 7.0, source="Ring"))
    assert one_night(phone)["source"] == "Ring"


def test_a_person_who_believes_the_ring_sees_the_ring(phone):
    fates(phone, WHOLE, night("7 22:50", 7.6, source="Ring"))
    phone.client.put(
        "/api/v1/sources/priority",
        json={"category": "sleep", "sources": ["Ring"]},
        headers={"X-API-Key": phone.key},
    )
    assert one_night(phone)["source"] == "Ring"
    assert phone.days("sleep_total") == {"2026-08-08": 7.6}


def test_the_total_of_a_night_says_which_source_it_is_from(phone):
    fates(phone, WHOLE, night("7 22:50", 7.6, source="Ring"))
    told = phone.get("/api/v1/metrics/sleep_total/days/2026-08-08")
    assert "by one source" in told["rule"]
    assert [(each["source"], each["counted"]) for each in told["candidates"]] == [
        ("Watch", 7.02),
        ("Ring", None),
    ]


def test_segments_make_a_night_with_its_stages_in_order(phone):
    sent = [
        stage("InBed", "23:00", "07:00", qty=8),
        stage("AsleepCore", "23:20", "01:00", date=None),
        stage("Deep", "01:00", "02:30"),
        stage("Awake", "02:30", "02:40"),
        stage("REM", "02:40", "06:40", qty=9),
    ]
    assert fates(phone, *reversed(sent)) == {"stored": 5}
    found = one_night(phone)
    (session,) = found["tellings"][0]["sessions"]
    assert [told["stage"] for told in session["segments"]] == ["in_bed", "core", "deep", "awake", "rem"]
    assert session["segments"][1] == {
        "start": "2026-08-07T23:20:00+02:00",
        "end": "2026-08-08T01:00:00+02:00",
        "stage": "core",
        "upload_id": 1,
    }
    assert (found["start"], found["in_bed_start"]) == (
        "2026-08-07T23:20:00+02:00",
        "2026-08-07T23:00:00+02:00",
    )
    assert found["hours"]["total"] == pytest.approx(7 + 1 / 6)
    assert found["efficiency"] == pytest.approx(100 * (7 + 1 / 6) / 8)
    assert found["flags"] == ["length_disagrees"]
    assert phone.days("sleep_in_bed") == {"2026-08-08": 8}
    assert phone.days("sleep_awake") == {"2026-08-08": pytest.approx(1 / 6)}


def test_clipped_segments_do_not_shorten_a_night(phone):
    fates(phone, stage("Core", "23:00", "02:00"), stage("Deep", "02:00", "06:00"))
    clipped = stage("Deep", "03:00", "06:00"), stage("REM", "06:00", "06:30")
    assert fates(phone, *clipped) == {"superseded": 1, "stored": 1}
    assert one_night(phone)["hours"] | {"awake": None} == {
        "total": 7.5,
        "asleep": None,
        "core": 3,
        "deep": 4,
        "rem": 0.5,
        "awake": None,
        "in_bed": None,
    }


def test_longer_segments_replace_their_clips(phone, ask):
    fates(phone, stage("Deep", "03:00", "06:00"), stage("Deep", "01:00", "02:00"))
    assert fates(phone, stage("Deep", "00:30", "06:00")) == {"revised": 1}
    assert one_night(phone)["hours"]["deep"] == 5.5
    assert len(ask("SELECT 1 FROM sleep_segment")) == 1
    assert fates(phone, stage("Deep", "00:30", "06:00")) == {"unchanged": 1}


def test_a_night_told_as_a_sum_and_in_stages_is_told_once(phone):
    fates(phone, WHOLE)
    assert fates(phone, stage("Core", "23:10", "05:00"), stage("Deep", "05:00", "06:40")) == {"stored": 2}
    found = one_night(phone)
    assert found["hours"]["total"] == 7.5
    assert [session["told_as"] for session in found["tellings"][0]["sessions"]] == ["segments"]
    assert found["upload_ids"] == [2]
    assert phone.days("sleep_total") == {"2026-08-08": 7.5}


def test_three_generations_of_the_app_fill_one_calendar(phone):
    first = {
        "date": "2022-03-04 06:51:12 +0100",
        "asleep": 6.6,
        "sleepStart": "2022-03-03 23:30:00 +0100",
        "sleepEnd": "2022-03-04 06:51:12 +0100",
        "sleepSource": "iPhone",
        "inBed": 7.3,
        "inBedStart": "2022-03-03 23:20:00 +0100",
        "inBedEnd": "2022-03-04 06:55:00 +0100",
        "inBedSource": "iPhone",
    }
    second = row("2023-03-03 23:30:00 +0100", "2023-03-04 07:00:00 +0100", 7.0)
    for absent in ("totalSleep", "inBedStart", "inBedEnd"):
        del second[absent]
    assert fates(phone, WHOLE, second, first) == {"stored": 3}
    assert {day: found["hours"]["total"] for day, found in nights(phone).items()} == {
        "2022-03-04": 6.6,
        "2023-03-04": 7.0,
        "2026-08-08": 7.02,
    }
    assert one_night(phone, "2022-03-04")["efficiency"] == pytest.approx(100 * 6.6 / 7.3)
    assert phone.days("sleep_in_bed") == {"2022-03-04": 7.3}


@pytest.mark.parametrize(
    ("start", "end", "hours", "day"),
    [
        ("2026-03-28 23:00:00 +0100", "2026-03-29 07:00:00 +0200", 6.8, "2026-03-29"),
        ("2026-10-24 23:00:00 +0200", "2026-10-25 07:00:00 +0100", 8.6, "2026-10-25"),
    ],
)
def test_nights_of_a_clock_change_are_on_their_day_with_both_offsets(phone, start, end, hours, day):
    fates(phone, row(start, end, hours))
    found = one_night(phone, day)
    assert found["start"].endswith(start[-5:-2] + ":00")
    assert found["end"].endswith(end[-5:-2] + ":00")
    assert phone.days("sleep_total") == {day: hours}


def test_a_night_in_tokyo_told_again_from_los_angeles_stays_where_it_was(phone):
    fates(phone, row("2026-08-07 23:30:00 +0900", "2026-08-08 06:30:00 +0900", 6.5))
    again = row("2026-08-07 07:30:00 -0700", "2026-08-07 14:30:00 -0700", 6.5)
    assert fates(phone, again) == {"unchanged": 1}
    assert fates(phone, again | {"totalSleep": 6.6}) == {"revised": 1}
    (found,) = phone.get(SLEEP)["items"]
    assert (found["date"], found["end"]) == ("2026-08-08", "2026-08-08T06:30:00+09:00")
    assert phone.days("sleep_total") == {"2026-08-08": 6.6}


def test_an_old_upload_read_late_neither_shrinks_nor_doubles_a_night(phone):
    fates(phone, WHOLE)
    fates(phone, night("7 23:10", 7.4), row("2026-08-08 13:00:00 +0200", "2026-08-08 13:30:00 +0200", 0.5))
    before = phone.get(SLEEP), phone.days("sleep_total"), phone.samples("sleep_total")
    for upload_id in (1, 2, 1):
        answer = phone.client.post(
            f"/api/v1/uploads/{upload_id}/replay", headers={"X-API-Key": phone.key}, json={}
        )
        assert answer.status_code == 200, answer.text
    assert (phone.get(SLEEP), phone.days("sleep_total"), phone.samples("sleep_total")) == before


def test_a_late_part_of_a_night_reaches_its_total_although_a_newer_upload_was_first(phone, services, clock):
    fates(phone, stage("Deep", "02:00", "04:00"))
    fates(phone, stage("Core", "00:00", "02:00"))
    assert phone.days("sleep_total") == {"2026-08-08": 4}
    assert {sample["upload_id"] for sample in phone.samples("sleep_total")} == {2}


def test_a_night_without_times_is_kept_and_flagged(phone):
    told = {
        "date": "2026-08-08 00:00:00 +0200",
        "asleep": 6,
        "core": 0,
        "deep": 0,
        "rem": 0,
        "source": "Band",
    }
    assert fates(phone, told) == {"stored": 1}
    assert fates(phone, told | {"asleep": 5}) == {"superseded": 1}
    found = one_night(phone)
    assert (found["flags"], found["start"], found["hours"]["total"]) == (["no_times"], None, 6)


def test_receipts_add_up_and_name_the_place_of_what_was_set_aside(phone):
    receipt = phone.send(
        document(
            metric("step_count", "count"),
            metric(
                "sleep_analysis", "hr", WHOLE, "odd", WHOLE | {"deep": -1}, stage("Purring", "01:00", "02:00")
            ),
        )
    )
    assert receipt["kinds"]["sleep"] == {
        "received": 4,
        "stored": 1,
        "revised": 0,
        "unchanged": 0,
        "superseded": 0,
        "quarantined": 3,
    }
    assert [(error["path"], error["reason"]) for error in receipt["errors"]] == [
        ("data.metrics[1].data[1]", "wrong_shape"),
        ("data.metrics[1].data[2]", "implausible_value"),
        ("data.metrics[1].data[3]", "not_read_yet"),
    ]


def test_derived_totals_are_in_no_receipt(phone):
    receipt = phone.send(sleep(WHOLE))
    assert receipt["counts"]["received"] == 1
    assert "samples" not in receipt["kinds"]
    assert {held["key"] for held in phone.get("/api/v1/metrics")["items"]} >= {"sleep_total", "sleep_core"}


def test_zero_in_bed_beside_sleep_is_not_a_time_in_bed(phone):
    fates(phone, WHOLE)
    assert "sleep_in_bed" not in {held["key"] for held in phone.get("/api/v1/metrics")["items"]}


def test_nights_are_listed_newest_first_within_the_days_asked_for(phone):
    fates(
        phone,
        *(
            row(f"2026-08-{n:02} 00:10:00 +0200", f"2026-08-{n:02} 07:00:00 +0200", 6 + n / 10)
            for n in range(1, 9)
        ),
    )
    assert list(nights(phone)) == [f"2026-08-{n:02}" for n in range(8, 0, -1)]
    assert list(nights(phone, start="2026-08-03", end="2026-08-04")) == ["2026-08-04", "2026-08-03"]
    assert list(nights(phone, start="2026-08-07")) == ["2026-08-08", "2026-08-07"]
    assert nights(phone, end="2026-07-31") == {}


def test_a_long_list_comes_in_pages_across_years_of_nothing(phone):
    days = ["2019-05-02", "2024-01-01", *(f"2026-08-{n:02}" for n in range(1, 8))]
    fates(phone, *(row(f"{day} 00:10:00 +0200", f"{day} 07:00:00 +0200", 6) for day in days))
    found, cursor = [], None
    while True:
        page = phone.get(SLEEP, limit=2, **({"cursor": cursor} if cursor else {}))
        found += [night["date"] for night in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        assert len(page["items"]) == 2
    assert found == sorted(days, reverse=True)
    page = phone.get(SLEEP, limit=1, start="2026-08-07")
    assert page["next"] is None


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/2026-08-08", {}, 404),
        ("/2026-02-30", {}, 400),
        ("/yesterday", {}, 400),
        ("/20260808", {}, 400),
        ("", {"start": "soon"}, 400),
        ("", {"start": "2026-08-08", "end": "2026-08-07"}, 400),
        ("", {"cursor": "bm9wZQ"}, 400),
        ("", {"limit": "0"}, 400),
        ("", {"moon": "full"}, 400),
    ],
)
def test_questions_that_cannot_be_answered(phone, path, query, status):
    answer = phone.client.get(SLEEP + path, query_string=query, headers={"X-API-Key": phone.key})
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def test_nights_need_a_key_that_may_read_and_belong_to_their_person(phone, app, services):
    fates(phone, WHOLE)
    posting = a_phone(app, services, "Anna", [Scope.INGEST])
    for path in (SLEEP, f"{SLEEP}/2026-08-08"):
        assert posting.client.get(path).status_code == 401
        assert posting.client.get(path, headers={"X-API-Key": posting.key}).status_code == 403
    assert a_phone(app, services, "Ben", [Scope.READ]).get(SLEEP)["items"] == []


def test_answers_are_as_described(phone):
    fates(phone, WHOLE, stage("Core", "23:10", "06:40", source="Ring"))
    NightsAnswer.model_validate(phone.get(SLEEP), strict=True)
    NightAnswer.model_validate(one_night(phone), strict=True)


def test_all_nights_of_the_demo_are_there(phone):
    sent = list(posts(until=datetime(2026, 4, 19, 17, 23, 41, tzinfo=BERLIN), zone=BERLIN))
    slept = {}
    for post in sent:
        entries = [
            entry for entry in post.body["data"].get("metrics", []) if entry["name"] == "sleep_analysis"
        ]
        if not entries:
            continue
        receipt = phone.send({"data": {"metrics": entries}})
        assert receipt["counts"]["stored"] == receipt["counts"]["received"]
        for point in entries[0]["data"]:
            day = datetime.strptime(point.get("endDate") or point["sleepEnd"], "%Y-%m-%d %H:%M:%S %z")
            if "totalSleep" in point:
                slept[f"{day:%Y-%m-%d}"] = point["totalSleep"]
            else:
                start = datetime.strptime(point["startDate"], "%Y-%m-%d %H:%M:%S %z")
                key = f"{start + timedelta(hours=6):%Y-%m-%d}"
                slept[key] = slept.get(key, 0) + (point["qty"] if point["value"] != "Awake" else 0)
    found = nights(phone, limit=400)
    assert {day: told["hours"]["total"] for day, told in found.items()} == {
        day: pytest.approx(hours) for day, hours in slept.items()
    }
    assert len(found) > 85
    assert {told["source"] for told in found.values()} == {normalise_source(WATCH)}
    assert all(not told["flags"] and not told["naps"] for told in found.values())
    assert phone.days("sleep_total") == {day: pytest.approx(hours) for day, hours in slept.items()}
