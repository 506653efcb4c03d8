"""Workouts from the phone to the reader: kept once, corrected with the old version at hand, and given out as maps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest

from appliance.demo.life import posts
from appliance.domain.key import Scope
from tests.fixtures.house import a_phone

BERLIN = ZoneInfo("Europe/Berlin")
GPX = {
    "g": "http://www.topografix.com/GPX/1/1",
    "x": "http://www.garmin.com/xmlschemas/TrackPointExtension/v1",
}


def at(second, day=7):
    return f"{datetime(2026, 8, day, 18, tzinfo=UTC) + timedelta(seconds=second):%Y-%m-%d %H:%M:%S} +0200"


def quantity(qty, units):
    return {"qty": qty, "units": units}


def workout(n=1, day=7, **fields):
    return {
        "id": f"0A0B0C0D-1111-4222-8333-{n:012}",
        "name": "Outdoor Run",
        "start": at(0, day),
        "end": at(1800, day),
        "duration": 1800,
        "distance": quantity(5, "km"),
        **fields,
    }


def old(fields):
    return {name: value for name, value in fields.items() if name not in {"id", "duration"}}


def route(*seconds, **more):
    return [
        {
            "latitude": 0.123456789 + n / 1e6,
            "longitude": -1e-7 * n,
            "altitude": 10.5 + n,
            "timestamp": at(n),
            "speed": 3.5,
            "speedAccuracy": -1,
            **more,
        }
        for n in seconds
    ]


def beats(*rates):
    return [
        {"date": at(60 * n), "Min": v - 1, "Avg": v, "Max": v + 1, "units": "bpm", "source": "Watch"}
        for n, v in enumerate(rates)
    ]


def send(phone, *items):
    return phone.send({"data": {"workouts": list(items)}})["counts"]


def only(phone):
    (item,) = phone.get("/api/v1/workouts")["items"]
    return phone.get(f"/api/v1/workouts/{item['id']}")


def outcome(counts):
    return {name: n for name, n in counts.items() if n and name != "received"}


def status(phone, path, **query):
    answer = phone.client.get(path, query_string=query, headers={"X-API-Key": phone.key})
    return answer.status_code


def raw(phone, path, **query):
    return phone.client.get(path, query_string=query, headers={"X-API-Key": phone.key})


def test_a_workout_is_listed_and_shown_whole(phone):
    assert outcome(send(phone, workout(heartRateData=beats(120, 130), route=route(0, 1), odd=[1]))) == {
        "stored": 1
    }
    (item,) = phone.get("/api/v1/workouts")["items"]
    assert item["type"] == "running"
    assert item["type_name"] == "Running"
    assert item["name"] == "Outdoor Run"
    assert (item["start"], item["end"]) == ("2026-08-07T18:00:00+02:00", "2026-08-07T18:30:00+02:00")
    assert (item["duration_s"], item["distance_km"], item["active_energy_kcal"]) == (1800, 5, None)
    assert (item["tracks"], item["source"], item["flags"]) == (["heart_rate", "route"], "Watch", [])
    shown = phone.get(f"/api/v1/workouts/{item['id']}")
    assert shown["content"] == {
        "name": "Outdoor Run",
        "duration_s": 1800,
        "distance_km": 5,
        "more": {"odd": [1]},
    }
    assert [(track["name"], track["count"]) for track in shown["outlines"]] == [
        ("heart_rate", 2),
        ("route", 2),
    ]
    assert (shown["identity"], shown["revisions"]) == (workout()["id"], [])


def test_a_track_is_given_with_its_points(phone):
    send(phone, workout(heartRateData=beats(120, 130)))
    track = phone.get(f"/api/v1/workouts/{only(phone)['id']}/tracks/heart_rate")
    assert track["at"] == ["2026-08-07T18:00:00+02:00", "2026-08-07T18:01:00+02:00"]
    assert track["channels"] == {"min": [119, 129], "value": [120, 130], "max": [121, 131]}
    assert track["units"]["value"] == "count/min"


def test_the_same_workout_again_is_unchanged(phone):
    item = workout(heartRateData=beats(120, 130), route=route(0, 1))
    send(phone, item)
    assert outcome(send(phone, dict(reversed(item.items())))) == {"unchanged": 1}
    assert outcome(send(phone, item, item)) == {"unchanged": 2}


def test_a_corrected_workout_is_revised_and_the_old_version_stays_readable(phone):
    send(phone, workout(route=route(0, 1)))
    assert outcome(send(phone, workout(distance=quantity(5.2, "km"), route=route(0, 1, 2)))) == {"revised": 1}
    shown = only(phone)
    assert shown["content"]["distance_km"] == 5.2
    assert shown["outlines"][0]["count"] == 3
    (revision,) = shown["revisions"]
    assert revision["content"]["distance_km"] == 5
    assert revision["replaced_by"] == shown["upload_id"] != revision["upload_id"]


def test_an_older_upload_read_again_does_not_override(phone, services):
    first = phone.send({"data": {"workouts": [workout()]}})["upload_id"]
    send(phone, workout(distance=quantity(5.2, "km")))
    answer = phone.client.post(f"/api/v1/uploads/{first}/replay", headers={"X-API-Key": phone.key})
    assert answer.status_code == 200, answer.text
    assert only(phone)["content"]["distance_km"] == 5.2


def test_the_same_workout_without_its_curves_does_not_lose_them(phone):
    send(phone, workout(heartRateData=beats(120, 130), route=route(0, 1)))
    assert outcome(send(phone, workout(heartRateData=beats(120, 130)))) == {"superseded": 1}
    assert outcome(send(phone, workout())) == {"superseded": 1}
    assert only(phone)["tracks"] == ["heart_rate", "route"]


def test_a_correction_without_the_route_keeps_the_route(phone):
    send(phone, workout(route=route(0, 1)))
    assert outcome(send(phone, workout(distance=quantity(5.2, "km")))) == {"revised": 1}
    assert (only(phone)["content"]["distance_km"], only(phone)["tracks"]) == (5.2, ["route"])


def test_a_session_known_from_version_1_takes_on_the_id_of_version_2(phone):
    assert outcome(send(phone, old(workout()))) == {"stored": 1}
    assert outcome(send(phone, workout())) == {"revised": 1}
    assert only(phone)["identity"] == workout()["id"]
    assert outcome(send(phone, old(workout()))) == {"superseded": 1}
    assert outcome(send(phone, workout())) == {"unchanged": 1}
    assert len(only(phone)["revisions"]) == 1


def test_two_ids_at_the_same_time_stay_two_workouts(phone):
    send(phone, old(workout()))
    assert outcome(send(phone, workout(1), workout(2))) == {"stored": 1, "revised": 1}
    assert len(phone.get("/api/v1/workouts")["items"]) == 2


def test_three_good_workouts_and_a_broken_one_cost_one(phone):
    receipt = phone.send({"data": {"workouts": [workout(1), workout(2), {"name": "Run"}, workout(3)]}})
    assert outcome(receipt["counts"]) == {"stored": 3, "quarantined": 1}
    assert receipt["errors"][0]["path"] == "data.workouts[2]"
    assert receipt["errors"][0]["reason"] == "bad_timestamp"


def test_workouts_come_newest_first_page_by_page(phone):
    send(phone, *(workout(day, day) for day in range(1, 8)), workout(99, 5))
    seen, cursor = [], {}
    while True:
        page = phone.get("/api/v1/workouts", limit=3, **cursor)
        seen += [(item["start"][:10], item["id"]) for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert [day for day, _ in seen] == [f"2026-08-0{day}" for day in (7, 6, 5, 5, 4, 3, 2, 1)]
    assert len(set(seen)) == 8


def test_workouts_are_found_by_window_and_by_type_in_any_name(phone):
    send(phone, workout(1, 5), workout(2, 6, name="Outdoor Radfahren"), workout(3, 7, name="Seiltanzen"))

    def days(**query):
        return [item["start"][8:10] for item in phone.get("/api/v1/workouts", **query)["items"]]

    assert days(start="2026-08-06") == ["07", "06"]
    assert days(end="2026-08-06") == ["06", "05"]
    assert days(end="2026-08-06T18:00:00+02:00") == ["05"]
    assert days(type="cycling") == days(type="Outdoor Cycle") == ["06"]
    assert days(type="unknown") == ["07"]
    assert days(type="golf") == []


@pytest.mark.parametrize("cursor", ["x", "W10", "WzEsLTFd", "eyJhIjoxfQ"])
def test_a_made_up_cursor_is_refused(phone, cursor):
    assert status(phone, "/api/v1/workouts", cursor=cursor) == 400


def test_another_persons_workout_does_not_exist(app, services, phone):
    send(phone, workout(heartRateData=beats(120), route=route(0, 1)))
    stranger = a_phone(app, services, "Ben", [Scope.READ])
    workout_id = only(phone)["id"]
    assert stranger.get("/api/v1/workouts")["items"] == []
    for path in ("", "/tracks/heart_rate", "/route"):
        assert status(phone, f"/api/v1/workouts/{workout_id}{path}") == 200
        assert status(stranger, f"/api/v1/workouts/{workout_id}{path}") == 404


def test_reading_workouts_needs_the_scope(app, services):
    writer = a_phone(app, services, "Anna", [Scope.INGEST])
    for path in ("", "/1", "/1/tracks/route", "/1/route"):
        assert status(writer, f"/api/v1/workouts{path}") == 403


def test_what_is_not_there_is_not_found(phone):
    send(phone, workout())
    workout_id = only(phone)["id"]
    for path in ("/0", f"/{2**62}", f"/{workout_id}/tracks/route", f"/{workout_id}/route"):
        assert status(phone, f"/api/v1/workouts{path}") == 404
    assert status(phone, f"/api/v1/workouts/{workout_id}/route", format="gpx") == 404
    assert status(phone, f"/api/v1/workouts/{workout_id}/route", format="kml") == 400


def test_a_route_is_a_geojson_line(phone):
    send(phone, workout(heartRateData=beats(120, 130), route=route(0, 30, 61, 300)))
    answer = raw(phone, f"/api/v1/workouts/{only(phone)['id']}/route")
    assert answer.content_type == "application/geo+json"
    feature = answer.get_json(force=True)
    assert (feature["type"], feature["geometry"]["type"]) == ("Feature", "LineString")
    assert feature["geometry"]["coordinates"] == [
        [-1e-7 * n, 0.123456789 + n / 1e6, 10.5 + n] for n in (0, 30, 61, 300)
    ]
    along = feature["properties"]["coordinateProperties"]
    assert along["times"][:2] == ["2026-08-07T18:00:00+02:00", "2026-08-07T18:00:30+02:00"]
    assert along["speed"] == [3.5] * 4
    assert along["heart_rate"] == [120, 120, 130, None]
    assert "speed_accuracy" not in along
    assert feature["properties"]["name"] == "Outdoor Run"


def test_a_route_of_one_point_is_a_point(phone):
    send(phone, workout(route=route(0, altitude=None)))
    feature = raw(phone, f"/api/v1/workouts/{only(phone)['id']}/route").get_json(force=True)
    assert feature["geometry"] == {"type": "Point", "coordinates": [0, 0.123456789]}


def gpx_of(phone):
    answer = raw(phone, f"/api/v1/workouts/{only(phone)['id']}/route", format="gpx")
    assert answer.content_type == "application/gpx+xml"
    return ET.fromstring(answer.data)


def test_a_gpx_has_the_structure_of_the_standard(phone):
    send(phone, workout(heartRateData=beats(120.4, 130), route=route(0, 30, 61, 300)))
    root = gpx_of(phone)
    assert root.tag == f"{{{GPX['g']}}}gpx"
    assert (root.get("version"), bool(root.get("creator"))) == ("1.1", True)
    assert [child.tag.partition("}")[2] for child in root] == ["metadata", "trk"]
    assert [child.tag.partition("}")[2] for child in root.find("g:trk", GPX)] == ["name", "type", "trkseg"]
    points = root.findall("g:trk/g:trkseg/g:trkpt", GPX)
    assert [child.tag.partition("}")[2] for child in points[0]] == ["ele", "time", "extensions"]
    assert [point.findtext("g:time", None, GPX) for point in points[:2]] == [
        "2026-08-07T16:00:00Z",
        "2026-08-07T16:00:30Z",
    ]
    path = "g:extensions/x:TrackPointExtension/x:hr"
    assert [point.findtext(path, None, GPX) for point in points] == ["120", "120", "130", None]


def test_a_gpx_keeps_every_coordinate_exactly(phone):
    sent = route(0, 1, 2)
    send(phone, workout(route=sent))
    points = gpx_of(phone).findall(".//g:trkpt", GPX)
    assert [(float(point.get("lat")), float(point.get("lon"))) for point in points] == [
        (fix["latitude"], fix["longitude"]) for fix in sent
    ]
    assert not any("e" in point.get("lon") for point in points)
    assert [float(point.findtext("g:ele", None, GPX)) for point in points] == [10.5, 11.5, 12.5]


def test_a_name_from_outside_cannot_break_the_gpx(phone):
    name = "<trk>&\"'\x01\x0b Lauf 户外 \U0001f3c3"
    send(phone, workout(name=name, route=route(0, 1)))
    root = gpx_of(phone)
    assert root.findtext("g:trk/g:name", None, GPX) == name.replace("\x01", "�").replace("\x0b", "�")
    assert len(root.findall("g:trk", GPX)) == 1


def test_the_demos_workouts_are_all_stored(phone):
    until = datetime(2026, 8, 19, 17, tzinfo=UTC).astimezone(BERLIN)
    sent = [
        row
        for post in posts(until=until, zone=BERLIN, days=21)
        for row in post.body["data"].get("workouts", [])
    ]
    counts = send(phone, *sent)
    assert counts["quarantined"] == 0
    assert counts["received"] == len(sent)
    listed = phone.get("/api/v1/workouts", limit=100)["items"]
    assert len(listed) == len({row["id"] for row in sent}) > 5
    for item in listed:
        assert item["flags"] == []
        assert raw(phone, f"/api/v1/workouts/{item['id']}/route", format="gpx").status_code == 200
