"""The pages of records: what is told is what is held, private things wait for a click, and hostile words stay words."""

from __future__ import annotations

import pytest

from tests.fixtures.documents import document, metric, point
from tests.fixtures.house import a_phone
from tests.fixtures.records import (
    a_cycle_entry,
    a_dose,
    a_mood,
    a_real_notification,
    a_symptom,
    an_ecg,
    one_of_each,
)

PRIVATE = ["mind", "medications", "symptoms", "cycle"]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "\u202etxet\u202c",
    "x" * 10_000,
]


@pytest.fixture
def shown(visitor):
    """A visitor who has asked to see what is private."""
    visitor.send("/records/show", shown="yes", next="/records")
    return visitor


def test_every_kind_is_shown_once_it_is_told_and_says_what_to_do_before(shown, phone):
    for path in ("ecg", "heart", *PRIVATE):
        assert "Nothing told yet" in shown.open(f"/records/{path}"), path
    phone.send(document(**one_of_each()))
    overview = shown.open("/records")
    for words in ("Sinus rhythm", "Low heart rate", "Pleasant", "Taken", "Mild", "Light"):
        assert words in overview, words
    assert "Sinus rhythm" in shown.open("/records/ecg")
    assert "41–43 <small>bpm" in shown.open("/records/heart")
    assert "grateful" in shown.open("/records/mind")
    assert "Vitamin D3 1000 IU" in shown.open("/records/medications")
    assert "Headache" in shown.open("/records/symptoms")
    assert "Cycle began 7 August 2026" in shown.open("/records/cycle")


@pytest.mark.parametrize("path", PRIVATE)
def test_what_is_private_is_hidden_until_asked_for_and_can_be_hidden_again(visitor, phone, path):
    phone.send(document(**one_of_each()))
    for told in (
        visitor.open(f"/records/{path}"),
        visitor.open("/records"),
        visitor.open("/records/day/2026-08-07"),
    ):
        assert "idden on this screen" in told
        for words in ("Headache", "Vitamin", "grateful", "Menstrual"):
            assert words not in told
    answer = visitor.send("/records/show", shown="yes", next=f"/records/{path}")
    assert answer.headers["Location"] == f"/records/{path}"
    assert "Entries" in visitor.open(f"/records/{path}")
    visitor.send("/records/show", shown="no", next="/records")
    assert "Hidden on this screen" in visitor.open(f"/records/{path}")


def test_a_day_shows_all_its_records_in_their_order_where_the_person_was(shown, phone):
    phone.send(document(**one_of_each()))
    told = shown.open("/records/day/2026-08-07")
    order = ["Vitamin D3", "ECG", "Headache", "Daily mood"]
    places = [told.index(f"<bdi>{words}") for words in order]
    assert places == sorted(places)
    assert ">08:12</time>" in told
    assert "Nothing on this day" in shown.open("/records/day/2026-08-01")
    for odd in ("2026-02-30", "0001-01-01", "9999-12-31", "x"):
        assert shown.client.get(f"/records/day/{odd}").status_code == 404, odd


def test_a_dose_that_was_skipped_counts_as_not_taken(shown, phone):
    phone.send(
        document(
            medications=[
                a_dose(start=f"2026-08-0{day} 08:10:00 +0200", scheduledDate=f"2026-08-0{day} 08:00:00 +0200")
                | ({"status": "Omitido"} if day == 3 else {})
                for day in range(1, 5)
            ]
        )
    )
    told = shown.open("/records/medications")
    assert "3 of 4 taken" in told
    assert "Skipped" in told
    assert "(<bdi>Omitido</bdi>)" in told


def test_cycles_tell_only_what_was_noted(shown, phone):
    phone.send(
        document(
            cycleTracking=[
                a_cycle_entry(start="2026-07-01 08:00:00 +0200"),
                a_cycle_entry(start="2026-07-29 08:00:00 +0200"),
                a_cycle_entry(start="2026-07-30 08:00:00 +0200", isCycleStart=False, value="Heavy"),
            ]
        )
    )
    told = shown.open("/records/cycle")
    assert "28 days after the one before" in told
    assert "nothing is predicted" in told
    assert "August 2026" not in told.split("Entries")[1]


def test_a_notification_shows_the_heart_rate_an_hour_around_it_and_no_more(shown, phone):
    phone.send(
        document(
            metric(
                "heart_rate",
                "bpm",
                point("2026-08-07 18:29", Min=88, Avg=88, Max=88),
                point("2026-08-07 18:45", Min=77, Avg=77, Max=77),
                point("2026-08-07 20:39", Min=66, Avg=66, Max=66),
                point("2026-08-07 20:41", Min=99, Avg=99, Max=99),
            ),
            heartRateNotifications=[a_real_notification()],
        )
    )
    listed = phone.get("/api/v1/records/heart_notifications")["items"]
    told = shown.open(f"/records/heart/{listed[0]['id']}")
    assert "5 readings from 18:30 to 20:40, between 41 and 77 bpm." in told
    assert ">77</td>" in told
    assert ">88</td>" not in told
    assert ">99</td>" not in told
    assert "45 bpm" in told


def test_an_ecg_without_voltages_says_so_and_one_with_them_has_its_paper(shown, phone):
    phone.send(document(ecg=[an_ecg(), an_ecg(start="2026-08-06 19:30:00 +0200", voltageMeasurements=[])]))
    newest, other = phone.get("/api/v1/records/ecg")["items"]
    told = shown.open(f"/records/ecg/{newest['id']}")
    assert f'<hb-ecg src="/api/v1/records/ecg/{newest["id"]}"' in told
    assert "data-prints" in told
    assert "62 bpm" in told
    assert "came without its voltages" in shown.open(f"/records/ecg/{other['id']}")


def test_records_of_others_are_not_there(app, services, visitor):
    ben = a_phone(app, services, "Ben", ["ingest", "read"])
    ben.send(document(**one_of_each()))
    for kind, path in (("ecg", "ecg"), ("heart_notifications", "heart")):
        theirs = ben.get(f"/api/v1/records/{kind}")["items"][0]["id"]
        assert visitor.client.get(f"/records/{path}/{theirs}").status_code == 404
    assert "Nothing told yet" in visitor.open("/records/ecg")
    assert visitor.client.get("/records/nonsense").status_code == 404


@pytest.mark.parametrize("text", HOSTILE)
def test_no_word_of_a_phone_becomes_part_of_a_page(shown, phone, text):
    phone.send(
        document(
            ecg=[an_ecg(classification=text, source=text, symptoms=[text])],
            heartRateNotifications=[a_real_notification(heartNotification=text, source={"name": text})],
            stateOfMind=[a_mood(labels=[text], associations=[text], kind=text, valenceClassification=text)],
            medications=[a_dose(displayText=text, nickname=text, status=text, form=text)],
            symptoms=[a_symptom(name=text, severity=text, source=text)],
            cycleTracking=[a_cycle_entry(name=text, value=text)],
        )
    )
    paths = ["/records", "/records/day/2026-08-07", "/records/ecg", "/records/heart"]
    paths += [f"/records/{path}" for path in PRIVATE]
    for kind, path in (("ecg", "ecg"), ("heart_notifications", "heart")):
        paths.append(f"/records/{path}/{phone.get(f'/api/v1/records/{kind}')['items'][0]['id']}")
    for path in paths:
        told = shown.open(path)
        assert "<script>alert" not in told, path
        assert "<img" not in told, path
        assert 'href="javascript' not in told, path
    assert "&lt;script&gt;" in shown.open("/records/symptoms") or not text.startswith("<script")
