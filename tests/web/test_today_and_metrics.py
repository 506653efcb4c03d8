"""Today and the metrics: the numbers are the API's, missing is shown as missing, and nothing typed runs."""

from __future__ import annotations

import html
import re
from datetime import date, timedelta

import pytest

from tests.fixtures.documents import document, hours, metric, point

TODAY = date(2026, 8, 20)  # the clock's day; noon in UTC is two o'clock in Berlin
EVIL = '<script>alert(1)</script>"onmouseover=x\u202e'


def words(page: str) -> str:
    """Return what a page says, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def days_back(count: int) -> list[str]:
    return [(TODAY - timedelta(days=back)).isoformat() for back in range(count, 0, -1)]


@pytest.fixture
def month(phone, services, clock):
    """Thirty days of Anna: a hundred steps an hour, a resting heart rate of 55 ± 1, and a day that is different."""
    steps, resting, weight = [], [], []
    for n, day in enumerate(days_back(30)):
        steps += hours(day, [100.0] * 24)
        resting.append(point(f"{day} 06:00", 54.0 + n % 3))
        weight.append(point(f"{day} 07:00", 80.0)) if n < 20 else None
    today = TODAY.isoformat()
    steps += hours(today, [250.0] * 14)
    resting.append(point(f"{today} 06:00", 71.0))
    phone.send(
        document(
            metric("step_count", "count", *steps),
            metric("resting_heart_rate", "count/min", *resting),
            metric("weight_body_mass", "kg", *weight),
        )
    )


def test_who_has_nothing_yet_is_led_to_pairing(visitor):
    for path in ("/", "/browse"):
        assert 'href="/keys/pair"' in visitor.open(path), path


def test_today_compares_sums_with_other_days_up_to_the_same_clock_time(visitor, month):
    said = words(visitor.open("/"))
    assert "3,500" in said
    # Fourteen hours of a hundred steps each.
    assert "Above your usual by now 1,400" in said
    assert "so far, 14:00" in said


def test_what_is_unusual_stands_there_with_its_number_and_the_usual_range(visitor, month):
    page = visitor.open("/")
    listed = words(page.split("What is unusual")[1].split("</section>")[0])
    assert "Resting Heart Rate 71 bpm Above your usual 54–56" in listed
    assert listed.count("your usual") <= 3
    assert "Weight" not in listed, "nothing of today, nothing unusual"


def test_no_range_is_called_usual_before_seven_days_are_told(visitor, phone):
    for day in days_back(6):
        phone.send(document(metric("resting_heart_rate", "count/min", point(f"{day} 06:00", 55.0))))
    phone.send(document(metric("resting_heart_rate", "count/min", point(f"{TODAY} 06:00", 90.0))))
    said = words(visitor.open("/"))
    assert "90" in said
    assert "your usual" not in said
    assert "needs seven days" in said


def test_a_number_of_another_day_says_of_which_and_is_not_compared(visitor, month):
    tile = visitor.open("/").split('href="/browse/weight_body_mass"')[1].split("</a>")[0]
    assert "80" in words(tile)
    assert "9 August" in words(tile)
    assert "usual" not in tile


def test_what_usually_is_in_by_now_and_is_not_is_named(visitor, phone, month, clock):
    clock.advance(days=1)
    phone.send(document(metric("resting_heart_rate", "count/min", point("2026-08-21 06:00", 55.0))))
    missing = words(visitor.open("/").split("What has come in")[1].split("</section>")[0])
    assert "not in yet" in missing
    assert "Steps" in missing
    assert "Resting" not in missing
    past = words(visitor.open("/?date=2026-08-20").split("What is missing")[1].split("</section>")[0])
    assert "Everything that is usually told of, was" in past


def test_a_day_that_is_none_shows_today_and_another_day_is_led_to_and_from(visitor, month):
    for wrong in ("yesterday", "2026-13-01", "9999-12-31", "0001-01-01", "2026-08-21"):
        assert "<h1>Today</h1>" in visitor.open(f"/?date={wrong}"), wrong
    page = visitor.open("/?date=2026-08-19")
    assert "<h1>Yesterday</h1>" in page
    assert 'href="/?date=2026-08-18"' in page
    assert "2,400" in words(page)


def test_every_number_of_the_day_is_the_apis(visitor, phone, month):
    told = {each["key"]: each["value"] for each in phone.get("/api/v1/today")["metrics"]}
    page = visitor.open("/")
    for key, value in told.items():
        tile = words(page.split(f'href="/browse/{key}"')[1].split("</a>")[0])
        assert f" {value:,.0f} " in f" {tile} ", key


def test_a_cached_glance_is_told_anew_after_an_upload(visitor, phone, month):
    assert "3,500" in words(visitor.open("/"))
    assert "3,500" in words(visitor.open("/"))
    phone.send(document(metric("step_count", "count", *hours("2026-08-20", [300.0] * 14))))
    assert "4,200" in words(visitor.open("/"))


def test_the_list_finds_a_metric_by_any_part_of_its_name(visitor, month):
    assert "Steps" in visitor.open("/browse")
    found = words(visitor.open("/browse?q=HEART"))
    assert "Resting Heart Rate" in found
    assert "Steps" not in found
    assert "Nothing here is called that" in words(visitor.open("/browse?q=zzz"))


def test_a_metrics_figures_are_made_of_the_apis_days(visitor, phone, month):
    days = phone.days("resting_heart_rate", start="2026-07-22", end="2026-08-20")
    said = words(visitor.open("/browse/resting_heart_rate?range=m"))
    assert f"Average of days {sum(days.values()) / len(days):.0f} bpm" in said
    assert "Highest 71 bpm" in said
    assert f"Days with data {len(days)} of 30" in said
    steps = phone.days("step_count", start="2026-08-14", end="2026-08-20")
    assert f"Total {sum(steps.values()):,.0f}" in words(visitor.open("/browse/step_count?range=w"))


def test_two_spans_are_compared_in_words_and_the_address_keeps_it(visitor, month):
    page = visitor.open("/browse/step_count?range=w&compare=1")
    # Six whole days of 2,400 against seven; today is not over, and is not compared with days that are.
    assert "The same average as in the 7 days before (2,400)." in words(page)
    past = visitor.open("/browse/resting_heart_rate?range=w&compare=1")
    assert "On average 2 bpm higher than in the 7 days before (55 bpm)." in words(past)
    assert "range=m&amp;compare=1" in page
    assert "nothing to compare with" in words(
        visitor.open("/browse/step_count?start=2026-07-21&end=2026-07-25&compare=1")
    )


def test_samples_are_paged_without_losing_or_repeating_one(visitor, month):
    seen, path = [], "/browse/step_count/samples?range=w"
    while path:
        page = visitor.open(path)
        seen += re.findall(r">(2026-08-\d\d \d\d:\d\d:\d\d)</a>", page)
        following = re.search(r'rel="next" href="(\?[^"]*after[^"]*)"', page)
        path = following and "/browse/step_count/samples" + html.unescape(following.group(1))
    assert len(seen) == 6 * 24 + 14
    assert seen == sorted(set(seen))
    for wrong in ("x", "1", "1-", "-1--1", "9" * 40 + "-1", f"1-{1 << 80}"):
        visitor.open(f"/browse/step_count/samples?after={wrong}")


def test_a_days_number_is_explained_with_overlap_and_revisions(visitor, phone, month):
    phone.send(document(metric("step_count", "count", *hours("2026-08-19", [50.0] * 24, source="iPhone"))))
    phone.send(document(metric("step_count", "count", point("2026-08-19 10:00", 180.0))))
    said = words(visitor.open("/browse/step_count/days/2026-08-19"))
    told = phone.get("/api/v1/metrics/step_count/days/2026-08-19")
    assert f"{told['value']:,.0f}" in said
    assert "iPhone" in said
    assert "Overlap removed" in said
    assert "What samples of this day said before" in said


def test_a_metric_nobody_knows_is_new_first_and_harmless(visitor, phone):
    odd = metric(f"Zap {EVIL}", EVIL, point(f"{TODAY} 08:00", 5, source=EVIL), point(f"{TODAY} 09:00", 9))
    phone.send(document(odd, metric("step_count", "count", *hours(TODAY.isoformat(), [1.0], source=EVIL))))
    listed = visitor.open("/browse")
    assert listed.index("New to Hearthbeat") < listed.index(">Activity<")
    (key,) = [each["key"] for each in phone.get("/api/v1/metrics")["items"] if not each["known"]]
    for path in (
        f"/browse/{key}",
        f"/browse/{key}/samples",
        f"/browse/{key}/days/{TODAY}",
        "/browse/step_count",
        "/browse/step_count/samples",
        f"/browse/step_count/days/{TODAY}",
        f"/browse?q={EVIL}",
        "/",
    ):
        page = visitor.open(path)
        assert "<script>alert" not in page, path
        assert '"onmouseover' not in page, path
    assert "5.00 – 9.00" in words(visitor.open(f"/browse/{key}"))


def test_what_is_not_held_is_nowhere(visitor, month):
    for path in (
        "/browse/no_such",
        "/browse/no_such/samples",
        "/browse/step_count/days/2020-01-01",
        "/browse/step_count/days/never",
    ):
        assert visitor.client.get(path).status_code == 404, path


def test_nobody_sees_anothers_metrics(visitor, app, services):
    fresh = services.keys.create("Ben's phone", ["ingest"], person_name="Ben")
    body = document(metric("step_count", "count", *hours(TODAY.isoformat(), [77.0])))
    answer = app.test_client().post("/api/v1/ingest", json=body, headers={"X-API-Key": fresh.secret_text})
    assert answer.status_code == 200
    assert visitor.client.get("/browse/step_count").status_code == 404
    assert "Your first numbers are one scan away" in visitor.open("/")
